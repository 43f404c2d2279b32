#pragma once
// Output part of a state-space block: y = (u Wv^T + bv) sigmoid(u Wg^T + bg), u = gelu(x)
// (Gu, Goel, Re 2022, arXiv 2111.00396: GELU, then a linear map to 2 E and a gated linear unit).

#include "attention/parts/affine_maps.h"

namespace lra::attention {

class GatedOutput {
 public:
  // The option `output`: none makes this the identity.
  void options(OptionTable& table);
  // `chosen` for golden files, which cover recurrences without the output part and state
  // `bidirectional` for an option `causal`.
  [[nodiscard]] static nlohmann::json golden_options(nlohmann::json chosen,
                                                     const nlohmann::json& hyper);
  // Parameters Wv, bv, Wg, bg.
  void build(const ParameterBuilder& p, std::int64_t width);
  [[nodiscard]] Value operator()(const Value& x) const;  // [N, E] -> [N, E]
  [[nodiscard]] Plain define(const PlainInputs& in, const Plain& x) const;

 private:
  enum class Output { glu, none };
  friend constexpr auto texts(Output) { return enum_texts("glu", "none"); }

  Output output_ = Output::glu;
  AffineMap value_, gate_;
};

}  // namespace lra::attention
