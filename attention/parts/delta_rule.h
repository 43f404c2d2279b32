#pragma once
// The layer of DeltaNet, Gated DeltaNet and Kimi Delta Attention, which differ in the decay of the
// state (equations of flash-linear-attention's delta_net.py, gated_deltanet.py, kda.py). From a
// head's projections q, k, v and the block's input x:
//   q, k, v <- silu(causal depthwise convolution of each),  q, k <- q / |q|, k / |k|
//   beta_t = sigmoid(x_t Wb^T), times 2 with `negative_eigenvalues`
//   S'_t = diag(e^{g_t}) S_(t-1),  S_t = S'_t + k_t (beta_t (v_t - S'_t^T k_t))^T
//   o_t = D^-1/2 S_t^T q_t,  an RMS norm of each head with a gain, times silu(z_t) or sigmoid(z_t)
// The state replaces the value stored for k_t by v_t, completely with beta = 1.
// Weights are [out, in]. The second direction is ours: the same scan from the last token on, with
// the same q, k, v, beta and g, is added before the norm. A token is in both, because the delta
// rule is not a sum of pairs from which its own share could be left out.

#include "attention/attention.h"
#include "attention/parts/norms.h"

namespace lra::attention {

class DeltaRule : public Attention {
 public:
  enum class Decay {
    none,     // g = 0
    head,     // g = -e^A_log softplus(x Wa^T + dt_bias), one per head and token
    feature,  // g = -e^A_log softplus(x Wa1^T Wa2^T + dt_bias), one per feature
  };
  enum class OutputGate { none, silu, sigmoid };
  friend constexpr auto texts(OutputGate) { return enum_texts("none", "silu", "sigmoid"); }
  struct Preset {
    Decay decay;
    OutputGate output_gate;
  };
  explicit DeltaRule(const Preset& preset)
      : decay_(preset.decay), output_gate_(preset.output_gate) {}

  void options(OptionTable& table) override;
  // Wb [H, E]; conv_q, conv_k, conv_v [H D, taps]; Wa [H, E] or Wa1 [R, E], Wa2 [H D, R]; A_log
  // [H], dt_bias [H or H D]; norm_w [D]; z = x Wz^T, Wz [H D, E], or, for Decay::feature, z = x
  // Wz1^T Wz2^T + bz with rank R.
  void build(const ParameterBuilder& p, const Dimensions& d) override;
  // `beta` [H, N] and `g` [H, N] or [H, N, D] may be given instead of computed from x.
  [[nodiscard]] Value forward(const Heads& x, const Context& c) const override;  // [H, N, D]
  // Before norm and gate: the products of the transition matrices between j and i.
  [[nodiscard]] Weights weights(const PlainInputs& in) const override;
  [[nodiscard]] Plain define(const PlainInputs& in) const override;

 private:
  enum class QkNorm { l2, none };
  friend constexpr auto texts(QkNorm) { return enum_texts("l2", "none"); }

  [[nodiscard]] bool whole() const {
    return taps_ == 0 && head_norm_ == OutputNorm::none && output_gate_ == OutputGate::none;
  }
  [[nodiscard]] Value convolved(const Value& y, const Parameter& taps, std::int64_t n) const;
  [[nodiscard]] Value normed(const Value& y, float scale) const;
  [[nodiscard]] Value log_decay(const Heads& x) const;
  [[nodiscard]] Value output_logits(const Heads& x) const;
  [[nodiscard]] Plain plain_convolved(const PlainInputs& in, const char* name,
                                      const Plain& y) const;
  [[nodiscard]] Plain plain_normed(Plain y) const;
  [[nodiscard]] Plain plain_log_decay(const PlainInputs& in) const;

  Decay decay_;
  OutputGate output_gate_;
  bool causal_ = false;
  bool negative_eigenvalues_ = false;
  std::int64_t taps_ = 4;
  QkNorm qk_norm_ = QkNorm::l2;
  double qk_norm_eps_ = 1e-6;
  OutputNorm head_norm_ = OutputNorm::rms;
  double norm_eps_ = 1e-5;
  std::int64_t rank_ = 0;
  Parameter conv_q_, conv_k_, conv_v_, Wb_, Wa_, Wa2_, A_log_, dt_bias_, Wz_, Wz2_, bz_, norm_w_;
};

}  // namespace lra::attention
