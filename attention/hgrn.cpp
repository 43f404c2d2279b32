// HGRN. Qin, Yang, Zhong 2023, "Hierarchically Gated Recurrent Neural Network for Sequence
// Modeling", arXiv 2311.04823; equations from hgru-pytorch's Hgru1d.
//   c = silu(x Win^T + bin), E complex numbers (rows 2e and 2e + 1 of Win: real, imaginary)
//   lambda_t = lb + (1 - lb) sigmoid(x_t Wl^T + bl),   0 < lambda < 1
//   h_t = lambda_t e^(i theta) h_(t-1) + (1 - lambda_t) c_t              for each of E features
//   out = (layer norm of [Re h, Im h] * silu(x Wg^T + bg)) Wo^T + bo
// Both directions share all parameters and are added, so that a token counts twice; `causal` leaves
// the second one out. lb bounds the gates from below, more in higher layers: P = softmax over
// layers of Gamma, lb of layer l is P_0 + .. + P_(l-1), counted from 0, so that the lowest has none
// (`learned`). theta is learned, 10000^(-2e/E) at first. The README of the code norms the gated
// product instead (`norm_before_gate`). Time O(N E), memory O(N E). Takes the block's input. Ours:
// each layer has a separate Gamma where the code shares one among them; `fixed`, lb = l / layers
// or the value given. The code's configurations for images scan rows and columns, this one tokens.

#include <cmath>
#include <complex>

#include "attention/attention.h"
#include "attention/parts/affine_maps.h"
#include "attention/parts/lower_bound.h"
#include "attention/parts/short_convolution.h"
#include "engine/fused/scan/diagonal_scan.h"

namespace lra::attention {
namespace {

class Hgrn final : public Attention {
 public:
  void options(OptionTable& t) override {
    bound_.options(t);
    t.flag("norm_before_gate", norm_before_gate_, "norm(h) silu(g), not norm(h silu(g))")
        .number("norm_eps", norm_eps_, 1e-12, 1, "added to the variance")
        .flag("causal", causal_, "the forward direction alone");
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    const std::int64_t E = d.width;
    const auto frequencies = [E](RandomStream&, std::span<float> to) {
      for (std::size_t e = 0; e < to.size(); ++e) {
        to[e] = static_cast<float>(
            std::pow(10000.0, -2 * static_cast<double>(e) / static_cast<double>(E)));
      }
    };
    in_ = add_affine_map(p, "in", E, 2 * E, engine::init::torch_linear(E));
    lambda_ = add_affine_map(p, "l", E, E, engine::init::torch_linear(E));
    gate_ = add_affine_map(p, "g", E, 2 * E, engine::init::torch_linear(E));
    out_ = add_affine_map(p, "o", 2 * E, E, engine::init::torch_linear(2 * E));
    theta_ = p.add("theta", {E}, frequencies, {.decay = false});
    ln_g_ = p.add("ln_g", {2 * E}, engine::init::constant(1));
    ln_b_ = p.add("ln_b", {2 * E}, engine::init::constant(0));
    bound_.build(p, d, E, 1);
  }

  [[nodiscard]] Value mix(const Value& x, const Context& c) const override {
    const std::int64_t N = x.dim(0);
    const std::int64_t E = x.dim(1);
    // [Re c, Im c]: the rows of Win in that order.
    const Value Win = reshape(permute(reshape(in_.W.value(), {E, 2, E}), {1, 0, 2}), {2 * E, E});
    const Value bin = reshape(engine::transpose(reshape(in_.b.value(), {E, 2})), {2 * E});
    const Value input = silu(linear(x, engine::transpose(Win), bin));  // [N,2E]
    const Value logits = cast(lambda_(x), DType::f32);                 // [N,E]
    // 1 - lambda = (1 - lb) sigmoid(-l), without a difference.
    Value enters = sigmoid(-logits);
    if (const Value lb = bound_(); lb.defined()) enters = enters * (1.0F - lb);
    const Value stays = 1.0F - enters;
    const Value theta = theta_.value_f32();
    const Value factors = engine::concat({stays * cos(theta), stays * sin(theta)}, 1);
    const Value u =
        mask_rows(cast(input, DType::f32) * engine::concat({enters, enters}, 1), c.length);
    const auto scan = [&](bool reverse) {
      return diagonal_scan(reshape(u, {1, N, 2 * E}), reshape(factors, {1, N, 2 * E}),
                           {.complex = true, .reverse = reverse});
    };
    Value states = scan(false);
    if (!causal_) states = states + scan(true);
    Value h = cast(reshape(states, {N, 2 * E}), x.dtype());  // [N,2E]: Re h, Im h
    const Value gate = silu(gate_(x));                       // [N,2E]
    if (!norm_before_gate_) h = h * gate;
    h = layer_norm(h, ln_g_.value_f32(), ln_b_.value_f32(), static_cast<float>(norm_eps_));
    return out_(norm_before_gate_ ? h * gate : h);  // [N,E]
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override;

 private:
  GateLowerBound bound_{0};
  double norm_eps_ = 1e-5;
  bool norm_before_gate_ = true, causal_ = false;
  AffineMap in_, lambda_, gate_, out_;
  Parameter theta_, ln_g_, ln_b_;
};

// The recurrence of each complex feature, in both directions.
Plain Hgrn::define(const PlainInputs& in) const {
  const std::int64_t n = in.x.dim(0);
  const std::int64_t E = in.x.dim(1);
  const Plain c = plain_silus(plain_affine_map(in, "in", in.x));
  const Plain logits = plain_affine_map(in, "l", in.x);
  const Plain gate = plain_silus(plain_affine_map(in, "g", in.x));
  Plain states({n, 2 * E});
  for (std::int64_t e = 0; e < E; ++e) {
    const double lb = bound_.define(in, e);
    const auto turn = std::polar(1.0, in.parameters.at("theta")(e));
    for (const bool backward : {false, true}) {
      if (backward && causal_) continue;
      std::complex<double> h;
      for (std::int64_t step = 0; step < n; ++step) {
        const std::int64_t t = backward ? n - 1 - step : step;
        const double lambda = lb + (1 - lb) / (1 + std::exp(-logits(t, e)));
        h = lambda * turn * h + (1 - lambda) * std::complex(c(t, 2 * e), c(t, 2 * e + 1));
        states(t, e) += h.real();
        states(t, E + e) += h.imag();
      }
    }
  }
  for (std::int64_t t = 0; t < n; ++t) {
    const auto width = static_cast<double>(2 * E);
    double mean = 0;
    double variance = 0;
    for (std::int64_t f = 0; f < 2 * E; ++f) {
      if (!norm_before_gate_) states(t, f) *= gate(t, f);
      mean += states(t, f) / width;
    }
    for (std::int64_t f = 0; f < 2 * E; ++f) variance += std::pow(states(t, f) - mean, 2) / width;
    for (std::int64_t f = 0; f < 2 * E; ++f) {
      states(t, f) =
          (states(t, f) - mean) / std::sqrt(variance + norm_eps_) * in.parameters.at("ln_g")(f) +
          in.parameters.at("ln_b")(f);
      if (norm_before_gate_) states(t, f) *= gate(t, f);
    }
  }
  return plain_affine_map(in, "o", states);
}

LRA_ATTENTION(
    hgrn, Hgrn,
    {.label = "HGRN", .cite = "Qin2023, arXiv 2311.04823", .input = Input::block, .causal = true});

}  // namespace
}  // namespace lra::attention
