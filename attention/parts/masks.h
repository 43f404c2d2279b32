#pragma once
// Masks of the keys that a query may see, as 0/1 tensors.

#include <cstdint>

#include "engine/tensor/tensor.h"

namespace lra::attention {

// [1, N, M]: 1 where key j < m is real and, if causal, j <= i.
[[nodiscard]] engine::Tensor admissible(std::int64_t N, std::int64_t M, std::int64_t m,
                                        bool causal);

}  // namespace lra::attention
