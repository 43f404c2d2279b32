// Forgetting attention. Lin, Nikishin, He, Courville 2025, "Forgetting Transformer: Softmax
// Attention with a Forget Gate", arXiv 2503.02130; equations from the authors'
// forgetting-transformer.
//   s_ij = D^-1/2 q_i.k_j + sum_(t=j+1..i) log f_t for j <= i,   f_t = sigmoid(x_t Wf^T + bf)
// then softmax: a softmax that forgets, one gate per head and token, as a difference of running
// sums of log f (in f32). The block "Pro" of the paper has RMS norms of each head's q and k
// (`qk_norm`), k and v mixed with those of the token before (`shift`), an RMS norm of each head's
// output (`output_norm`) and a gate on it (`output_gate`). Time O(N^2 D), memory O(N). Ours: the
// second direction, in which the gates of the tokens i+1..j are between i and a later j (`causal`
// leaves it out, as the paper is); the shift looks back in both.

#include <algorithm>
#include <cmath>

#include "attention/attention.h"
#include "attention/parts/norms.h"
#include "engine/fused/attention/row_attention.h"

namespace lra::attention {
namespace {

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

class Fox final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.flag("qk_norm", qk_norm_, "RMS norm of each head's q and k, with gains")
        .number("qk_norm_eps", qk_norm_eps_, 1e-12, 1, "added to its mean square")
        .choice("output_gate", output_gate_, "gate on the output, from x")
        .flag("output_norm", output_norm_, "RMS norm of each head's output, with a gain")
        .number("output_norm_eps", output_norm_eps_, 1e-12, 1, "added to its mean square")
        .flag("shift", shift_, "mix k and v with those of the token before")
        .flag("causal", causal_, "a query sees itself and what is before it");
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    const std::int64_t features = d.heads * d.head_dim;
    const auto init = engine::init::torch_linear(d.width);
    Wf_ = p.add("Wf", {d.heads, d.width}, init);
    bf_ = p.add("bf", {d.heads}, engine::init::constant(0));
    if (qk_norm_) {
      q_norm_w_ = p.add("q_norm_w", {features}, engine::init::constant(1));
      k_norm_w_ = p.add("k_norm_w", {features}, engine::init::constant(1));
    }
    if (output_gate_ != OutputGate::none) Wg_ = p.add("Wg", {features, d.width}, init);
    if (output_norm_) norm_w_ = p.add("norm_w", {features}, engine::init::constant(1));
    if (!shift_) return;
    Wk_shift_ = p.add("Wk_shift", {d.heads, d.width}, init);
    Wv_shift_ = p.add("Wv_shift", {d.heads, d.width}, init);
  }

