#include <algorithm>
#include <utility>

#include "engine/compute/kernels/kernels.h"
#include "engine/compute/lanes.h"
#include "engine/compute/profile.h"
#include "engine/compute/simd.h"

namespace lra::engine::kernels {
namespace {

constexpr std::int64_t kConvolutionTile = 64;  // tokens whose sums stay in the cache for all taps

LRA_SIMD void add_scaled(float w, const float* __restrict x, float* __restrict y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += w * x[i];
}

LRA_SIMD float inner_product(const float* a, const float* b, std::int64_t n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// Calls f(tap, first, end, shift) for tiles of tokens [first, end), whose neighbours at distance
// `shift` exist.
template <class F>
void for_taps(std::int64_t N, std::int64_t K, F f) {
  for (std::int64_t begin = 0; begin < N; begin += kConvolutionTile) {
    for (std::int64_t t = 0; t < K; ++t) {
      const std::int64_t shift = t - K / 2;
      const std::int64_t first = std::max(begin, -shift);
      const std::int64_t end = std::min({begin + kConvolutionTile, N, N - shift});
      if (first < end) f(t, first, end, shift);
    }
  }
}

// Taps t whose token i + shift + direction t is one of 0..n-1: [first, second).
[[gnu::always_inline]] inline std::pair<std::int64_t, std::int64_t> taps_inside(
    std::int64_t i, std::int64_t shift, std::int64_t direction, std::int64_t T, std::int64_t n) {
  const std::int64_t at = i + shift;
  if (direction > 0) return {std::max<std::int64_t>(0, -at), std::min(T, n - at)};
  return {std::max<std::int64_t>(0, at - n + 1), std::min(T, at + 1)};
}

// y_i = sum_t w_t x_(i + shift + direction t) for R registers of features.
template <int R>
[[gnu::always_inline]] inline void convolve_columns(const float* x, const float* w, float* y,
                                                    std::int64_t n, std::int64_t C, std::int64_t T,
                                                    std::int64_t shift, std::int64_t direction) {
  using Lanes = Register<8>::Lanes;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto [first, end] = taps_inside(i, shift, direction, T, n);
    Lanes sum[R]{};
    for (std::int64_t t = first; t < end; ++t) {
      const float* token = x + (i + shift + direction * t) * C;
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        Lanes value;
        Lanes tap;
        load(token + 8 * r, value);
        load(w + t * C + 8 * r, tap);
        sum[r] += tap * value;
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) store(sum[r], y + i * C + 8 * r);
  }
}
LRA_SIMD void convolve_rows(const float* x, const float* w, float* y, std::int64_t n,
                            std::int64_t C, std::int64_t T, std::int64_t shift,
                            std::int64_t direction) {
  std::int64_t c = 0;
  for (; c + 32 <= C; c += 32) {
    convolve_columns<4>(x + c, w + c, y + c, n, C, T, shift, direction);
  }
  for (; c + 8 <= C; c += 8) convolve_columns<1>(x + c, w + c, y + c, n, C, T, shift, direction);
  for (; c < C; ++c) {
    for (std::int64_t i = 0; i < n; ++i) {
      const auto [first, end] = taps_inside(i, shift, direction, T, n);
      float sum = 0;
      for (std::int64_t t = first; t < end; ++t) {
        sum += w[t * C + c] * x[(i + shift + direction * t) * C + c];
      }
      y[i * C + c] = sum;
    }
  }
}

// dw += the sum over rows [first, end) of dy_i x_(i + shift).
LRA_SIMD void correlate_rows(const float* __restrict dy, const float* __restrict x,
                             float* __restrict dw, std::int64_t first, std::int64_t end,
                             std::int64_t shift, std::int64_t C) {
  using Lanes = Register<8>::Lanes;
  std::int64_t c = 0;
  for (; c + 32 <= C; c += 32) {
    Lanes sum[4]{};
    for (std::int64_t i = first; i < end; ++i) {
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) {
        Lanes a;
        Lanes b;
        load(dy + i * C + c + 8 * r, a);
        load(x + (i + shift) * C + c + 8 * r, b);
        sum[r] += a * b;
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      Lanes total;
      load(dw + c + 8 * r, total);
      store(total + sum[r], dw + c + 8 * r);
    }
  }
  for (; c < C; ++c) {
    float sum = 0;
    for (std::int64_t i = first; i < end; ++i) sum += dy[i * C + c] * x[(i + shift) * C + c];
    dw[c] += sum;
  }
}

}  // namespace

void convolve_features(const Tensor& x, const Tensor& w, std::int64_t n, std::int64_t before,
                       bool reverse, const Tensor& y) {
  const profile::Scope scope("convolution");
  const std::int64_t N = x.dim(1);
  const std::int64_t C = x.dim(2);
  const std::int64_t T = w.dim(1);
  for (std::int64_t g = 0; g < x.dim(0); ++g) {
    convolve_rows(x.f32() + g * N * C, w.f32() + (w.dim(0) == 1 ? 0 : g * T * C),
                  y.f32() + g * N * C, n, C, T, reverse ? before : -before, reverse ? -1 : 1);
  }
}

void correlate_features(const Tensor& dy, const Tensor& x, std::int64_t n, std::int64_t before,
                        const Tensor& dw) {
  const profile::Scope scope("convolution");
  const std::int64_t N = x.dim(1);
  const std::int64_t C = x.dim(2);
  const std::int64_t T = dw.dim(1);
  dw.zero();
  for (std::int64_t g = 0; g < x.dim(0); ++g) {
    float* to = dw.f32() + (dw.dim(0) == 1 ? 0 : g * T * C);
    for (std::int64_t begin = 0; begin < n; begin += kConvolutionTile) {
      for (std::int64_t t = 0; t < T; ++t) {
        const std::int64_t shift = t - before;
        const std::int64_t first = std::max(begin, -shift);
        const std::int64_t end = std::min({begin + kConvolutionTile, n, n - shift});
        if (first < end) {
          correlate_rows(dy.f32() + g * N * C, x.f32() + g * N * C, to + t * C, first, end, shift,
                         C);
        }
      }
    }
  }
}

void convolve_tokens(const Tensor& x, const Tensor& w, bool reverse, const Tensor& y) {
  const profile::Scope scope("convolution");
  const std::int64_t N = x.dim(1);
  const std::int64_t C = x.dim(2);
  const std::int64_t K = w.dim(1);
  y.zero();
  for (std::int64_t h = 0; h < x.dim(0); ++h) {
    const float* from = x.f32() + h * N * C;
    float* to = y.f32() + h * N * C;
    for_taps(N, K, [&](std::int64_t t, std::int64_t first, std::int64_t end, std::int64_t shift) {
      const float weight = w.f32()[h * K + t];
      const std::int64_t n = (end - first) * C;
      if (reverse) {
        add_scaled(weight, from + first * C, to + (first + shift) * C, n);
      } else {
        add_scaled(weight, from + (first + shift) * C, to + first * C, n);
      }
    });
  }
}

void correlate_tokens(const Tensor& dy, const Tensor& x, const Tensor& dw) {
  const profile::Scope scope("convolution");
  const std::int64_t N = x.dim(1);
  const std::int64_t C = x.dim(2);
  const std::int64_t K = dw.dim(1);
  dw.zero();
  for (std::int64_t h = 0; h < x.dim(0); ++h) {
    const float* left = dy.f32() + h * N * C;
    const float* right = x.f32() + h * N * C;
    for_taps(N, K, [&](std::int64_t t, std::int64_t first, std::int64_t end, std::int64_t shift) {
      dw.f32()[h * K + t] +=
          inner_product(left + first * C, right + (first + shift) * C, (end - first) * C);
    });
  }
}

}  // namespace lra::engine::kernels
