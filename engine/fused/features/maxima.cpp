#include "engine/fused/features/maxima.h"

#include <algorithm>
#include <limits>

#include "engine/compute/simd.h"

namespace lra::engine {
namespace {

// Hand-written loops: oneDNN 2.6's reduction is a reference kernel over all axes but the last, and
// slow over the last.
LRA_SIMD void columns(const float* x, std::int64_t n, std::int64_t C, float* y) {
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t c = 0; c < C; ++c) y[c] = y[c] > x[i * C + c] ? y[c] : x[i * C + c];
  }
}
LRA_SIMD void columns(const BFloat16* x, std::int64_t n, std::int64_t C, float* y) {
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t c = 0; c < C; ++c) {
      const float v = to_float(x[i * C + c]);
      y[c] = y[c] > v ? y[c] : v;
    }
  }
}

LRA_SIMD float largest(const float* x, std::int64_t n) {
  float y = x[0];
#pragma omp simd reduction(max : y)
  for (std::int64_t i = 1; i < n; ++i) y = y > x[i] ? y : x[i];
  return y;
}
LRA_SIMD float largest(const BFloat16* x, std::int64_t n) {
  float y = to_float(x[0]);
#pragma omp simd reduction(max : y)
  for (std::int64_t i = 1; i < n; ++i) {
    const float v = to_float(x[i]);
    y = y > v ? y : v;
  }
  return y;
}

}  // namespace

Tensor column_maximum(const Tensor& x, std::int64_t n) {
  const std::int64_t N = x.dim(-2);
  const std::int64_t C = x.dim(-1);
  Shape shape = x.shape();
  shape.set(-2, 1);
  n = std::min(n, N);
  Tensor y = Tensor::full(shape, n == 0 ? 0.0F : -std::numeric_limits<float>::max());
  for (std::int64_t g = 0; g < y.numel() / std::max<std::int64_t>(C, 1); ++g) {
    if (x.dtype() == DType::bf16) {
      columns(x.bf16() + g * N * C, n, C, y.f32() + g * C);
    } else {
      columns(x.f32() + g * N * C, n, C, y.f32() + g * C);
    }
  }
  return y;
}

Tensor row_maximum(const Tensor& x, std::int64_t n) {
  const std::int64_t C = x.dim(-1);
  Shape shape = x.shape();
  shape.set(-1, 1);
  n = std::min(n, C);
  Tensor y = Tensor::zeros(shape);
  for (std::int64_t i = 0; n > 0 && i < y.numel(); ++i) {
    y.f32()[i] =
        x.dtype() == DType::bf16 ? largest(x.bf16() + i * C, n) : largest(x.f32() + i * C, n);
  }
  return y;
}

}  // namespace lra::engine
