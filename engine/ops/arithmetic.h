#pragma once
// Arithmetic with broadcasting: axes are aligned at the end; an axis of size 1 or a missing one is
// repeated. The result has the type of the operand that is not broadcast (the first one if neither
// is); gradients of a broadcast operand are summed over its repeated axes.

#include "engine/tape/tape.h"

namespace lra::engine {

[[nodiscard]] Value operator+(const Value& a, const Value& b);
[[nodiscard]] Value operator-(const Value& a, const Value& b);
[[nodiscard]] Value operator*(const Value& a, const Value& b);
[[nodiscard]] Value operator/(const Value& a, const Value& b);
[[nodiscard]] Value operator+(const Value& a, float b);
[[nodiscard]] Value operator-(const Value& a, float b);
[[nodiscard]] Value operator*(const Value& a, float b);
[[nodiscard]] Value operator/(const Value& a, float b);
[[nodiscard]] Value operator-(float a, const Value& b);
[[nodiscard]] Value operator-(const Value& a);
// Element-wise maximum; the gradient goes to the larger operand (to a where equal).
[[nodiscard]] Value maximum(const Value& a, const Value& b);

}  // namespace lra::engine
