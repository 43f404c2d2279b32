#pragma once
// Element-wise functions with derivatives. All keep shape and type.

#include "engine/tape/tape.h"

namespace lra::engine {

[[nodiscard]] Value relu(const Value& x);
[[nodiscard]] Value leaky_relu(const Value& x, float slope);
[[nodiscard]] Value elu(const Value& x, float alpha = 1.0F);
// elu(x) + 1: x + 1 for x > 0, e^x otherwise; derivative 1 at 0 (Katharopoulos et al. 2020, eq. 7).
[[nodiscard]] Value elu_plus_one(const Value& x);
[[nodiscard]] Value gelu_erf(const Value& x);
[[nodiscard]] Value gelu_tanh(const Value& x);
[[nodiscard]] Value exp(const Value& x);
[[nodiscard]] Value log(const Value& x);
[[nodiscard]] Value sqrt(const Value& x);
[[nodiscard]] Value abs(const Value& x);
[[nodiscard]] Value square(const Value& x);
[[nodiscard]] Value sigmoid(const Value& x);
[[nodiscard]] Value tanh(const Value& x);
[[nodiscard]] Value softplus(const Value& x);
[[nodiscard]] Value silu(const Value& x);
[[nodiscard]] Value sin(const Value& x);
[[nodiscard]] Value cos(const Value& x);
// x^p; for x < 0 only whole p.
[[nodiscard]] Value pow(const Value& x, float p);
// alpha x + beta.
[[nodiscard]] Value affine(const Value& x, float alpha, float beta);
// max(x, low), min(x, high): no gradient outside.
[[nodiscard]] Value clamp_min(const Value& x, float low);
[[nodiscard]] Value clamp_max(const Value& x, float high);
[[nodiscard]] Value clamp(const Value& x, float low, float high);
// The same values in another type.
[[nodiscard]] Value cast(const Value& x, DType dtype);
// 1 where x >= 0, 0 elsewhere; no gradient.
[[nodiscard]] Value step(const Value& x);
// The same values, without a gradient.
[[nodiscard]] Value stop_gradient(const Value& x);

}  // namespace lra::engine
