// No mixing: o_i = v_i. The control row: its score is reachable without exchange between tokens
// (except in the pooling). Projections and their sizes are those of the other variants; q and k are
// not read, so that their projections get no gradient.

#include "attention/attention.h"

namespace lra::attention {
namespace {

class Identity final : public Attention {
 public:
  [[nodiscard]] Value forward(const Heads& x, const Context&) const override { return x.v; }
  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const auto row = [](const Plain&, const Plain& k, std::int64_t, std::int64_t i) {
      return Row{each_key(k.dim(1), [i](std::int64_t j) { return i == j ? 1.0 : 0.0; })};
    };
    return {in.q, in.k, row};
  }
};

LRA_ATTENTION(identity, Identity,
              {.label = "No mixing", .cite = "control", .permutation_equivariant = true});

}  // namespace
}  // namespace lra::attention
