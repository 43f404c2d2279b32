#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "engine/compute/kernels/kernels.h"
#include "engine/compute/profile.h"
#include "engine/compute/simd.h"

namespace lra::engine::kernels {
namespace {

// The draws of dropout: 32 generators xoshiro128++ side by side (Blackman and Vigna 2021,
// arXiv 1805.01407), whose states are the Philox blocks of a key and a counter. A block of elements
// has separate states, so that it does not depend on earlier blocks.
constexpr std::size_t kDropoutLanes = 32;

constexpr std::int64_t kDropoutBlock = 8192;  // elements of one state
constexpr std::int64_t kDropoutDraws = 512;   // 16-bit draws made at once
using DropoutState = std::array<std::array<std::uint32_t, kDropoutLanes>, 4>;

DropoutState dropout_state(std::uint64_t key, std::uint64_t block) {
  DropoutState s;
  for (std::size_t i = 0; i < kDropoutLanes; ++i) {
    const std::uint64_t counter = block * kDropoutLanes + i;
    const auto words = philox(
        {static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32U), 0, 0},
        key);
    for (std::size_t w = 0; w < 4; ++w) s[w][i] = words[w];
  }
  return s;
}

LRA_SIMD void draw_16(DropoutState& state, std::uint16_t* out) {
  DropoutState s = state;
  for (std::int64_t j = 0; j < kDropoutDraws; j += 2 * kDropoutLanes) {
    for (std::size_t i = 0; i < kDropoutLanes; ++i) {
      const std::uint32_t r = std::rotl(s[0][i] + s[3][i], 7) + s[0][i];
      const std::uint32_t t = s[1][i] << 9U;
      s[2][i] ^= s[0][i];
      s[3][i] ^= s[1][i];
      s[1][i] ^= s[2][i];
      s[0][i] ^= s[3][i];
      s[2][i] ^= t;
      s[3][i] = std::rotl(s[3][i], 11);
      out[j + static_cast<std::int64_t>(i)] = static_cast<std::uint16_t>(r);
      out[j + static_cast<std::int64_t>(kDropoutLanes + i)] = static_cast<std::uint16_t>(r >> 16U);
    }
  }
  state = s;
}

LRA_SIMD void keep_f32(const float* x, float* y, const std::uint16_t* draw, std::uint16_t limit,
                       float scale, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = draw[i] >= limit ? x[i] * scale : 0.0F;
}

LRA_SIMD void keep_bf16(const BFloat16* x, BFloat16* y, const std::uint16_t* draw,
                        std::uint16_t limit, float scale, std::int64_t n) {
  // Two loops, over 32-bit and 16-bit elements. The rounding needs no special case for NaN: the low
  // half of a product with a bf16 NaN is 0, so that there is no carry.
  std::array<std::uint16_t, kDropoutDraws> scaled;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(to_float(x[i]) * scale);
    scaled[static_cast<std::size_t>(i)] =
        static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U);
  }
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint16_t bits = scaled[static_cast<std::size_t>(i)];
    y[i].bits = draw[i] >= limit ? bits : std::uint16_t{0};
  }
}

// kept = x mask, mask = 1 or 0 (may be null).
LRA_SIMD void mask_f32(const float* x, float* kept, float* mask, const std::uint16_t* draw,
                       std::uint16_t limit, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) kept[i] = draw[i] >= limit ? x[i] : 0.0F;
  if (mask == nullptr) return;
  for (std::int64_t i = 0; i < n; ++i) mask[i] = draw[i] >= limit ? 1.0F : 0.0F;
}

LRA_SIMD void mask_bf16(const BFloat16* x, BFloat16* kept, BFloat16* mask,
                        const std::uint16_t* draw, std::uint16_t limit, std::int64_t n) {
  constexpr std::uint16_t kOne = 0x3F80;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint16_t bits = x[i].bits;
    kept[i].bits = draw[i] >= limit ? bits : std::uint16_t{0};
  }
  if (mask == nullptr) return;
  for (std::int64_t i = 0; i < n; ++i) mask[i].bits = draw[i] >= limit ? kOne : std::uint16_t{0};
}

// Draws below it are dropped: p 2^16, at most 2^16 - 1, so that some elements are kept.
std::uint16_t dropout_limit(double p) {
  return static_cast<std::uint16_t>(std::min(std::lround(p * 65536.0), 65535L));
}

// Calls f(begin, count, draws) for pieces of n elements.
template <class F>
void for_draws(std::int64_t n, RandomKey key, F f) {
  std::array<std::uint16_t, kDropoutDraws> draw;
  DropoutState state;
  for (std::int64_t begin = 0; begin < n; begin += kDropoutDraws) {
    if (begin % kDropoutBlock == 0) {
      state = dropout_state(key.value(), static_cast<std::uint64_t>(begin / kDropoutBlock));
    }
    draw_16(state, draw.data());
    f(begin, std::min(kDropoutDraws, n - begin), draw.data());
  }
}

}  // namespace

double dropout_share(double p) { return 1.0 - dropout_limit(p) / 65536.0; }

void dropout(const Tensor& x, const Tensor& y, double p, RandomKey key) {
  const profile::Scope scope("dropout");
  const std::uint16_t limit = dropout_limit(p);
  const auto scale = static_cast<float>(1.0 / dropout_share(p));
  for_draws(x.numel(), key, [&](std::int64_t begin, std::int64_t count, const std::uint16_t* draw) {
    if (x.dtype() == DType::bf16) {
      keep_bf16(x.bf16() + begin, y.bf16() + begin, draw, limit, scale, count);
    } else {
      keep_f32(x.f32() + begin, y.f32() + begin, draw, limit, scale, count);
    }
  });
}

void dropout_mask(const Tensor& x, const Tensor& kept, const Tensor& mask, double p,
                  RandomKey key) {
  const profile::Scope scope("dropout");
  const std::uint16_t limit = dropout_limit(p);
  for_draws(x.numel(), key, [&](std::int64_t begin, std::int64_t count, const std::uint16_t* draw) {
    if (x.dtype() == DType::bf16) {
      mask_bf16(x.bf16() + begin, kept.bf16() + begin,
                mask.defined() ? mask.bf16() + begin : nullptr, draw, limit, count);
    } else {
      mask_f32(x.f32() + begin, kept.f32() + begin, mask.defined() ? mask.f32() + begin : nullptr,
               draw, limit, count);
    }
  });
}

}  // namespace lra::engine::kernels
