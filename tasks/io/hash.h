#pragma once
// A fast 128-bit hash of bytes, to find equal sequences and accidental damage (not for adversaries:
// digests that identify data use SHA-256). Two multiply-rotate lanes over 8-byte words, mixed at
// the end.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>

namespace lra::tasks {

struct Hash128 {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const Hash128&) const = default;
};

namespace detail {
constexpr std::uint64_t mix64(std::uint64_t x) {  // finaliser of SplitMix64 (Steele et al. 2014)
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}
}  // namespace detail

// Incremental hash, independent of how the bytes are divided into pieces.
class Hasher128 {
 public:
  // `seed` distinguishes streams; hash128() uses the number of bytes.
  explicit Hasher128(std::uint64_t seed = 0)
      : a_(0x9E3779B97F4A7C15U ^ seed), b_(0xC2B2AE3D27D4EB4FU + seed) {}

  void update(std::span<const std::byte> bytes) {
    while (kept_ != 0 && !bytes.empty()) {
      append(bytes.front());
      bytes = bytes.subspan(1);
    }
    while (bytes.size() >= 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data(), 8);
      take(word);
      bytes = bytes.subspan(8);
    }
    for (const std::byte byte : bytes) append(byte);
  }
  [[nodiscard]] Hash128 finish() {
    std::uint64_t tail = 0;
    std::memcpy(&tail, rest_.data(), kept_);
    take(tail);
    return {detail::mix64(a_ ^ std::rotl(b_, 17)), detail::mix64(b_ + std::rotl(a_, 41))};
  }

 private:
  void append(std::byte byte) {
    rest_[kept_++] = byte;
    if (kept_ < rest_.size()) return;
    std::uint64_t word = 0;
    std::memcpy(&word, rest_.data(), 8);
    take(word);
    kept_ = 0;
  }
  void take(std::uint64_t word) {
    a_ = std::rotl((a_ ^ word) * 0x9FB21C651E98DF25U, 29);
    b_ = std::rotl((b_ + word) * 0xD6E8FEB86659FD93U, 32) ^ word;
  }

  std::uint64_t a_, b_;
  std::array<std::byte, 8> rest_{};
  std::size_t kept_ = 0;
};

[[nodiscard]] inline Hash128 hash128(std::span<const std::byte> bytes) {
  Hasher128 hasher(bytes.size());
  hasher.update(bytes);
  return hasher.finish();
}

}  // namespace lra::tasks

template <>
struct std::hash<lra::tasks::Hash128> {
  std::size_t operator()(const lra::tasks::Hash128& value) const noexcept { return value.low; }
};
