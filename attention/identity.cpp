// No mixing: o_i = v_i. The control row: what a model with this scores, the task asks no exchange
// between tokens for (all of them still meet in the pooling). Projections and their sizes are those
// of the other variants; q and k are not read, so that their projections get no gradient.

#include "attention/attention.h"

namespace lra::attention {
namespace {

class Identity final : public Attention {
 public:
  [[nodiscard]] Value forward(const Heads& x, const Context&) const override { return x.v; }
  [[nodiscard]] Plain define(const PlainInputs& in) const override { return in.v; }
};

LRA_ATTENTION(identity, Identity,
              {.label = "No mixing", .cite = "control", .permutation_equivariant = true});

}  // namespace
}  // namespace lra::attention
