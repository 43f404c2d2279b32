#pragma once
// Summaries of consecutive tokens.

#include "attention/attention.h"

namespace lra::attention {

// Sums of consecutive groups of `size` rows of x [H, N, D], of which the first n rows count, in
// f32: [H, groups, D].
[[nodiscard]] Value group_sums(const Value& x, std::int64_t n, std::int64_t size,
                               std::int64_t groups);

}  // namespace lra::attention
