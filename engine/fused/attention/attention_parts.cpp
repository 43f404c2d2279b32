#include "engine/fused/attention/attention_parts.h"

#include <algorithm>

#include "engine/compute/primitives/primitives.h"
#include "engine/ops/internal.h"

namespace lra::engine::ops {
namespace {

std::int64_t widened(std::int64_t columns, DType type) {
  constexpr std::int64_t kTile = 32;
  return type == DType::bf16 ? (columns + 2 + kTile - 1) / kTile * kTile : columns + 1;
}

}  // namespace

Tensor widen(const Tensor& x, const Tensor& column) {
  const std::int64_t C = x.dim(-1);
  Shape shape = x.shape();
  shape.set(-1, widened(C, x.dtype()));
  Tensor wide = Tensor::zeros(shape, x.dtype());
  for (std::int64_t i = 0; i < x.shape().outer(-1); ++i) {
    const float value = column.defined() ? column.f32()[i] : 1.0F;
    if (x.dtype() == DType::bf16) {
      BFloat16* row = wide.bf16() + i * shape[-1];
      std::copy_n(x.bf16() + i * C, C, row);
      row[C] = to_bfloat16(value);
      row[C + 1] = column.defined() ? to_bfloat16(value - to_float(row[C])) : row[C];
    } else {
      float* row = wide.f32() + i * shape[-1];
      std::copy_n(x.f32() + i * C, C, row);
      row[C] = value;
    }
  }
  return wide;
}

Tensor head_of(const Tensor& x, std::int64_t h) {
  return x.slice(h, 1).reshaped({x.dim(1), x.dim(2)});
}

Tensor scaled(const Tensor& x, float scale) {
  if (scale == 1.0F) return x;
  Tensor y(x.shape(), x.dtype());
  primitives::unary(primitives::Unary::linear, x, y, scale, 0.0F);
  return y;
}

void deliver(const Gradient& gradient, const Tensor& sum, float scale) {
  if (gradient) gradient->add(cast(scaled(sum, scale), gradient->dtype()));
}

}  // namespace lra::engine::ops
