#pragma once
// Exponentials of products, in the form used by random features and Gaussian kernels.

#include "engine/tape/tape.h"

namespace lra::engine {

// y_ij = exp(min(a_i . b_j - r_i - c_j, 0)) + offset. a [B, n, D], b [B, m, D], r [B, n, 1] and
// c [B, m, 1] in f32 (undefined: 0) -> [B, n, m] of a's type. A batch axis of 1 is broadcast in a
// (with r) or b (with c). For exponents that are at most 0 up to rounding: the clamp does not
// affect the gradient, the slope at 0 is 1.
//
// r and c enter the product as further columns (in bf16 as three, whose sum has f32's precision),
// since oneDNN's fast kernels subtract rows but not columns. The exponential is the product's last
// pass; the backward works on a few rows at a time, which stay in the core's cache:
//   dS = dy o (y - offset),  [da, -dr] = dS [b, 1],  [db, -dc] = dS^T [a, 1].
[[nodiscard]] Value exp_product(const Value& a, const Value& b, const Value& r, const Value& c,
                                float offset = 0);

// max_j a_i . b_j, [B, n, 1] in f32, for a [B, n, D], b [B or 1, m, D]. No gradient: a stabiliser.
[[nodiscard]] Tensor largest_product(const Tensor& a, const Tensor& b);

}  // namespace lra::engine
