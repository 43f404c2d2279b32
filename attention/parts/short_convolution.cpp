#include "attention/parts/short_convolution.h"

#include <cmath>

#include "attention/parts/depthwise.h"

namespace lra::attention {

void ShortConvolution::build(const ParameterBuilder& p, std::int64_t channels, std::int64_t taps) {
  w_ = p.add("conv_w", {channels, taps}, engine::init::torch_linear(taps));
  b_ = p.add("conv_b", {channels}, engine::init::torch_linear(taps));
}

Value ShortConvolution::operator()(const Value& x, std::int64_t n) const {
  const std::int64_t N = x.dim(0);
  const std::int64_t C = x.dim(1);
  const Value w = cast(w_.value_f32(), x.dtype());
  const std::int64_t taps = w.dim(1);
  const Value y =
      depthwise(reshape(x, {1, N, C}), reshape(w, {1, C, taps}), {n, false, 0, taps - 1});
  return reshape(y, {N, C}) + b_.value();
}

Plain ShortConvolution::define(const PlainInputs& in, const Plain& x) {
  const Plain& w = in.parameters.at("conv_w");
  const Plain& b = in.parameters.at("conv_b");
  Plain y(x.shape);
  for (std::int64_t t = 0; t < x.dim(0); ++t) {
    for (std::int64_t c = 0; c < x.dim(1); ++c) {
      y(t, c) = b(c);
      for (std::int64_t k = 0; k < w.dim(1); ++k) {
        const std::int64_t from = t - w.dim(1) + 1 + k;
        if (from >= 0) y(t, c) += w(c, k) * x(from, c);
      }
    }
  }
  return y;
}

Plain plain_silus(Plain x) {
  for (double& value : x.data) value /= 1 + std::exp(-value);
  return x;
}

}  // namespace lra::attention
