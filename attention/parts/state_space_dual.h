#pragma once
// The mixer of Mamba-2 (Dao, Gu 2024, arXiv 2405.21060) and Hydra (Hwang, Lahoti, Puduppully, Dao,
// Gu 2024, arXiv 2407.09941): a state space with a scalar transition per head and token, between a
// projection with a short convolution and a gated norm. With E the width, I = expand E, H = I / P
// heads of width P, states S (equations of the authors' mamba2_simple.py and hydra.py):
//   [z (I), u (I + 2 S), d (H)] = x Win^T,   [X, B, C] = silu(depthwise convolution of u + bias)
//   dt = softplus(d + dt_bias),  A = -e^A_log
//   h_t = e^(dt_t A) h_(t-1) + dt_t B_t X_t^T,   y_t = C_t^T h_t + D X_t      for each head
//   out = RMSnorm(y silu(z)) Wout^T, or RMSnorm(y) silu(z) Wout^T
// B and C are shared by the heads.

#include "attention/attention.h"

namespace lra::attention {

class StateSpaceDual {
 public:
  enum class Mixer {
    causal,          // as above
    add,             // and the same from the end with the same B, C, d, each token counted once
    quasiseparable,  // separate B, C, d for each direction, both scans shifted by one token:
                     // y_i = C_(i-1)^T h_(i-1) + C'_(i+1)^T h'_(i+1) + (D + X_i WD^T) X_i
  };
  struct Preset {
    std::int64_t conv_size;
    bool centred;           // taps on both sides of a token
    bool norm_before_gate;  // the second form of `out`
    double A_low, A_high;   // -A at first, uniform
  };
  StateSpaceDual(std::string where, const Preset& preset);

  void options(OptionTable& table);
  void build(const ParameterBuilder& p, const Dimensions& d, Mixer mixer);
  // x [N, E], of which the first n rows are real -> [N, E]; rows from n on may be any finite
  // values.
  [[nodiscard]] Value operator()(const Value& x, std::int64_t n) const;
  [[nodiscard]] Plain define(const PlainInputs& in) const;

 private:
  enum class Convolution { causal, centred };
  friend constexpr auto texts(Convolution) { return enum_texts("causal", "centred"); }

  // The inputs of one direction's scan.
  struct Direction {
    Value q, k, g;  // C, dt B [H, N, S]; dt A [H, N, S] in f32
  };
  [[nodiscard]] Value project(const Value& x, std::int64_t begin, std::int64_t count) const;
  [[nodiscard]] Direction direction(const Value& u, const Value& x, std::int64_t number) const;
  [[nodiscard]] Value scans(const Value& X, const Value& u, const Value& x, std::int64_t n) const;
  [[nodiscard]] Plain plain_convolution(const PlainInputs& in, const Plain& y) const;
  [[nodiscard]] Plain plain_products(const Plain& u) const;
  [[nodiscard]] std::int64_t directions() const { return mixer_ == Mixer::quasiseparable ? 2 : 1; }
  [[nodiscard]] std::int64_t channels() const { return I_ + 2 * directions() * S_; }

  std::string where_;
  Mixer mixer_ = Mixer::causal;
  std::int64_t expand_ = 2, P_ = 0, S_ = 64, taps_;
  Convolution conv_;
  bool norm_before_gate_;
  double norm_eps_ = 1e-5;
  double A_low_, A_high_;
  std::int64_t E_ = 0, I_ = 0, H_ = 0;
  Parameter Win_, conv_w_, conv_b_, dt_bias_, A_log_, D_, WD_, norm_w_, Wout_;
};

}  // namespace lra::attention
