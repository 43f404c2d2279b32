// Hydra, the quasiseparable state space (not Hydra Attention, which is `hydra`). Hwang, Lahoti,
// Puduppully, Dao, Gu 2024, "Hydra: Bidirectional State Space Models Through Generalized Matrix
// Mixers", arXiv 2407.09941; the block of the authors' hydra.py.
//   y_i = C_(i-1)^T h_(i-1) + C'_(i+1)^T h'_(i+1) + (D + X_i WD^T) X_i
// with h, h' the states of Mamba-2 from either end, each direction with separate B, C and dt;
// both scans are shifted by one token, their readers C too, which leaves the diagonal free.
// Projection, centred convolution of 7 taps and gated norm: parts/state_space_dual.h. Time O(N I S)
// for inner width I = 2 E and S states. Takes the block's input. Ours: inner heads as wide as the
// encoder's, where the code has 64.

#include "attention/attention.h"
#include "attention/parts/state_space_dual.h"

namespace lra::attention {
namespace {

class HydraSsm final : public Attention {
 public:
  void options(OptionTable& t) override { block_.options(t); }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    block_.build(p, d, StateSpaceDual::Mixer::quasiseparable);
  }

  [[nodiscard]] Value mix(const Value& x, const Context& c) const override {
    return block_(x, c.length);  // [N,E]
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override { return block_.define(in); }

 private:
  StateSpaceDual block_{
      "attention/hydra_ssm",
      {.conv_size = 7, .centred = true, .norm_before_gate = true, .A_low = 1, .A_high = 1}};
};

LRA_ATTENTION(hydra_ssm, HydraSsm,
              {.label = "Hydra (SSM)",
               .cite = "Hwang2024, arXiv 2407.09941",
               .input = Input::block});

}  // namespace
}  // namespace lra::attention
