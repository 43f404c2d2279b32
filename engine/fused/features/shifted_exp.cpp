#include "engine/fused/features/shifted_exp.h"

#include <algorithm>
#include <utility>

#include "engine/compute/fast_math.h"
#include "engine/compute/profile.h"
#include "engine/compute/simd.h"
#include "engine/ops/internal.h"

namespace lra::engine {
namespace {

LRA_SIMD float largest(const float* s, std::int64_t n) {
  float m = s[0];
#pragma omp simd reduction(max : m)
  for (std::int64_t j = 1; j < n; ++j) m = m > s[j] ? m : s[j];
  return m;
}
LRA_SIMD void exponentials(const float* s, float* y, std::int64_t n, float m) {
  for (std::int64_t j = 0; j < n; ++j) y[j] = fast::exp(s[j] - m);
}
LRA_SIMD void exponentials_bf16(const float* s, BFloat16* y, std::int64_t n, float m) {
  for (std::int64_t j = 0; j < n; ++j) y[j] = to_bfloat16(fast::exp(s[j] - m));
}

}  // namespace

ShiftedExp shifted_exp(const Value& s, std::span<const std::int64_t> counts, DType dtype) {
  if (s.rank() != 3 || s.dtype() != DType::f32 ||
      static_cast<std::int64_t>(counts.size()) != s.dim(0)) {
    fail(ErrorKind::shape, "shifted_exp: got s {} {} and {} counts, expected [G, R, C] f32 and G",
         s.shape().text(), dtype_name(s.dtype()), counts.size());
  }
  const profile::Scope scope("shifted exp");
  const std::int64_t R = s.dim(1);
  const std::int64_t C = s.dim(2);
  Tensor y = Tensor::zeros(s.shape(), dtype);
  Tensor maxima = Tensor::full({s.dim(0), R, 1}, kNoEntry);
  for (std::int64_t i = 0; i < s.dim(0) * R; ++i) {
    const std::int64_t n = std::clamp<std::int64_t>(counts[static_cast<std::size_t>(i / R)], 0, C);
    if (n == 0) continue;
    const float* row = s.tensor().f32() + i * C;
    const float m = largest(row, n);
    maxima.f32()[i] = m;
    if (dtype == DType::bf16) {
      exponentials_bf16(row, y.bf16() + i * C, n, m);
    } else {
      exponentials(row, y.f32() + i * C, n, m);
    }
  }
  const Value value = Tape::record(y, {&s}, [y, gs = s.gradient()](const Tensor& dy) {
    Tensor ds(y.shape(), y.dtype());
    primitives::binary(primitives::Binary::mul, y, dy, ds);
    gs->add(ops::cast(ds, DType::f32));
  });
  return {value, std::move(maxima)};
}

}  // namespace lra::engine
