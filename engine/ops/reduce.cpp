#include "engine/ops/reduce.h"

#include <algorithm>
#include <utility>

#include "engine/compute/kernels/kernels.h"
#include "engine/ops/internal.h"
#include "engine/ops/shape.h"

namespace lra::engine {
namespace {

Value scaled_sum(const Value& x, int axis, DType dtype, float scale) {
  Shape shape = x.shape();
  shape.set(axis, 1);
  return Tape::record(
      ops::sum_to(x.tensor(), shape, dtype, scale), {&x},
      [wide = x.shape(), at = x.shape().axis(axis), scale, gx = x.gradient()](const Tensor& given) {
        Tensor dy = ops::cast(given, gx->dtype());
        if (scale != 1.0F) {
          const Tensor scaled(dy.shape(), dy.dtype());
          primitives::unary(primitives::Unary::linear, dy, scaled, scale, 0);
          dy = scaled;
        }
        ops::add_repeated(gx, dy, at);
      });
}

void check_not_empty(const char* what, const Value& x, int axis) {
  if (x.dim(axis) == 0)
    fail(ErrorKind::shape, "{}: axis {} of {} is empty", what, axis, x.shape().text());
}

// Largest entry of the middle axis of x [outer, n, inner] and its position.
template <class T>
void max_middle(const T* x, std::int64_t outer, std::int64_t n, std::int64_t inner, T* y,
                std::int32_t* where) {
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t c = 0; c < inner; ++c) {
      std::int64_t best = 0;
      for (std::int64_t i = 1; i < n; ++i) {
        const T* column = x + o * n * inner + c;
        if (to_float(column[i * inner]) > to_float(column[best * inner])) best = i;
      }
      y[o * inner + c] = x[(o * n + best) * inner + c];
      where[o * inner + c] = static_cast<std::int32_t>(best);
    }
  }
}

}  // namespace

Value sum(const Value& x, int axis) { return scaled_sum(x, axis, x.dtype(), 1.0F); }
Value sum_f32(const Value& x, int axis) { return scaled_sum(x, axis, DType::f32, 1.0F); }
Value mean(const Value& x, int axis) {
  check_not_empty("mean", x, axis);
  return scaled_sum(x, axis, x.dtype(), 1.0F / static_cast<float>(x.dim(axis)));
}

// A hand-written loop: the backward needs the position of the maximum, which oneDNN's reduction
// lacks.
Value max(const Value& x, int axis) {
  check_not_empty("max", x, axis);
  Shape shape = x.shape();
  const std::int64_t n = shape[axis];
  const std::int64_t outer = shape.outer(axis);
  const std::int64_t inner = shape.inner(axis);
  shape.set(axis, 1);
  Tensor y(shape, x.dtype());
  const Tensor where(shape, DType::i32);
  if (x.dtype() == DType::bf16) {
    max_middle(x.tensor().bf16(), outer, n, inner, y.bf16(), where.i32());
  } else {
    max_middle(x.tensor().f32(), outer, n, inner, y.f32(), where.i32());
  }
  return Tape::record(std::move(y), {&x},
                      [=, wide = x.shape(), gx = x.gradient()](const Tensor& dy) {
                        Tensor dx = Tensor::zeros(wide, dy.dtype());
                        const std::size_t size = size_of(dy.dtype());
                        for (std::int64_t o = 0; o < outer; ++o) {
                          for (std::int64_t c = 0; c < inner; ++c) {
                            const std::int64_t from = o * inner + c;
                            const std::int64_t to = (o * n + where.i32()[from]) * inner + c;
                            std::copy_n(dy.raw() + static_cast<std::size_t>(from) * size, size,
                                        dx.raw() + static_cast<std::size_t>(to) * size);
                          }
                        }
                        gx->add(std::move(dx));
                      });
}

Value cumulative_sum(const Value& x, int axis, bool reverse) {
  const std::int64_t n = x.dim(axis);
  const std::int64_t outer = x.shape().outer(axis);
  const std::int64_t inner = x.shape().inner(axis);
  Tensor y(x.shape(), x.dtype());
  kernels::cumulative_sum(x.tensor(), outer, n, inner, reverse, y);
  return Tape::record(std::move(y), {&x}, [=, gx = x.gradient()](const Tensor& dy) {
    Tensor dx(dy.shape(), dy.dtype());
    kernels::cumulative_sum(dy, outer, n, inner, !reverse, dx);
    gx->add(std::move(dx));
  });
}

}  // namespace lra::engine
