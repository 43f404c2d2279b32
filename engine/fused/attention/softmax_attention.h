#pragma once
// Exact softmax attention with memory linear in the length.

#include "engine/base/random.h"
#include "engine/tape/tape.h"

namespace lra::engine {

struct SoftmaxAttentionOptions {
  float scale = 1.0F;       // of the logits, usually 1 / sqrt(D)
  std::int64_t keys = 0;    // real keys; the rest of k and v is padding with weight exactly 0
  bool causal = false;      // key j is seen by query i only if j <= i
  double dropout = 0;       // on the weights, after normalisation
  RandomKey key = {};       // of the dropout
  bool f32_result = false;  // else of q's type
  std::int64_t query_tile = 256;
  std::int64_t key_block = 512;
};

// o_i = sum_j softmax_j(scale q_i . k_j) v_j. q [H, N, D], k [H, M, D], v [H, M, Dv] -> [H, N, Dv].
// Rows without a key are 0.
//
// Works on transposed blocks of unnormalised weights, e^S [key_block, query_tile], which stay in
// the core's cache: a product with the exponential as its last pass. No row maximum is needed while
// |q| |k| bounds all logits by 60 in magnitude; beyond that, a separate pass finds the exact
// maximum of each query. The normaliser l is applied to the outputs and, in the backward, to their
// gradients, so that the backward recomputes only e^S:
//   dV = e^S^T (dO / l),   dS = e^S o (dO V^T - delta) / l,   delta_i = dO_i . O_i (in f32,
//   where logits are large: sum_j P_ij dO_i . V_j, which saturated rows cancel exactly),
//   dQ = scale dS K,   dK = scale dS^T Q                       (Dao et al. 2022, arXiv 2205.14135).
[[nodiscard]] Value softmax_attention(const Value& q, const Value& k, const Value& v,
                                      const SoftmaxAttentionOptions& options);

}  // namespace lra::engine
