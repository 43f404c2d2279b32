// Linear Recurrent Unit. Orvieto, Smith, Gu, Fernando, Gulcehre, Pascanu, De 2023, "Resurrecting
// Recurrent Neural Networks for Long Sequences", arXiv 2303.06349, eq. (8) and section 3.4.
//   lambda = exp(-e^nu + i e^theta)                        S complex numbers within the unit circle
//   h_t = lambda h_(t-1) + e^gamma (B x_t),  y_t = Re(C h_t) + D x_t
//   at first |lambda|^2 covers [r_min^2, r_max^2] evenly, the phase is uniform up to max_phase, and
//   e^gamma = sqrt(1 - |lambda|^2), which keeps the variance of h at that of the input
// In both directions (S5 style) C2 reads a second run from the end, and both count token t;
// `causal` leaves it out, as the paper is. Then GELU and a gated linear unit (`output`). Time
// O(N E S), memory O(N S). Ours: S is the model's width unless `state` says so;
// |lambda|^2 at first is evenly spaced, where the paper draws it.

#include <array>
#include <cmath>
#include <complex>
#include <nlohmann/json.hpp>
#include <numbers>

#include "attention/attention.h"
#include "attention/parts/gated_output.h"
#include "engine/fused/scan/diagonal_scan.h"

namespace lra::attention {
namespace {

using Complex = std::complex<double>;
using Pair = std::array<Parameter, 2>;  // real and imaginary parts

class Lru final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.integer("state", S_, 0, 65536, "S, complex states; 0: the model's width")
        .number("r_min", r_min_, 0, 1, "smallest |lambda| at first")
        .number("r_max", r_max_, 0, 1, "largest |lambda| at first")
        .number("max_phase", max_phase_, 1e-6, 2 * std::numbers::pi, "largest phase at first")
        .flag("causal", causal_, "the forward direction alone");
    output_.options(t);
  }

  [[nodiscard]] nlohmann::json golden_options(const nlohmann::json& hyper) override {
    return GatedOutput::golden_options(Attention::golden_options(hyper), hyper);
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    if (r_min_ >= r_max_) {
      fail(ErrorKind::config, "attention/lru: r_min must be below r_max; got {} and {}", r_min_,
           r_max_);
    }
    const std::int64_t E = d.width;
    if (S_ == 0) S_ = E;
    add_transition(p);
    const auto add = [&](const std::string& name, const Shape& shape, std::int64_t fan) {
      const auto draw = engine::init::normal(0, 1 / std::sqrt(static_cast<float>(fan)));
      return Pair{p.add(name + "_re", shape, draw), p.add(name + "_im", shape, draw)};
    };
    B_ = add("B", {S_, E}, 2 * E);
    C_ = add("C", {E, S_}, S_);
    if (!causal_) C2_ = add("C2", {E, S_}, S_);
    D_ = p.add("Dskip", {E}, engine::init::normal(0, 1), {.decay = false});
    output_.build(p, E);
  }

  [[nodiscard]] Value mix(const Value& x, const Context&) const override {
    const Value radius = exp(-exp(nu_.value_f32()));
    const Value phase = exp(theta_.value_f32());
    const Value lambda = engine::concat({radius * cos(phase), radius * sin(phase)}, 0);
    const Value scale = engine::reshape(exp(gamma_.value_f32()), {S_, 1});
    const Value B = engine::concat({B_[0].value_f32() * scale, B_[1].value_f32() * scale}, 0);
    const Value Bx = matmul(x, cast(B, x.dtype()), {.transpose_b = true, .f32_result = true});
    const auto state = [&](bool reverse) {  // [N,2S]: Re h, Im h
      const Value h = diagonal_scan(engine::reshape(Bx, {1, x.dim(0), 2 * S_}),
                                    engine::reshape(lambda, {1, 2 * S_}),
                                    {.complex = true, .reverse = reverse});
      return cast(engine::reshape(h, Bx.shape()), x.dtype());
    };
    const auto reader = [](const Pair& C) {  // [2S,E]: Re(C h) = Re C Re h - Im C Im h
      return engine::transpose(engine::concat({C[0].value(), -C[1].value()}, 1));
    };
    Value y = x * cast(D_.value(), x.dtype());  // [N,E]
    y = linear(state(false), reader(C_), {}, {.residual = &y});
    if (!causal_) y = linear(state(true), reader(C2_), {}, {.residual = &y});
    return output_(y);
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override;

 private:
  void add_transition(const ParameterBuilder& p) {
    const double low = r_min_ * r_min_;
    const double step = (r_max_ * r_max_ - low) / static_cast<double>(S_);
    const auto add = [&](const std::string& name, const auto& value) {
      const auto draw = [=](RandomStream& random, std::span<float> to) {
        double square = low - step / 2;  // |lambda_s|^2, once a step is added
        for (float& x : to) x = static_cast<float>(value(square += step, random));
      };
      return p.add(name, {S_}, draw, {.decay = false, .slow = true});
    };
    nu_ = add("nu_log", [](double r, auto&) { return std::log(-0.5 * std::log(r)); });
    theta_ = add("theta_log", [phase = max_phase_](double, RandomStream& random) {
      return std::log(phase * (1 - random.uniform()));
    });
    gamma_ = add("gamma_log", [](double r, auto&) { return 0.5 * std::log1p(-r); });
  }

  std::int64_t S_ = 0;
  double r_min_ = 0, r_max_ = 1, max_phase_ = 6.28;
  bool causal_ = false;
  GatedOutput output_;
  Parameter nu_, theta_, gamma_, D_;
  Pair B_, C_, C2_;
};

// The recurrence of each complex state, eq. (8), in both directions.
Plain Lru::define(const PlainInputs& in) const {
  const auto number = [&](const std::string& name, std::int64_t i, std::int64_t j) {
    return Complex(in.parameters.at(name + "_re")(i, j), in.parameters.at(name + "_im")(i, j));
  };
  const Plain& D = in.parameters.at("Dskip");
  const std::int64_t n = in.x.dim(0);
  Plain y(in.x.shape);
  for (std::int64_t s = 0; s < in.parameters.at("nu_log").dim(0); ++s) {
    const Complex lambda = std::exp(Complex(-std::exp(in.parameters.at("nu_log")(s)),
                                            std::exp(in.parameters.at("theta_log")(s))));
    const double scale = std::exp(in.parameters.at("gamma_log")(s));
    for (const bool backward : {false, true}) {
      if (backward && causal_) continue;
      Complex h;
      for (std::int64_t step = 0; step < n; ++step) {
        const std::int64_t t = backward ? n - 1 - step : step;
        h *= lambda;
        for (std::int64_t e = 0; e < y.dim(1); ++e) h += scale * number("B", s, e) * in.x(t, e);
        for (std::int64_t e = 0; e < y.dim(1); ++e) {
          y(t, e) += (number(backward ? "C2" : "C", e, s) * h).real();
        }
      }
    }
  }
  for (std::int64_t t = 0; t < n; ++t) {
    for (std::int64_t e = 0; e < y.dim(1); ++e) y(t, e) += D(e) * in.x(t, e);
  }
  return output_.define(in, y);
}

LRA_ATTENTION(lru, Lru,
              {.label = "LRU",
               .cite = "Orvieto2023, arXiv 2303.06349",
               .input = Input::block,
               .causal = true});

}  // namespace
}  // namespace lra::attention
