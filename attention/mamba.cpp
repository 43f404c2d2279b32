// Mamba (S6). Gu, Dao 2023, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces",
// arXiv 2312.00752, algorithm 2; the block of the authors' mamba_simple.py. I = expand E.
//   [x (I), z (I)] = u Win^T,   x = silu(causal convolution of `conv_size` taps of x)
//   [r (R), B (S), C (S)] = x Wx^T,   dt = softplus(r Wdt^T + dt_bias),   A = -e^A_log      [I, S]
//   h_t = e^(dt_t A) h_(t-1) + dt_t B_t x_t,   y_t = C_t . h_t + D x_t           for each feature
//   out = (y silu(z)) Wout^T
// A = -(1..S) at first, dt log-uniform in [0.001, 0.1], D = 1. Time O(N I S), memory O(N I). Takes
// the block's input. Ours: the second direction by the same scan from the end, with the same x, B,
// C and dt, each token counted once (`causal` leaves it out, as the paper is).

#include <cmath>

#include "attention/parts/affine_maps.h"
#include "attention/parts/decays.h"
#include "attention/parts/short_convolution.h"
#include "engine/fused/scan/selective_scan.h"

namespace lra::attention {
namespace {

class Mamba final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.integer("expand", expand_, 1, 16, "inner width over the model's")
        .integer("state", S_, 1, 4096, "S, states of each inner feature")
        .integer("dt_rank", R_, 0, 65536, "R, of the map to the steps; 0: the width over 16")
        .integer("conv_size", taps_, 1, 64, "taps of the convolution before the scan")
        .flag("causal", causal_, "the forward direction alone");
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    I_ = expand_ * d.width;
    if (R_ == 0) R_ = (d.width + 15) / 16;
    const auto rates = [S = static_cast<std::size_t>(S_)](RandomStream&, std::span<float> to) {
      for (std::size_t i = 0; i < to.size(); ++i) {
        to[i] = static_cast<float>(std::log(static_cast<double>(i % S + 1)));
      }
    };
    Win_ = p.add("Win", {2 * I_, d.width}, engine::init::torch_linear(d.width));
    convolution_.build(p, I_, taps_);
    Wx_ = p.add("Wx", {R_ + 2 * S_, I_}, engine::init::torch_linear(I_));
    Wdt_ = p.add("Wdt", {I_, R_}, engine::init::torch_linear(R_));
    dt_bias_ = p.add("dt_bias", {I_}, step_biases(), {.decay = false});
    A_log_ = p.add("A_log", {I_, S_}, rates, {.decay = false});
    D_ = p.add("D", {I_}, engine::init::constant(1), {.decay = false});
    Wout_ = p.add("Wout", {d.width, I_}, engine::init::torch_linear(I_));
  }

  [[nodiscard]] Value mix(const Value& u, const Context& c) const override {
    const auto projected = [&](std::int64_t begin) {
      return linear(u, engine::transpose(slice(Win_.value(), 0, begin, I_)), {});
    };
    const Value in = projected(0);                     // [N,I]
    const Value z = projected(I_);                     // [N,I]
    const Value x = silu(convolution_(in, c.length));  // [N,I]
    const Value parts = map_rows(x, Wx_);              // [N,R+2S]
    const Value B = slice(parts, 1, R_, S_);           // [N,S]
    const Value C = slice(parts, 1, R_ + S_, S_);      // [N,S]
    const Value d = map_rows(slice(parts, 1, 0, R_), Wdt_);
    const Value dt = softplus(cast(d, DType::f32) + dt_bias_.value_f32());  // [N,I] f32
    const Value A = -exp(A_log_.value_f32());                               // [I,S]
    Value y = x * cast(D_.value(), x.dtype()) +
              engine::selective_scan(x, dt, A, B, C, {.length = c.length});
    if (!causal_) {
      y = y + engine::selective_scan(x, dt, A, B, C,
                                     {.length = c.length, .reverse = true, .exclusive = true});
    }
    return map_rows(y * silu(z), Wout_);  // [N,E]
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override;

 private:
  std::int64_t expand_ = 2, S_ = 16, R_ = 0, taps_ = 4, I_ = 0;
  bool causal_ = false;
  ShortConvolution convolution_;
  Parameter Win_, Wx_, Wdt_, dt_bias_, A_log_, D_, Wout_;
};

// The recurrence of each feature and state, in both directions.
Plain Mamba::define(const PlainInputs& in) const {
  const auto at = [&](const char* name) -> const Plain& { return in.parameters.at(name); };
  const std::int64_t n = in.x.dim(0);
  const Plain xz = plain_map(in.x, at("Win"));
  Plain x({n, I_});
  for (std::int64_t t = 0; t < n; ++t) {
    for (std::int64_t i = 0; i < I_; ++i) x(t, i) = xz(t, i);
  }
  x = plain_silus(ShortConvolution::define(in, x));
  const Plain gates = plain_silus(xz);
  const Plain parts = plain_map(x, at("Wx"));
  Plain y({n, I_});
  for (std::int64_t i = 0; i < I_; ++i) {
    std::vector<double> dt;
    for (std::int64_t t = 0; t < n; ++t) {
      double d = at("dt_bias")(i);
      for (std::int64_t r = 0; r < R_; ++r) d += parts(t, r) * at("Wdt")(i, r);
      dt.push_back(plain_softplus(d));
      y(t, i) = at("D")(i) * x(t, i);
    }
    for (std::int64_t s = 0; s < S_; ++s) {
      const double A = -std::exp(at("A_log")(i, s));
      for (const bool backward : {false, true}) {
        if (backward && causal_) continue;
        double h = 0;
        for (std::int64_t step = 0; step < n; ++step) {
          const std::int64_t t = backward ? n - 1 - step : step;
          const double steps = dt[static_cast<std::size_t>(t)];
          h *= std::exp(steps * A);
          if (backward) y(t, i) += parts(t, R_ + S_ + s) * h;
          h += steps * parts(t, R_ + s) * x(t, i);
          if (!backward) y(t, i) += parts(t, R_ + S_ + s) * h;
        }
      }
    }
    for (std::int64_t t = 0; t < n; ++t) y(t, i) *= gates(t, I_ + i);
  }
  return plain_map(y, at("Wout"));
}

LRA_ATTENTION(
    mamba, Mamba,
    {.label = "Mamba", .cite = "Gu2023, arXiv 2312.00752", .input = Input::block, .causal = true});

}  // namespace
}  // namespace lra::attention
