#pragma once
// What the operations share. Not installed.

#include "engine/primitives.h"
#include "engine/tape.h"

namespace lra::engine::ops {

// A constant tensor of ones [n], kept by the thread.
[[nodiscard]] Tensor ones(std::int64_t n, DType dtype);

// t in another type; t itself if it has it.
[[nodiscard]] Tensor cast(const Tensor& t, DType dtype);

// Sums t over the axes in which `shape` (of equal rank) is 1; result in `dtype`, scaled.
[[nodiscard]] Tensor sum_to(const Tensor& t, const Shape& shape, DType dtype, float scale = 1.0F);

// dy if nobody else refers to it, else a new tensor like it: where a rule may write its result.
[[nodiscard]] Tensor reuse(const Tensor& dy);

// The shape of `shape` with ones in front up to `rank`.
[[nodiscard]] Shape with_rank(const Shape& shape, int rank);

// Adds a b (views, with transpositions applied) into a gradient; broadcast batch axes are summed.
void add_product(const Gradient& gradient, const primitives::View& a, const primitives::View& b);

}  // namespace lra::engine::ops
