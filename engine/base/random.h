#pragma once
// Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011, "Parallel random
// numbers: as easy as 1, 2, 3"). A value depends only on its key and counter, never on the order of
// calls by threads.

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string_view>

namespace lra {

// One block: 128 random bits for a 128-bit counter under a 64-bit key.
[[nodiscard]] constexpr std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                                            std::uint64_t key) noexcept {
  auto k0 = static_cast<std::uint32_t>(key);
  auto k1 = static_cast<std::uint32_t>(key >> 32U);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53U} * counter[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57U} * counter[2];
    counter = {
        static_cast<std::uint32_t>(p1 >> 32U) ^ counter[1] ^ k0, static_cast<std::uint32_t>(p1),
        static_cast<std::uint32_t>(p0 >> 32U) ^ counter[3] ^ k1, static_cast<std::uint32_t>(p0)};
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  return counter;
}

// A key from which independent streams are derived by naming their purpose:
// RandomKey(seed).of("dropout").of(step).of(example).
class RandomKey {
 public:
  constexpr RandomKey() noexcept : RandomKey(0) {}
  explicit constexpr RandomKey(std::uint64_t seed) noexcept : key_(mix(seed, 0)) {}
  [[nodiscard]] constexpr RandomKey of(std::uint64_t part) const noexcept {
    RandomKey child;
    child.key_ = mix(key_, part + 1);
    return child;
  }
  [[nodiscard]] constexpr RandomKey of(std::string_view part) const noexcept {
    std::uint64_t hash = 0xCBF29CE484222325U;  // FNV-1a
    for (const char c : part) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
    return of(hash);
  }
  [[nodiscard]] constexpr std::uint64_t value() const noexcept { return key_; }

 private:
  static constexpr std::uint64_t mix(std::uint64_t key, std::uint64_t part) noexcept {
    const auto block = philox(
        {static_cast<std::uint32_t>(part), static_cast<std::uint32_t>(part >> 32U), 0x6C7261U, 0},
        key);
    return (std::uint64_t{block[1]} << 32U) | block[0];
  }
  std::uint64_t key_;
};

// A sequential stream of one key, for generators with a varying number of draws.
class RandomStream {
 public:
  explicit RandomStream(RandomKey key) noexcept : key_(key.value()) {}

  [[nodiscard]] std::uint32_t bits() noexcept {
    if (used_ == 4) {
      block_ = philox(
          {static_cast<std::uint32_t>(counter_), static_cast<std::uint32_t>(counter_ >> 32U), 0, 0},
          key_);
      ++counter_;
      used_ = 0;
    }
    return block_[used_++];
  }
  // Uniform in [0, 1) with 53 bits.
  [[nodiscard]] double uniform() noexcept {
    const std::uint64_t high = bits() >> 5U;
    const std::uint64_t low = bits() >> 6U;
    return static_cast<double>((high << 26U) | low) * 0x1.0p-53;
  }
  // Uniform integer in [0, bound), exact (Lemire 2019, arXiv 1805.10941). bound > 0.
  [[nodiscard]] std::uint32_t below(std::uint32_t bound) noexcept {
    std::uint64_t product = std::uint64_t{bits()} * bound;
    if (static_cast<std::uint32_t>(product) < bound) {
      const std::uint32_t threshold = (0U - bound) % bound;
      while (static_cast<std::uint32_t>(product) < threshold) {
        product = std::uint64_t{bits()} * bound;
      }
    }
    return static_cast<std::uint32_t>(product >> 32U);
  }
  // Standard normal (Box-Muller, one of the pair).
  [[nodiscard]] double normal() noexcept {
    const double radius = std::sqrt(-2.0 * std::log1p(-uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }

 private:
  std::uint64_t key_;
  std::uint64_t counter_ = 0;
  std::array<std::uint32_t, 4> block_{};
  std::uint32_t used_ = 4;
};

}  // namespace lra
