#pragma once
// Convolution along the tokens with kernels as long as the sequence.

#include "engine/tape/tape.h"

namespace lra::engine {

// y_i = sum_(j <= i) K_(i-j) x_j + sum_(j > i) K'_(j-i-1) x_j for every feature, over the first n
// rows. x [N, E]; `before` K [L, E] in f32, lags 0, 1, ..; `after` K' [L', E] in f32, lags -1, -2,
// .., or undefined: none. Lags without a row count as 0. Gives [N, E] of x's type; sums in f32.
// Rows from n on are 0. Throws Error(shape).
//
// By FFT over a power of two that holds n rows and all lags, 2 n at most: two real features form
// one complex one, and 16 of those are transformed side by side. dx is the product with the
// conjugate of the kernel's transform, dK the one with the conjugate of x's. Only the inputs are
// kept for the backward. Time O(n E log n).
[[nodiscard]] Value long_convolution(const Value& x, const Value& before, const Value& after,
                                     std::int64_t n);

}  // namespace lra::engine
