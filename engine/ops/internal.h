#pragma once
// Helpers shared by the operations. Not installed.

#include "engine/compute/primitives/primitives.h"
#include "engine/tape/tape.h"

namespace lra::engine::ops {

// A constant tensor of ones [n], kept by the thread.
[[nodiscard]] Tensor ones(std::int64_t n, DType dtype);

using primitives::cast;

// Sums t over the axes in which `shape` (of equal rank) is 1; result in `dtype`, scaled.
[[nodiscard]] Tensor sum_to(const Tensor& t, const Shape& shape, DType dtype, float scale = 1.0F);

// For a rule that adds to a gradient piece by piece, in f32: the partial gradient itself if it is
// f32; else zeros, which the rule must then add(); undefined for null.
[[nodiscard]] Tensor f32_sum(const Gradient& gradient);

// Adds the sums over the rows of dy [R, C] into the gradient of a value [C].
void add_column_sums(const Gradient& gradient, const Tensor& dy);

// Adds dy, whose size along an axis is 1, to the gradient of a value that is longer along this
// axis.
void add_repeated(const Gradient& gradient, const Tensor& dy, int axis);

// A tensor for a rule's result: dy if it is not shared, else a new tensor like it.
[[nodiscard]] Tensor reuse(const Tensor& dy);
// A tensor for a rule's contribution to the gradient of a value of dy's shape: its slice of the
// gradient of the tensor that the value is a slice of, else as above.
[[nodiscard]] Tensor reuse(const Tensor& dy, const Gradient& gradient);

// True where the hand-written loops for activations, norms and divisions are faster than oneDNN's
// primitives: in f32 where there is no AVX-512 (see kernels.h). With AVX-512 or bf16 the primitives
// are used, and tests compare the loops with them.
[[nodiscard]] bool own_loops(DType dtype);

// The shape of `shape` with ones in front up to `rank`.
[[nodiscard]] Shape with_rank(const Shape& shape, int rank);

// Adds a b (views, with transpositions applied) into a gradient; broadcast batch axes are summed.
void add_product(const Gradient& gradient, const primitives::View& a, const primitives::View& b);

}  // namespace lra::engine::ops
