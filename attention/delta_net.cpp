// DeltaNet. Yang, Wang, Zhang, Shen, Kim 2024, "Parallelizing Linear Transformers with the Delta
// Rule over Sequence Length", arXiv 2406.06484; the layer of flash-linear-attention.
//   S_t = S_(t-1) + k_t (beta_t (v_t - S_(t-1)^T k_t))^T,   o_t = D^-1/2 S_t^T q_t
// within short convolutions, normalised q and k and a norm of each head: the equations are in
// parts/delta_rule.h. The state forgets only what it overwrites: it has no decay. Time O(N D^2),
// state D x D per head. Ours: the second direction (`causal` leaves it out, as the paper is).
// `negative_eigenvalues`: Grazzi, Siems, Zela, Franke, Hutter, Pontil 2024, arXiv 2411.12537.

#include "attention/parts/delta_rule.h"

namespace lra::attention {
namespace {

class DeltaNet final : public DeltaRule {
 public:
  DeltaNet() : DeltaRule({.decay = Decay::none, .output_gate = OutputGate::none}) {}
};

LRA_ATTENTION(delta_net, DeltaNet,
              {.label = "DeltaNet", .cite = "Yang2024, arXiv 2406.06484", .causal = true});

}  // namespace
}  // namespace lra::attention
