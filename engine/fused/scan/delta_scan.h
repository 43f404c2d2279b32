#pragma once
// Delta rules: linear attention whose state is corrected at a key instead of added to.

#include "engine/tape/tape.h"

namespace lra::engine {

// The gated delta rule over the first n rows (Yang, Kautz, Hatamizadeh 2024, arXiv 2412.06464):
//   S'_t = diag(e^{g_t}) S_(t-1),  S_t = S'_t + k_t (beta_t (v_t - S'_t^T k_t))^T,  o_t = S_t^T
//   q_t;
// `reverse`: from the last row to the first. q, k [H, N, D], v [H, N, Dv] of one type; g [H, N, D]
// or, one gate for all features, [H, N, 1], in f32 and at most 0, or undefined for none; beta
// [H, N, 1] in f32 -> [H, N, Dv] of v's type. States and sums in f32. Rows from n on are 0. Throws
// Error(shape).
//
// Chunks of 16 rows that are in the first-level cache with the state (the UT transform of Yang,
// Wang, Zhang, Shen, Kim 2024, arXiv 2406.06484). With G_i the sum of g over the rows of the chunk
// up to i and S the state before it, forward substitution gives
//   u_i = beta_i (v_i - S^T e^{G_i} k_i - sum_(j<i) (k_i . e^{G_i - G_j} k_j) u_j),
//   o_i = S^T e^{G_i} q_i + sum_(j<=i) (q_i . e^{G_i - G_j} k_j) u_j,
//   S <- diag(e^{G_16}) S + sum_j e^{G_16 - G_j} k_j u_j^T.
// No exponent is above 0, so that any gates are exact: products of gates between two rows are
// accumulated step by step or, for a gate shared by all features, computed once per pair. Per row
// and head 3 D Dv multiply-adds forwards and 11 backwards, and some tens of D + Dv. The backward
// keeps the state before every fourth chunk, [H, N / 64, D, Dv] in f32, and computes those between
// again. dg_t is the sum over the rows from t on of q dq + k dk_read - k dk_written, as in
// gated_scan.
[[nodiscard]] Value delta_scan(const Value& q, const Value& k, const Value& v, const Value& g,
                               const Value& beta, std::int64_t n, bool reverse);

// The generalised delta rule of RWKV-7 (Peng et al. 2025, arXiv 2503.14456), which reads, erases
// and writes with separate keys:
//   S'_t = diag(e^{g_t}) S_(t-1),  S_t = S'_t - erase_t (S'_t^T read_t)^T + k_t v_t^T,
//   o_t = S_t^T q_t.
// read, erase [H, N, D] of q's type, the others as above.
[[nodiscard]] Value generalised_delta_scan(const Value& q, const Value& k, const Value& v,
                                           const Value& g, const Value& read, const Value& erase,
                                           std::int64_t n, bool reverse);

}  // namespace lra::engine
