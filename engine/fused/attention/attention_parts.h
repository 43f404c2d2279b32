#pragma once
// Helpers shared by the tiled attentions. Not installed.

#include "engine/tape/tape.h"

namespace lra::engine::ops {

// Logits up to this magnitude need no shift: e^60 times any realistic length is far inside f32.
inline constexpr double kSafeLogit = 60.0;

// [x, column] in x's type, x [..., C] and a column of x's rows in f32 or, if undefined, of ones; to
// let a product also subtract or sum: [V, 1] [g, -d]^T = V g^T - d. A further column in a product
// costs less than a pass over its result. In bf16 d is the sum of two columns, and zeros fill the
// row up to the width of an AMX tile.
[[nodiscard]] Tensor widen(const Tensor& x, const Tensor& column = {});

// Head h of x [H, R, C] as a matrix [R, C] sharing its storage.
[[nodiscard]] Tensor head_of(const Tensor& x, std::int64_t h);

// x scale; x itself if scale = 1.
[[nodiscard]] Tensor scaled(const Tensor& x, float scale);

// Adds a scaled sum in f32 to the gradient in the value's type; does nothing for null.
void deliver(const Gradient& gradient, const Tensor& sum, float scale = 1.0F);

}  // namespace lra::engine::ops
