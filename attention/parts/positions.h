#pragma once
// Functions of a token's position.

#include "engine/tensor/tensor.h"

namespace lra::attention {

struct Angles {
  engine::Tensor sin, cos;  // [rows] f32
};

// sin and cos of pi/2 i/M for positions i = 1..length, computed in double, and 0 for the rows of
// padding from `length` on. The last tables are kept by the thread: all layers of a sequence use
// the same.
[[nodiscard]] Angles angles(std::int64_t rows, std::int64_t length, double M);

}  // namespace lra::attention