  [[nodiscard]] Value forward(const Heads& x, const Context& c) const override {
    Value q = x.q;
    Value k = shift_ ? shifted(x.k, x.x, Wk_shift_) : x.k;
    const Value v = shift_ ? shifted(x.v, x.x, Wv_shift_) : x.v;
    if (qk_norm_) {
      q = normed(q, q_norm_w_, qk_norm_eps_);
      k = normed(k, k_norm_w_, qk_norm_eps_);
    }
    const Value sums = cumulative_sum(mask_rows(log_gates(x), x.length), 1);  // [H,N,1] f32
    Value o = engine::row_attention(q, k, v, reshape(sums, {q.dim(0), q.dim(1)}),
                                    {.scale = 1 / std::sqrt(static_cast<float>(q.dim(2))),
                                     .keys = {x.key_length},
                                     .causal = causal_,
                                     .dropout = c.dropout,
                                     .key = c.call.of("weights")});  // [H,N,Dv]
    if (output_norm_) o = normed(o, norm_w_, output_norm_eps_);
    return output_gate_ == OutputGate::none ? o : o * sigmoid(mapped_heads(x.x, Wg_, o.dim(0)));
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override;
  [[nodiscard]] Plain define(const PlainInputs& in) const override;

 private:
  enum class OutputGate { none, sigmoid };
  friend constexpr auto texts(OutputGate) { return enum_texts("none", "sigmoid"); }

  // x W^T as heads: [H,N,rows of W / H].
  [[nodiscard]] static Value mapped_heads(const Value& x, const Parameter& W, std::int64_t H) {
    return engine::split_heads(linear(x, engine::transpose(W.value()), {}), 1, H).front();
  }

  [[nodiscard]] Value log_gates(const Heads& x) const {
    const std::int64_t H = x.q.dim(0);
    if (const Value* given = x.find("g")) {
      return reshape(cast(*given, DType::f32), {H, x.q.dim(1), 1});
    }
    const Value y = linear(x.x, engine::transpose(Wf_.value()), bf_.value());  // [N,H]
    return -softplus(-cast(engine::split_heads(y, 1, H).front(), DType::f32));
  }

  // a y_(t-1) + (1 - a) y_t, a = sigmoid(x W^T) one per head and token.
  [[nodiscard]] static Value shifted(const Value& y, const Value& x, const Parameter& W) {
    const Value a = sigmoid(mapped_heads(x, W, y.dim(0)));  // [H,N,1]
    const Value previous = slice(pad(y, 1, 1, 0), 1, 0, y.dim(1));
    return y + (previous - y) * a;
  }

  [[nodiscard]] static Value normed(const Value& y, const Parameter& gain, double eps) {
    return head_norm(y, static_cast<float>(eps)) *
           reshape(gain.value_f32(), {y.dim(0), 1, y.dim(2)});
  }

  bool qk_norm_ = false;
  double qk_norm_eps_ = 1e-5;
  OutputGate output_gate_ = OutputGate::none;
  bool output_norm_ = false;
  double output_norm_eps_ = 1e-6;
  bool shift_ = false;
  bool causal_ = false;
  Parameter Wf_, bf_, q_norm_w_, k_norm_w_, Wg_, norm_w_, Wk_shift_, Wv_shift_;
};

// sum_e x [t, e] W [row, e].
double product(const Plain& x, std::int64_t t, const Plain& W, std::int64_t row) {
  double sum = 0;
  for (std::int64_t e = 0; e < x.dim(1); ++e) sum += x(t, e) * W(row, e);
  return sum;
}

Plain plain_normed(Plain y, const Plain& gain, double eps) {
  for (std::int64_t h = 0; h < y.dim(0); ++h) {
    for (std::int64_t i = 0; i < y.dim(1); ++i) {
      const double rms = std::sqrt(dot(y, y, h, i, i) / static_cast<double>(y.dim(2)) + eps);
      for (std::int64_t d = 0; d < y.dim(2); ++d) y(h, i, d) *= gain(h * y.dim(2) + d) / rms;
    }
  }
  return y;
}

Plain plain_shifted(const Plain& y, const Plain& x, const Plain& W) {
  Plain result = y;
  for (std::int64_t h = 0; h < y.dim(0); ++h) {
    for (std::int64_t t = 0; t < y.dim(1); ++t) {
      const double a = sigmoid_of(product(x, t, W, h));
      for (std::int64_t d = 0; d < y.dim(2); ++d) {
        result(h, t, d) = (t > 0 ? a * y(h, t - 1, d) : 0) + (1 - a) * y(h, t, d);
      }
    }
  }
  return result;
}

Weights Fox::weights(const PlainInputs& in) const {
  const auto at = [&](const char* name) -> const Plain& { return in.parameters.at(name); };
  Plain q = in.q;
  Plain k = shift_ ? plain_shifted(in.k, in.x, at("Wk_shift")) : in.k;
  if (qk_norm_) {
    q = plain_normed(q, at("q_norm_w"), qk_norm_eps_);
    k = plain_normed(k, at("k_norm_w"), qk_norm_eps_);
  }
  Plain g({q.dim(0), q.dim(1)});
  for (std::int64_t h = 0; h < g.dim(0); ++h) {
    for (std::int64_t t = 0; t < g.dim(1); ++t) {
      g(h, t) = std::log(sigmoid_of(product(in.x, t, at("Wf"), h) + at("bf")(h)));
    }
  }
  const auto row = [g, causal = causal_](const Plain& a, const Plain& b, std::int64_t h,
                                         std::int64_t i) {
    return Row{plain_softmax(each_key(keys_of(i, b.dim(1), causal), [&](std::int64_t j) {
      double s = dot(a, b, h, i, j) / std::sqrt(static_cast<double>(a.dim(2)));
      for (std::int64_t t = std::min(i, j) + 1; t <= std::max(i, j); ++t) s += g(h, t);
      return s;
    }))};
  };
  return {q, k, row, false, !shift_ && !output_norm_ && output_gate_ == OutputGate::none};
}

Plain Fox::define(const PlainInputs& in) const {
  const Plain v = shift_ ? plain_shifted(in.v, in.x, in.parameters.at("Wv_shift")) : in.v;
  Plain o = weighted_sum(weights(in), v);
  if (output_norm_) o = plain_normed(o, in.parameters.at("norm_w"), output_norm_eps_);
  if (output_gate_ == OutputGate::none) return o;
  for (std::int64_t h = 0; h < o.dim(0); ++h) {
    for (std::int64_t i = 0; i < o.dim(1); ++i) {
      for (std::int64_t d = 0; d < o.dim(2); ++d) {
        o(h, i, d) *= sigmoid_of(product(in.x, i, in.parameters.at("Wg"), h * o.dim(2) + d));
      }
    }
  }
  return o;
}

LRA_ATTENTION(fox, Fox,
              {.label = "FoX",
               .cite = "Lin2025, arXiv 2503.02130",
               .time = Growth::quadratic,
               .memory = Growth::linear,
               .causal = true});

}  // namespace
}  // namespace lra::attention
