// The moving average of Mega alone. Ma, Zhou, Kong, He, Gui, Neubig, May, Zettlemoyer 2022, "Mega:
// Moving Average Equipped Gated Attention", arXiv 2209.10655, section 3.1; see moving_average.h for
// the equations. It mixes the tokens of each feature, no features: the control row that shows what
// Mega's attention adds. Time O(N E h), memory O(N E). `causal` leaves out the backward direction.

#include <nlohmann/json.hpp>

#include "attention/attention.h"
#include "attention/parts/moving_average.h"

namespace lra::attention {
namespace {

class MegaEma final : public Attention {
 public:
  void options(OptionTable& t) override {
    average_.options(t);
    t.flag("causal", causal_, "the forward direction alone");
  }

  // Golden files say `bidirectional`.
  [[nodiscard]] nlohmann::json golden_options(const nlohmann::json& hyper) override {
    nlohmann::json o = Attention::golden_options(hyper);
    o["causal"] = !hyper.value("bidirectional", true);
    return o;
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    average_.build(p, "", d.width, !causal_);
  }

  [[nodiscard]] Value mix(const Value& x, const Context& c) const override {
    return average_(x, c.length);  // [N,E]
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override {
    return average_.define(in, in.x);
  }

 private:
  MovingAverage average_;
  bool causal_ = false;
};

LRA_ATTENTION(mega_ema, MegaEma,
              {.label = "MEGA's EMA",
               .cite = "Ma2022, arXiv 2209.10655",
               .input = Input::block,
               .causal = true});

}  // namespace
}  // namespace lra::attention
