#pragma once
// Attention by lists of keys: helpers shared by the variants that use block_attention.

#include <cstdint>
#include <vector>

#include "attention/attention.h"

namespace lra::attention {

// Softmax attention of the given query rows, in ascending order, over the m first keys (causal:
// those at or before the row); all other rows of the result [H, N, Dv] are 0.
[[nodiscard]] Value attend_rows(const Value& q, const Value& k, const Value& v,
                                const std::vector<std::int32_t>& rows, std::int64_t m, bool causal,
                                const engine::BlockAttentionOptions& options);

// Softmax attention over a union of disjoint lists, combined from the attentions over each list and
// their normalisers: sum_r softmax_r(lse_r) o_r. [H, N, Dv].
[[nodiscard]] Value merge(const std::vector<engine::BlockAttention>& parts);

// The options of block_attention for heads of width D: scale D^-1/2 and this call's dropout.
[[nodiscard]] engine::BlockAttentionOptions scaled_by_width(const Value& q, const Context& c);

}  // namespace lra::attention
