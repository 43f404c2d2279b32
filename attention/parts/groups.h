#pragma once
// Groups of neighbouring tokens, twice as large from one level to the next.

#include <cstdint>

#include "engine/tape/tape.h"

namespace lra::attention {

// [H, G, C] -> [H, G/2, C]: sums of neighbours, as a product with stacked identities.
[[nodiscard]] engine::Value coarsen(const engine::Value& x);
// [H, G, C] -> [H, 2G, C]: each row twice.
[[nodiscard]] engine::Value refine(const engine::Value& x);

// Number of real tokens (of n) among the `size` tokens of group g.
[[nodiscard]] std::int64_t group_count(std::int64_t n, std::int64_t g, std::int64_t size);
// Means over the real tokens of groups of `size` from their sums [H, G, D]; 0 without any.
[[nodiscard]] engine::Value group_means(const engine::Value& sums, std::int64_t n,
                                        std::int64_t size);

}  // namespace lra::attention
