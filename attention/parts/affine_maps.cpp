#include "attention/parts/affine_maps.h"

namespace lra::attention {

Value AffineMap::operator()(const Value& x) const {
  return linear(x, transpose(W.value()), b.value());
}

Value AffineMap::part(const Value& x, std::int64_t begin, std::int64_t count) const {
  return linear(x, transpose(slice(W.value(), 0, begin, count)), slice(b.value(), 0, begin, count));
}

Value map_rows(const Value& x, const Parameter& W) {
  return linear(x, engine::transpose(W.value()), {});
}

Plain plain_map(const Plain& x, const Plain& W) {
  Plain y({x.dim(0), W.dim(0)});
  for (std::int64_t t = 0; t < x.dim(0); ++t) {
    for (std::int64_t o = 0; o < W.dim(0); ++o) {
      for (std::int64_t e = 0; e < x.dim(1); ++e) y(t, o) += x(t, e) * W(o, e);
    }
  }
  return y;
}

AffineMap add_affine_map(const ParameterBuilder& p, const std::string& name, std::int64_t in,
                         std::int64_t out, engine::Initialiser weights) {
  return {p.add("W" + name, {out, in}, std::move(weights)),
          p.add("b" + name, {out}, engine::init::constant(0))};
}

Plain plain_affine_map(const PlainInputs& in, const std::string& name, const Plain& x) {
  const Plain& W = in.parameters.at("W" + name);
  const Plain& b = in.parameters.at("b" + name);
  Plain y({x.dim(0), W.dim(0)});
  for (std::int64_t i = 0; i < y.dim(0); ++i) {
    for (std::int64_t o = 0; o < y.dim(1); ++o) {
      y(i, o) = b(o);
      for (std::int64_t e = 0; e < x.dim(1); ++e) y(i, o) += x(i, e) * W(o, e);
    }
  }
  return y;
}

}  // namespace lra::attention
