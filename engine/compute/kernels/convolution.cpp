#include <algorithm>

#include "engine/compute/kernels/kernels.h"
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

}  // namespace

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
