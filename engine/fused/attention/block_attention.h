#pragma once
// Softmax attention over lists of keys: local, sliding-window, random, bucketed, sorted.

#include "engine/base/random.h"
#include "engine/fused/attention/block_lists.h"
#include "engine/tape/tape.h"

namespace lra::engine {

struct BlockAttentionOptions {
  float scale = 1.0F;       // of the logits
  double dropout = 0;       // on the weights, after normalisation
  RandomKey key;            // of the dropout
  bool f32_result = false;  // o in f32, whatever the operands' type
  bool normaliser = false;  // also return the logarithm of the normaliser
};

struct BlockAttention {
  Value o;    // [H, N, Dv]
  Value lse;  // [H, N, 1] f32, if asked for: log sum_j e^{s_ij}; kNoKeys for a query without keys
};
inline constexpr float kNoKeys = -1e30F;

// o_i = sum_j softmax_j(scale q_i . k_j) v_j over the list of i's tile. q [H, N, D], k [H, M, D],
// v [H, M, Dv]. Rows outside all tiles and rows without a visible key are 0. Throws
// Error(shape).
//
// Works on groups of tiles whose transposed weights, e^S [tiles, K, t], stay in the core's cache:
// keys and values are copied row by row, one batched product with the exponential as its last pass
// computes the weights, others use them; the backward recomputes them. As in softmax_attention the
// logits are shifted by their row maximum only if |q| |k| does not bound them. The backward
// subtracts the mean of the computed products dO_i . v_j from the same products, so that saturated
// weights get a gradient of exactly 0 without rounding errors.
[[nodiscard]] BlockAttention block_attention(const Value& q, const Value& k, const Value& v,
                                             BlockLists lists,
                                             const BlockAttentionOptions& options);

}  // namespace lra::engine
