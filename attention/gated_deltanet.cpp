// Gated DeltaNet. Yang, Kautz, Hatamizadeh 2024, "Gated Delta Networks: Improving Mamba2 with Delta
// Rule", arXiv 2412.06464; the layer of flash-linear-attention.
//   S_t = a_t S_(t-1) + k_t (beta_t (v_t - a_t S_(t-1)^T k_t))^T,   o_t = D^-1/2 S_t^T q_t
//   a_t = exp(-e^A_log softplus(x_t Wa^T + dt_bias)), one per head and token
// DeltaNet with the decay of Mamba-2, and a gate on the output: the equations are in
// parts/delta_rule.h. Time O(N D^2), state D x D per head. Ours: the second direction (`causal`
// leaves it out, as the paper is); values as wide as keys, where the code has twice their width.

#include "attention/parts/delta_rule.h"

namespace lra::attention {
namespace {

class GatedDeltaNet final : public DeltaRule {
 public:
  GatedDeltaNet() : DeltaRule({.decay = Decay::head, .output_gate = OutputGate::silu}) {}
};

LRA_ATTENTION(gated_deltanet, GatedDeltaNet,
              {.label = "Gated DeltaNet", .cite = "Yang2024b, arXiv 2412.06464", .causal = true});

}  // namespace
}  // namespace lra::attention
