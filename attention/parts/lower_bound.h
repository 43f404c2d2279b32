#pragma once
// The lower bound of the forget gates of HGRN and HGRN2, which rises with the layers: P = softmax
// over layers of Gamma, and layer l, counted from 0, adds up l of its entries, so that layer 0 has
// no bound (`learned`); or a constant (`fixed`); or none. Ours: each layer has a separate Gamma
// where the code shares one among them; `fixed`.

#include "attention/attention.h"

namespace lra::attention {

class GateLowerBound {
 public:
  // `first`: the entry of P at which the sum begins, 0 in HGRN, 1 in HGRN2.
  explicit GateLowerBound(std::int64_t first) : first_(first) {}

  void options(OptionTable& table);
  // Gamma [layers, features], if it is learned.
  void build(const ParameterBuilder& p, const Dimensions& d, std::int64_t features, float initial);
  // [features] or [1] f32; undefined without a bound.
  [[nodiscard]] Value operator()() const;
  [[nodiscard]] double define(const PlainInputs& in, std::int64_t feature) const;

 private:
  enum class Kind { learned, fixed, none };
  friend constexpr auto texts(Kind) { return enum_texts("learned", "fixed", "none"); }

  std::int64_t first_;
  Kind kind_ = Kind::learned;
  double value_ = -1;
  std::int64_t layer_ = 0;
  Parameter gamma_;
};

}  // namespace lra::attention
