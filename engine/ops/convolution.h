#pragma once
// Convolution along the tokens.

#include "engine/tape/tape.h"

namespace lra::engine {

// y_i = sum_t w_t x_{i + t - [K/2]} for every feature, zeros outside: a depthwise convolution with
// one kernel per head. x [H, N, D], w [H, K] in f32 -> [H, N, D]; sums in f32.
[[nodiscard]] Value convolve_tokens(const Value& x, const Value& w);

// y_i = sum_t w_t x_{i + t - before} with a kernel for each feature, over the first n rows of x [G,
// N, C]; values outside count as 0, rows from n on are 0. w [G or 1, T, C], the taps in
// rows -> [G, N, C] of x's type; sums in f32. Throws Error(shape).
[[nodiscard]] Value convolve_features(const Value& x, const Value& w, std::int64_t n,
                                      std::int64_t before);

}  // namespace lra::engine
