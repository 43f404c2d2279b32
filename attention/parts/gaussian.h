#pragma once
// Gaussian kernels between tokens.

#include "attention/definition/plain.h"
#include "engine/tape/tape.h"

namespace lra::attention {

// |x|^2 / 2 of each row of x [H, N, D]: [H, N, 1] in f32.
[[nodiscard]] engine::Value half_squares(const engine::Value& x);

// e^(-|a_i - b_j|^2 / 2) for a [H, n, D], b [H, m, D]: [H, n, m] of a's type.
[[nodiscard]] engine::Value gaussian_kernel(const engine::Value& a, const engine::Value& b);

// e^(-scale |a_i - b_j|^2 / 2).
[[nodiscard]] double gaussian_kernel(const Plain& a, const Plain& b, std::int64_t h, std::int64_t i,
                                     std::int64_t j, double scale);

}  // namespace lra::attention
