#pragma once
// Normalisation and softmax.

#include "engine/tape/tape.h"

namespace lra::engine {

// (x - mean) / sqrt(var + eps) gamma + beta over the last axis, biased variance.
// x [..., C], gamma and beta [C] in f32.
[[nodiscard]] Value layer_norm(const Value& x, const Value& gamma, const Value& beta, float eps);

// Softmax over the last axis; f32 inside.
[[nodiscard]] Value softmax(const Value& x);
[[nodiscard]] Value log_softmax(const Value& x);
// Softmax over the entries of the last axis permitted by `allow` (0 or 1, broadcast to x); other
// entries and rows without a permitted entry are exactly 0.
[[nodiscard]] Value masked_softmax(const Value& x, const Tensor& allow);

}  // namespace lra::engine
