#pragma once
// Exact attention whose weights are a function of each row of logits, with memory linear in the
// length: the weights are computed a few rows at a time and again in the backward.

#include <vector>

#include "engine/base/random.h"
#include "engine/fused/attention/row_weights.h"
#include "engine/tape/tape.h"

namespace lra::engine {

struct RowAttentionOptions {
  RowWeights weights = {};
  float scale = 1;  // of the products q.k
  float shift = 0;  // added to them
  // Real keys of each head; the rest of its k and v is padding with weight exactly 0. A single
  // number applies to all heads.
  std::vector<std::int64_t> keys = {};
  bool causal = false;  // key j is seen by query i only if j <= i
  double dropout = 0;   // on the weights
  RandomKey key = {};   // of the dropout
};

// o_i = sum_j w_j(s_i) v_j with s_ij = scale q_i . k_j + shift + bias_ij.
// q [H, N, D], k [H, M, D], v [H, M, Dv] -> [H, N, Dv]; logits and weights in f32, the products
// with v on weights of v's type. Rows without a key are 0. bias is one of
//   undefined;
//   [2 P - 1] in f32, P >= max(N, M), shared by the heads: (i, j) gets entry P - 1 + j - i;
//   [H, P, P'] with P' at least the number of real keys: (i, j) of head h gets entry (h, i, j), a
//   query i >= P (padding) gets none. Its gradient goes into the f32 sum of a parameter directly;
//   [H, P] in f32, P >= max(N, M), running sums c of what a step between tokens costs: (i, j) of
//   head h gets c_i - c_j for j <= i and c_j - c_i for j > i.
// Throws Error(shape).
[[nodiscard]] Value row_attention(const Value& q, const Value& k, const Value& v, const Value& bias,
                                  const RowAttentionOptions& options);

}  // namespace lra::engine
