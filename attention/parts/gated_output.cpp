#include "attention/parts/gated_output.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace lra::attention {

void GatedOutput::options(OptionTable& table) {
  table.choice("output", output_,
               "what follows the recurrence: GELU and a gated linear unit, or nothing");
}

nlohmann::json GatedOutput::golden_options(nlohmann::json chosen, const nlohmann::json& hyper) {
  chosen["causal"] = !hyper.value("bidirectional", true);
  chosen["output"] = "none";
  return chosen;
}

void GatedOutput::build(const ParameterBuilder& p, std::int64_t width) {
  if (output_ == Output::none) return;
  value_ = add_affine_map(p, "v", width, width, engine::init::torch_linear(width));
  gate_ = add_affine_map(p, "g", width, width, engine::init::torch_linear(width));
}

Value GatedOutput::operator()(const Value& x) const {
  if (output_ == Output::none) return x;
  const Value u = gelu_erf(x);
  return value_(u) * sigmoid(gate_(u));
}

Plain GatedOutput::define(const PlainInputs& in, const Plain& x) const {
  if (output_ == Output::none) return x;
  Plain u = x;
  for (double& y : u.data) y *= 0.5 * (1 + std::erf(y / std::sqrt(2.0)));
  Plain y = plain_affine_map(in, "v", u);
  const Plain gate = plain_affine_map(in, "g", u);
  for (std::size_t i = 0; i < y.data.size(); ++i) y.data[i] /= 1 + std::exp(-gate.data[i]);
  return y;
}

}  // namespace lra::attention
