#pragma once
// Normalisation and softmax.

#include "engine/tape/tape.h"

namespace lra::engine {

// (x - mean) / sqrt(var + eps) gamma + beta over the last axis, biased variance.
// x [..., C], gamma and beta [C] in f32.
[[nodiscard]] Value layer_norm(const Value& x, const Value& gamma, const Value& beta, float eps);

// Over the last axis; f32 inside.
[[nodiscard]] Value softmax(const Value& x);
[[nodiscard]] Value log_softmax(const Value& x);
// Over the entries of the last axis that `allow` (0 or 1, broadcast to x) permits; the rest is
// exactly 0, and so is a row without any.
[[nodiscard]] Value masked_softmax(const Value& x, const Tensor& allow);

}  // namespace lra::engine
