#pragma once
// Features of the second-order Taylor expansion of the exponential.

#include "engine/tape/tape.h"

namespace lra::engine {

// f(x) with f(q) . f(k) = 1 + s + s^2 / 2 for s = scale q . k, scale > 0: 1, sqrt(scale) x and the
// products x_a x_b, of which each unordered pair is kept once. x [..., D] -> [..., M], of x's type,
// M = taylor_feature_count(D), the last ones 0 so that M is a multiple of 16.
// A hand-written loop (oneDNN has no outer product of rows), with the pairs ordered by their
// distance (b - a) mod D, so that every inner loop has length D.
[[nodiscard]] Value taylor_features(const Value& x, float scale);
[[nodiscard]] std::int64_t taylor_feature_count(std::int64_t D);

}  // namespace lra::engine
