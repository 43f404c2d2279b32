#pragma once
// Consecutive blocks of a sequence, laid out from its first token.

#include <cstdint>

#include "engine/tape/tape.h"

namespace lra::attention {

// x [H, N, D] -> [H ceil(N/c), c, D], rows from n on zero.
[[nodiscard]] engine::Value cut_blocks(const engine::Value& x, std::int64_t n, std::int64_t c);
// The inverse: [H C, c, D] -> [H, N, D] with N <= C c.
[[nodiscard]] engine::Value join_blocks(const engine::Value& x, std::int64_t heads, std::int64_t N);
// 0/1 for the weights of tokens on those of their own block, [1, C c, c]: the key is one of the n
// real ones and, if causal, not behind the query. Undefined if everything is admissible.
[[nodiscard]] engine::Tensor block_admissible(std::int64_t N, std::int64_t n, std::int64_t c,
                                              bool causal);

}  // namespace lra::attention
