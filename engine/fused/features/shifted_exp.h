#pragma once
// Exponentials of rows of logits relative to their largest: the first half of a softmax, for sums
// combined from parts.

#include <span>

#include "engine/tape/tape.h"

namespace lra::engine {

struct ShiftedExp {
  Value y;         // [G, R, C] of the type asked for
  Tensor largest;  // [G, R, 1] f32, no gradient; kNoEntry for a row without entries
};
inline constexpr float kNoEntry = -1e30F;

// y = e^(s - max of the row) over the first counts[g] entries of each row of s [G, R, C] (f32), 0
// beyond them. A hand-written loop: the maximum, the difference, the exponential and the type
// conversion in one pass over the row. Throws Error(shape).
[[nodiscard]] ShiftedExp shifted_exp(const Value& s, std::span<const std::int64_t> counts,
                                     DType dtype);

}  // namespace lra::engine
