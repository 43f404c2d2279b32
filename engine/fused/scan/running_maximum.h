#pragma once
// The scale of sums whose terms are exponentials that decay along the tokens.

#include "engine/tape/tape.h"

namespace lra::engine {

// m_t = max(g_t + m_(t-1), x_t) over the first n columns, m_0 = x_0; `reverse`: from the last to
// the first with m_(t+1). So m_i = max_(j <= i) (x_j + g_(j+1) + .. + g_i), the stabiliser of xLSTM
// (Beck et al. 2024, arXiv 2405.04517), without sums that grow with the length. g and x [H, N] in
// f32 -> [H, N]; columns from n on are 0. The gradient goes to x where x is larger, else to both
// terms of the sum. Throws Error(shape).
[[nodiscard]] Value running_maximum(const Value& g, const Value& x, std::int64_t n, bool reverse);

}  // namespace lra::engine
