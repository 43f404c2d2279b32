#pragma once
// Functions of a token's position.

#include "engine/tape.h"

namespace lra::attention {

struct Angles {
  engine::Value sin, cos;  // [1, N, D], equal along D so that products with heads are dense
};

// sin and cos of pi/2 i/M for positions i = 1..N, computed in double, stored in `dtype`. `like` is
// the shape [H, N, D] of what they multiply. The last tables are kept by the thread: all layers of
// a sequence use the same.
[[nodiscard]] Angles angles(const engine::Shape& like, double M, engine::DType dtype);

}  // namespace lra::attention
