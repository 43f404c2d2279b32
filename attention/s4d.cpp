// S4D, a diagonal state space. Gu, Gupta, Goel, Re 2022, "On the Parameterization and
// Initialization of Diagonal State Space Models", arXiv 2206.11893, sections 3 and 4 (S4D-Lin).
//   A = -e^(log_A_real) + i A_imag,  dt = e^(log_dt)                [E,S] pairs of states, [E]
//   steps K_t = 2 Re sum_s C_s (e^(dt A_s) - 1) / A_s e^(dt A_s t)                     zero-order
//   hold y_i = D x_i + sum_(j <= i) K_(i-j) x_j, and sum_(j > i) K'_(j-i-1) x_j with C2 in place of
//   C
// as in the bidirectional S4 block; `causal` leaves the last sum out. Then GELU and a gated linear
// unit (`output`). Time O(N E S), memory O(N E). Ours: the convolution is run as the recurrence
// that it is, which costs no more than writing K down for an FFT.

#include <cmath>
#include <complex>
#include <nlohmann/json.hpp>
#include <numbers>

#include "attention/attention.h"
#include "attention/parts/gated_output.h"
#include "engine/fused/scan/state_space.h"

namespace lra::attention {
namespace {

// Complex numbers as real and imaginary parts, [E, S] each.
struct Pair {
  Value re, im;
};

Pair operator*(const Pair& a, const Pair& b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

Value stack(const Pair& a) {  // [2,E,S]
  return engine::reshape(engine::concat({a.re, a.im}, 0), {2, a.re.dim(0), a.re.dim(1)});
}

// e^z and e^z - 1, the latter without a difference of nearly equal numbers:
// e^x cos y - 1 = (e^x - 1) cos y - 2 sin^2(y/2), e^x - 1 = 2 t / (1 - t) with t = tanh(x/2).
struct Exponential {
  Pair power, minus_one;
};
Exponential exponential(const Pair& z) {
  const Value sine = exp(z.re) * sin(z.im);
  const Value t = tanh(z.re * 0.5F);
  const Value real = t * 2.0F / (1.0F - t) * cos(z.im) - square(sin(z.im * 0.5F)) * 2.0F;
  return {{exp(z.re) * cos(z.im), sine}, {real, sine}};
}

class S4d final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.integer("state_pairs", S_, 1, 4096, "S, pairs of conjugate states of a feature")
        .number("dt_min", dt_min_, 1e-6, 10, "smallest step at first")
        .number("dt_max", dt_max_, 1e-6, 10, "largest step at first")
        .flag("causal", causal_, "the forward direction alone");
    output_.options(t);
  }

  [[nodiscard]] nlohmann::json golden_options(const nlohmann::json& hyper) override {
    return GatedOutput::golden_options(Attention::golden_options(hyper), hyper);
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    if (dt_min_ > dt_max_) {
      fail(ErrorKind::config, "attention/s4d: dt_min must be at most dt_max; got {} and {}",
           dt_min_, dt_max_);
    }
    const std::int64_t E = d.width;
    const engine::Parameters::Traits slow{.decay = false, .slow = true};
    const auto log = [](double x) { return static_cast<float>(std::log(x)); };
    const auto frequencies = [S = static_cast<std::size_t>(S_)](RandomStream&,
                                                                std::span<float> to) {
      for (std::size_t i = 0; i < to.size(); ++i) {
        to[i] = static_cast<float>(std::numbers::pi * static_cast<double>(i % S));
      }
    };
    log_dt_ = p.add("log_dt", {E}, engine::init::uniform(log(dt_min_), log(dt_max_)), slow);
    log_A_real_ = p.add("log_A_real", {E, S_}, engine::init::constant(log(0.5)), slow);
    A_imag_ = p.add("A_imag", {E, S_}, frequencies, slow);
    const auto complex_normal = engine::init::normal(0, std::sqrt(0.5F));
    C_ = p.add("C", {E, S_, 2}, complex_normal);
    if (!causal_) C2_ = p.add("C2", {E, S_, 2}, complex_normal);
    D_ = p.add("Dskip", {E}, engine::init::normal(0, 1), {.decay = false});
    output_.build(p, E);
  }

  [[nodiscard]] Value mix(const Value& x, const Context& c) const override {
    const Value dt = engine::reshape(exp(log_dt_.value_f32()), {x.dim(1), 1});
    const Pair A{-exp(log_A_real_.value_f32()), A_imag_.value_f32()};
    const auto [power, minus_one] = exponential({A.re * dt, A.im * dt});
    const Value magnitude = square(A.re) + square(A.im);
    const Pair B = minus_one * Pair{A.re / magnitude, -A.im / magnitude};  // (e^(dt A) - 1) / A
    const Value a = stack(power);
    const auto weights = [&](const Parameter& C) {  // 2 C B
      const auto part = [&](std::int64_t i) {
        return engine::reshape(slice(C.value_f32(), 2, i, 1), {x.dim(1), S_});
      };
      return stack(Pair{part(0) * 2.0F, part(1) * 2.0F} * B);
    };
    Value y = x * cast(D_.value(), x.dtype()) +
              engine::state_space(x, a, weights(C_), {.length = c.length});
    if (!causal_) {
      y = y + engine::state_space(x, a, weights(C2_),
                                  {.length = c.length, .reverse = true, .exclusive = true});
    }
    return output_(y);  // [N,E]
  }

  // The convolution with both kernels.
  [[nodiscard]] Plain define(const PlainInputs& in) const override {
    using Complex = std::complex<double>;
    const auto& P = in.parameters;
    const std::int64_t n = in.x.dim(0);
    Plain y(in.x.shape);
    for (std::int64_t e = 0; e < y.dim(1); ++e) {
      const auto kernel = [&](const std::string& C, std::int64_t t) {
        Complex sum;
        for (std::int64_t s = 0; s < S_; ++s) {
          const Complex A(-std::exp(P.at("log_A_real")(e, s)), P.at("A_imag")(e, s));
          const Complex dtA = std::exp(P.at("log_dt")(e)) * A;
          sum += Complex(P.at(C)(e, s, 0), P.at(C)(e, s, 1)) * (std::exp(dtA) - 1.0) / A *
                 std::exp(dtA * static_cast<double>(t));
        }
        return 2 * sum.real();
      };
      for (std::int64_t lag = 0; lag < n; ++lag) {
        const double before = kernel("C", lag) + (lag == 0 ? P.at("Dskip")(e) : 0);
        const double after = causal_ || lag == 0 ? 0 : kernel("C2", lag - 1);
        for (std::int64_t i = lag; i < n; ++i) {
          y(i, e) += before * in.x(i - lag, e);
          y(i - lag, e) += after * in.x(i, e);
        }
      }
    }
    return output_.define(in, y);
  }

 private:
  std::int64_t S_ = 32;
  double dt_min_ = 1e-3, dt_max_ = 1e-1;
  bool causal_ = false;
  GatedOutput output_;
  Parameter log_dt_, log_A_real_, A_imag_, C_, C2_, D_;
};

LRA_ATTENTION(
    s4d, S4d,
    {.label = "S4D", .cite = "Gu2022, arXiv 2206.11893", .input = Input::block, .causal = true});

}  // namespace
}  // namespace lra::attention
