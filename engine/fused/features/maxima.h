#pragma once
// Largest entries as constants: stabilisers of exponentials. They cancel exactly in the result, so
// they need no gradient (stop-gradient in the definitions).

#include "engine/tensor/tensor.h"

namespace lra::engine {

// Over the first n rows of x [..., N, C] -> [..., 1, C] in f32; n = 0 gives 0.
[[nodiscard]] Tensor column_maximum(const Tensor& x, std::int64_t n);
// Over the first n entries of the last axis of x [..., C] -> [..., 1] in f32; n = 0 gives 0.
[[nodiscard]] Tensor row_maximum(const Tensor& x, std::int64_t n);

}  // namespace lra::engine
