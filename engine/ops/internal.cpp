#include "engine/ops/internal.h"

#include <array>

#include "engine/compute/kernels/kernels.h"
#include "engine/runtime.h"
#include "engine/tensor/memory.h"

namespace lra::engine::ops {

using primitives::View;
using primitives::view;

Tensor ones(std::int64_t n, DType dtype) {
  thread_local std::array<Tensor, 2> kept;
  Tensor& t = kept[dtype == DType::bf16 ? 1 : 0];
  if (!t.defined() || t.numel() < n) {
    const MemoryScope uncounted(nullptr);  // outlives the first run
    t = Tensor::full({n}, 1.0F, dtype);
  }
  return t.slice(0, n);
}

namespace {

constexpr std::int64_t kColumns = 16;  // fewer are summed faster by a product with ones

// Sums the middle axis of t [outer, n, inner]; oneDNN 2.6's reduction over an axis that is not the
// last is a reference kernel.
Tensor sum_middle(const Tensor& t, std::int64_t outer, std::int64_t n, std::int64_t inner,
                  DType dtype, float scale) {
  std::array<primitives::PostOp, 1> scaled{primitives::apply(primitives::Unary::linear, scale, 0)};
  const std::span<const primitives::PostOp> post_ops(scaled.data(), scale == 1.0F ? 0 : 1);
  if (inner == 1) {
    Tensor result({outer, 1}, dtype);
    primitives::matmul(view(t, Shape{outer, n}), view(ones(n, t.dtype()), Shape{n, 1}),
                       view(result), post_ops);
    return result;
  }
  if (inner >= kColumns) {
    Tensor result({outer, 1, inner}, DType::f32);
    for (std::int64_t o = 0; o < outer; ++o) {
      kernels::column_sums(t.reshaped({outer, n, inner}).slice(o, 1), false,
                           result.f32() + o * inner);
    }
    if (scale != 1.0F) primitives::unary(primitives::Unary::linear, result, result, scale, 0);
    return cast(result, dtype);
  }
  Tensor result({outer, 1, inner}, dtype);
  primitives::matmul(view(ones(n, t.dtype()), Shape{1, 1, n}), view(t, Shape{outer, n, inner}),
                     view(result), post_ops);
  return result;
}

}  // namespace

Tensor sum_to(const Tensor& t, const Shape& shape, DType dtype, float scale) {
  if (t.numel() == 0) return Tensor::zeros(shape, dtype);
  Tensor result = t;
  for (int axis = 0; axis < shape.rank();) {
    if (shape[axis] != 1 || result.dim(axis) == 1) {
      ++axis;
      continue;
    }
    int end = axis;
    std::int64_t n = 1;
    while (end < shape.rank() && shape[end] == 1) n *= result.dim(end++);
    const std::int64_t outer = result.shape().outer(axis);
    const std::int64_t inner = result.numel() / (outer * n);
    Shape next = result.shape();
    for (int i = axis; i < end; ++i) next.set(i, 1);
    // No primitive sums f32 into bf16: the last line rounds.
    const DType type = result.dtype() == DType::f32 ? DType::f32 : dtype;
    result = sum_middle(result, outer, n, inner, type, scale).reshaped(next);
    scale = 1.0F;
    axis = end;
  }
  result = cast(result, dtype);
  if (scale != 1.0F) {
    Tensor scaled(result.shape(), dtype);
    primitives::unary(primitives::Unary::linear, result, scaled, scale, 0);
    return scaled;
  }
  return result;
}

Tensor f32_sum(const Gradient& gradient) {
  if (!gradient) return {};
  if (gradient->dtype() != DType::f32) return Tensor::zeros(gradient->shape());
  const GradNode::Target target = gradient->target();
  if (!target.accumulate) target.tensor.zero();
  return target.tensor;
}

void add_column_sums(const Gradient& gradient, const Tensor& dy) {
  if (gradient->dtype() == DType::f32) {
    const GradNode::Target target = gradient->target();
    kernels::column_sums(dy, target.accumulate, target.tensor.f32());
    return;
  }
  const Tensor sums(gradient->shape(), DType::f32);
  kernels::column_sums(dy, false, sums.f32());
  gradient->add(cast(sums, gradient->dtype()));
}

// Computed as the product of a column of ones with dy: half the time of a broadcast addition.
void add_repeated(const Gradient& gradient, const Tensor& dy, int axis) {
  const Shape& wide = gradient->shape();
  const std::int64_t n = wide[axis];
  const std::int64_t outer = wide.outer(axis);
  const std::int64_t inner = wide.inner(axis);
  if (wide.numel() == 0) return;
  const GradNode::Target target = gradient->target();
  const std::array<primitives::PostOp, 1> add{primitives::accumulate()};
  const std::span<const primitives::PostOp> post_ops(add.data(), target.accumulate ? 1 : 0);
  if (inner == 1) {
    primitives::matmul(view(dy, Shape{outer, 1}), view(ones(n, dy.dtype()), Shape{1, n}),
                       view(target.tensor, Shape{outer, n}), post_ops);
  } else {
    primitives::matmul(view(ones(n, dy.dtype()), Shape{1, n, 1}), view(dy, Shape{outer, 1, inner}),
                       view(target.tensor, Shape{outer, n, inner}), post_ops);
  }
}

Tensor reuse(const Tensor& dy) { return dy.unique() ? dy : Tensor(dy.shape(), dy.dtype()); }

Tensor reuse(const Tensor& dy, const Gradient& gradient) {
  Tensor place = dy.dtype() == gradient->dtype() ? gradient->place() : Tensor();
  return place.defined() ? place : reuse(dy);
}

bool own_loops(DType dtype) { return dtype == DType::f32 && !machine().avx512; }

Shape with_rank(const Shape& shape, int rank) {
  std::array<std::int64_t, Shape::kMaxRank> dims{};
  const int missing = rank - shape.rank();
  for (int i = 0; i < rank; ++i)
    dims[static_cast<std::size_t>(i)] = i < missing ? 1 : shape[i - missing];
  return Shape(std::span<const std::int64_t>(dims.data(), static_cast<std::size_t>(rank)));
}

void add_product(const Gradient& gradient, const View& a, const View& b) {
  const Shape& shape = gradient->shape();
  Shape full = shape;
  const int batch_axes = shape.rank() - 2;
  for (int i = 0; i < batch_axes; ++i) {
    const auto u = static_cast<std::size_t>(i);
    full.set(i, std::max(a.dims[u], b.dims[u]));
  }
  if (full != shape) {
    Tensor wide(full, gradient->dtype());
    primitives::matmul(a, b, view(wide));
    gradient->add(sum_to(wide, shape, gradient->dtype()));
    return;
  }
  const GradNode::Target target = gradient->target();
  const std::array<primitives::PostOp, 1> add{primitives::accumulate()};
  primitives::matmul(a, b, view(target.tensor),
                     std::span<const primitives::PostOp>(add.data(), target.accumulate ? 1 : 0));
}

}  // namespace lra::engine::ops
