#pragma once
// Convolution along the tokens.

#include "engine/tape/tape.h"

namespace lra::engine {

// y_i = sum_t w_t x_{i + t - [K/2]} for every feature, zeros outside: a depthwise convolution with
// one kernel a head. x [H, N, D], w [H, K] in f32 -> [H, N, D]; sums in f32.
[[nodiscard]] Value convolve_tokens(const Value& x, const Value& w);

}  // namespace lra::engine
