#pragma once
// Sums, means and maxima over one axis, which is kept with size 1.

#include "engine/tape/tape.h"

namespace lra::engine {

[[nodiscard]] Value sum(const Value& x, int axis);
// Throws Error(shape) if the axis is empty, as max does.
[[nodiscard]] Value mean(const Value& x, int axis);
// The same sum in f32, whatever x's type: for denominators.
[[nodiscard]] Value sum_f32(const Value& x, int axis);
// The gradient goes to the first largest entry.
[[nodiscard]] Value max(const Value& x, int axis);
// Inclusive running sum along an axis; `reverse` runs from the end.
[[nodiscard]] Value cumulative_sum(const Value& x, int axis, bool reverse = false);

}  // namespace lra::engine
