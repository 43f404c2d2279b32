#include "attention/parts/lower_bound.h"

#include <cmath>

namespace lra::attention {

void GateLowerBound::options(OptionTable& table) {
  table.choice("lower_bound", kind_, "of the forget gates")
      .number("lower_bound_value", value_, -1, 0.999, "the fixed bound; below 0: layer / layers");
}

void GateLowerBound::build(const ParameterBuilder& p, const Dimensions& d, std::int64_t features,
                           float initial) {
  layer_ = d.layer;
  if (value_ < 0) value_ = static_cast<double>(d.layer) / static_cast<double>(d.layers);
  if (kind_ == Kind::learned) {
    gamma_ =
        p.add("Gamma", {d.layers, features}, engine::init::constant(initial), {.decay = false});
  }
}

Value GateLowerBound::operator()() const {
  if (kind_ == Kind::fixed && value_ > 0) {
    return Value(Tensor::full({1}, static_cast<float>(value_), DType::f32));
  }
  if (kind_ != Kind::learned || layer_ == 0) return {};
  const Value P = softmax(engine::transpose(gamma_.value_f32()));  // [features, layers]
  const Value bound = sum(slice(P, 1, first_, layer_), 1);
  return reshape(bound, {bound.dim(0)});
}

double GateLowerBound::define(const PlainInputs& in, std::int64_t feature) const {
  if (kind_ == Kind::fixed) return value_;
  if (kind_ == Kind::none) return 0;
  const Plain& gamma = in.parameters.at("Gamma");
  double all = 0;
  double below = 0;
  for (std::int64_t l = 0; l < gamma.dim(0); ++l) {
    const double e = std::exp(gamma(l, feature));
    all += e;
    if (l >= first_ && l < first_ + layer_) below += e;
  }
  return below / all;
}

}  // namespace lra::attention
