#pragma once
// Functions of a token's position.

#include "attention/definition/plain.h"
#include "engine/tensor/tensor.h"

namespace lra::attention {

struct Angles {
  engine::Tensor sin, cos;  // [rows] f32
};

// sin and cos of pi/2 i/M for positions i = 1..length, computed in double, and 0 for the rows of
// padding from `length` on. The last tables are kept by the thread: all layers of a sequence use
// the same.
[[nodiscard]] Angles angles(std::int64_t rows, std::int64_t length, double M);

// q_i . k_j in double with the features (2m, 2m + 1) of token t turned by t base^(-2m/D).
[[nodiscard]] double rotary_dot(const Plain& q, const Plain& k, std::int64_t h, std::int64_t i,
                                std::int64_t j, double base);

}  // namespace lra::attention
