// Kimi Delta Attention. Kimi Team 2025, "Kimi Linear: An Expressive, Efficient Attention
// Architecture", arXiv 2510.26692; the layer of flash-linear-attention.
//   S_t = (I - beta_t k_t k_t^T) diag(a_t) S_(t-1) + beta_t k_t v_t^T,   o_t = D^-1/2 S_t^T q_t
//   a_t = exp(-e^A_log softplus(x_t Wa1^T Wa2^T + dt_bias)), one per feature of the keys
// Gated DeltaNet whose features decay each at their own rate, by low-rank maps: the equations are
// in parts/delta_rule.h. Time O(N D^2), state D x D per head. Ours: the second direction (`causal`
// leaves it out, as the paper is).

#include "attention/parts/delta_rule.h"

namespace lra::attention {
namespace {

class Kda final : public DeltaRule {
 public:
  Kda() : DeltaRule({.decay = Decay::feature, .output_gate = OutputGate::sigmoid}) {}
};

LRA_ATTENTION(kda, Kda, {.label = "KDA", .cite = "Kimi2025, arXiv 2510.26692", .causal = true});

}  // namespace
}  // namespace lra::attention
