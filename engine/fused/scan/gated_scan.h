#pragma once
// Gated linear attention: a state with a decay per feature.

#include "engine/tape/tape.h"

namespace lra::engine {

// S_t = diag(e^{g_t}) S_(t-1) + k_t v_t^T,  o_t = S_t^T q_t over the first n rows; `reverse`: from
// the last row to the first with S_t = diag(e^{g_t}) S_(t+1), to which k_t v_t^T is added only
// after o_t, so that the sum of both directions counts t once. q, k [H, N, D], v [H, N, Dv] of one
// type, g [H, N, D] in f32, at most 0 -> [H, N, Dv] of v's type. States and sums in f32. Rows from
// n on are 0. Throws Error(shape).
//
// A hand-written loop over time with the D x Dv state in the first-level cache: exact for any
// gates, whereas the products of cumulative gates in a chunked form overflow. The backward keeps no
// state. With
//   G_t = q_t do_t^T + diag(e^{g_(t+1)}) G_(t+1), the same recurrence in the opposite direction,
//   dq_t = S_t do_t,  dk_t = G_t v_t,  dv_t = G_t^T k_t,
//   dg_t = sum_(i >= t) (q_i dq_i - k_i dk_i):
// three scans, each over a state stored along the axis that it is read for, and a sum, because
// gates enter only as e^{sum of g} between a key and a query.
[[nodiscard]] Value gated_scan(const Value& q, const Value& k, const Value& v, const Value& g,
                               std::int64_t n, bool reverse);

}  // namespace lra::engine
