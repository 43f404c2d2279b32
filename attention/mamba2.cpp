// Mamba-2. Dao, Gu 2024, "Transformers are SSMs: Generalized Models and Efficient Algorithms
// Through Structured State Space Duality", arXiv 2405.21060; the block of mamba2_simple.py.
//   h_t = e^(dt_t A) h_(t-1) + dt_t B_t X_t^T,   y_t = C_t^T h_t + D X_t
// within a projection, a causal convolution of 4 taps and a gated norm: the equations are in
// parts/state_space_dual.h. Time O(N I S) for inner width I = 2 E and S states, state S x P per
// head of width P. Takes the block's input. Ours: the second direction by the same scan from the
// end, with the same B, C and dt, each token counted once (`causal` leaves it out, as the paper
// is); inner heads as wide as the encoder's, where the code has 128.

#include "attention/attention.h"
#include "attention/parts/state_space_dual.h"

namespace lra::attention {
namespace {

class Mamba2 final : public Attention {
 public:
  void options(OptionTable& t) override {
    block_.options(t);
    t.flag("causal", causal_, "the forward direction alone");
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    using Mixer = StateSpaceDual::Mixer;
    block_.build(p, d, causal_ ? Mixer::causal : Mixer::add);
  }

  [[nodiscard]] Value mix(const Value& x, const Context& c) const override {
    return block_(x, c.length);  // [N,E]
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override { return block_.define(in); }

 private:
  bool causal_ = false;
  StateSpaceDual block_{
      "attention/mamba2",
      {.conv_size = 4, .centred = false, .norm_before_gate = false, .A_low = 1, .A_high = 16}};
};

LRA_ATTENTION(mamba2, Mamba2,
              {.label = "Mamba-2",
               .cite = "Dao2024, arXiv 2405.21060",
               .input = Input::block,
               .causal = true});

}  // namespace
}  // namespace lra::attention
