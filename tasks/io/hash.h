#pragma once
// A fast 128-bit hash of bytes, to find equal sequences (not for adversaries: digests of files use
// SHA-256). Two multiply-rotate lanes over 8-byte words, mixed at the end.

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

[[nodiscard]] inline Hash128 hash128(std::span<const std::byte> bytes) {
  std::uint64_t a = 0x9E3779B97F4A7C15U ^ bytes.size();
  std::uint64_t b = 0xC2B2AE3D27D4EB4FU + bytes.size();
  const auto take = [&a, &b](std::uint64_t word) {
    a = std::rotl((a ^ word) * 0x9FB21C651E98DF25U, 29);
    b = std::rotl((b + word) * 0xD6E8FEB86659FD93U, 32) ^ word;
  };
  while (bytes.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), 8);
    take(word);
    bytes = bytes.subspan(8);
  }
  std::uint64_t tail = 0;
  if (!bytes.empty()) std::memcpy(&tail, bytes.data(), bytes.size());
  take(tail);
  return {detail::mix64(a ^ std::rotl(b, 17)), detail::mix64(b + std::rotl(a, 41))};
}

}  // namespace lra::tasks

template <>
struct std::hash<lra::tasks::Hash128> {
  std::size_t operator()(const lra::tasks::Hash128& value) const noexcept { return value.low; }
};
