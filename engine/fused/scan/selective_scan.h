#pragma once
// Selective state spaces: step size, input and read-out vectors are functions of the token.

#include "engine/tape/tape.h"

namespace lra::engine {

struct SelectiveScanOptions {
  std::int64_t length = 0;  // n: the rows that enter
  bool reverse = false;     // from row n-1 to row 0
  bool exclusive = false;   // y_t is read after the decay and before token t enters the state
};

// With S states for each of I features, h = 0 at the start (Gu, Dao 2023, arXiv 2312.00752, "S6"):
//   h_t = e^(dt_t A) h_(t-1) + dt_t x_t B_t,   y_t = C_t . h_t,
// exclusive: y_t = C_t . e^(dt_t A) h_(t-1). x [N, I], B and C [N, S] of one type, dt [N, I] and
// A [I, S] in f32, dt A at most 0 -> [N, I] of x's type; states and sums in f32. Rows from n on are
// 0. Throws Error(shape). Time O(n I S).
//
// A hand-written loop over time, 16 features side by side, with the states and the data of a chunk
// of time in the cache; the factors e^(dt A), [n, I, S] in size, are never stored. While a tape
// records, the states at the beginnings of the chunks are kept; the backward recomputes the others
// from them, chunk by chunk. With g_t = e^(dt_(t+1) A) P_(t+1), P_t = C_t dy_t + g_t (the
// derivative by the decayed state p_t = e^(dt_t A) h_(t-1)) and H_t = P_t (exclusive: g_t):
//   dC_t = sum_i dy_t h_t (exclusive: p_t),   dB_t = sum_i H_t dt_t x_t,   dA = sum_t dt_t P_t p_t,
//   d(dt_t x_t) = sum_s H_t B_t,   d(dt_t A) = P_t p_t.
[[nodiscard]] Value selective_scan(const Value& x, const Value& dt, const Value& A, const Value& B,
                                   const Value& C, const SelectiveScanOptions& options);

}  // namespace lra::engine
