// HGRN2. Qin, Yang, Sun, Shen, Li, Sun, Zhong 2024, "HGRN2: Gated Linear RNNs with State
// Expansion", arXiv 2404.07904; equations from flash-linear-attention's hgrn2.
//   f_t = lb + (1 - lb) sigmoid(x_t W_f),  k_t = 1 - f_t,  q_t = silu(x_t W_q),  i_t = x_t W_i
//   S_t = diag(f_t) S_(t-1) + k_t i_t^T,   o_t = D^-1/2 S_t^T q_t,   then an RMS norm over all
//   heads
// Gated linear attention whose key is tied to the gate: the encoder's projections q, k, v are W_q,
// W_f, W_i. lb bounds the forget gates from below, more in higher layers: P = softmax over layers
// of Gamma, lb of layer l is P_1 + .. + P_l, counted from 0, so that layer 0 has none (`learned`).
// Time O(N D^2), state D x D per head. Ours: the second direction, with the same gates, in which
// each token is counted once (`causal` leaves it out, as the paper is); each layer has a separate
// Gamma where the code shares one among them; `fixed`, lb = l / layers or the value given.

#include <cmath>
#include <nlohmann/json.hpp>

#include "attention/attention.h"
#include "attention/parts/lower_bound.h"
#include "attention/parts/norms.h"
#include "engine/fused/scan/gated_scan.h"

namespace lra::attention {
namespace {

class Hgrn2 final : public Attention {
 public:
  void options(OptionTable& t) override {
    bound_.options(t);
    t.choice("norm", norm_, "of the output, over the features of all heads")
        .number("norm_eps", norm_eps_, 1e-12, 1, "added to the mean square")
        .flag("causal", causal_, "the forward direction alone");
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    const std::int64_t features = d.heads * d.head_dim;
    if (norm_ == OutputNorm::rms) norm_w_ = p.add("norm_w", {features}, engine::init::constant(1));
    bound_.build(p, d, features, 0);
  }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const Value q = silu(x.q);                   // [H,N,D]
    const Value logits = cast(x.k, DType::f32);  // [H,N,D]
    // 1 - f = (1 - lb) sigmoid(-k) and, without cancellation, log f = log(1 + lb e^-k) -
    // softplus(-k).
    Value k = sigmoid(-logits);
    Value g = -softplus(-logits);
    if (const Value bound = bound_(); bound.defined()) {
      const std::int64_t H = bound.dim(0) == 1 ? 1 : x.q.dim(0);
      const Value lb = reshape(bound, {H, 1, bound.dim(0) / H});  // [H,1,D] or [1,1,1] f32
      k = k * (1.0F - lb);
      g = g + softplus(log(lb) - logits);
    }
    k = cast(k, x.v.dtype());
    Value o = engine::gated_scan(q, k, x.v, g, x.length, false);
    if (!causal_) o = o + engine::gated_scan(q, k, x.v, g, x.length, true);
    o = o / std::sqrt(static_cast<float>(x.q.dim(2)));  // [H,N,D]
    if (norm_ == OutputNorm::none) return o;
    const auto width = static_cast<float>(o.dim(0) * o.dim(2));
    const Value rms = sqrt(squares_over_heads(o) / width + static_cast<float>(norm_eps_));
    return o / rms * reshape(norm_w_.value_f32(), {o.dim(0), 1, o.dim(2)});
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override;
  [[nodiscard]] Plain define(const PlainInputs& in) const override;

 private:
  GateLowerBound bound_{1};
  OutputNorm norm_ = OutputNorm::rms;
  double norm_eps_ = 1e-5;
  bool causal_ = false;
  Parameter norm_w_;
};

// w_ij = D^-1/2 sum_d q_id (1 - f_jd) times the product of f over the steps from j to i: for j <= i
// the gates of the tokens j+1..i, for j > i those of i..j-1.
Weights Hgrn2::weights(const PlainInputs& in) const {
  Plain f = in.k;
  Plain key = in.k;
  for (std::int64_t h = 0; h < f.dim(0); ++h) {
    for (std::int64_t d = 0; d < f.dim(2); ++d) {
      const double lb = bound_.define(in, h * f.dim(2) + d);
      for (std::int64_t t = 0; t < f.dim(1); ++t) {
        f(h, t, d) = lb + (1 - lb) / (1 + std::exp(-in.k(h, t, d)));
        key(h, t, d) = 1 - f(h, t, d);
      }
    }
  }
  const auto row = [f, causal = causal_](const Plain& q, const Plain& k, std::int64_t h,
                                         std::int64_t i) {
    Row result{std::vector<double>(static_cast<std::size_t>(keys_of(i, k.dim(1), causal)), 0.0)};
    const auto M = static_cast<std::int64_t>(result.w.size());
    for (std::int64_t d = 0; d < q.dim(2); ++d) {
      const double a = q(h, i, d) / std::sqrt(static_cast<double>(q.dim(2)));
      double product = 1;
      for (std::int64_t j = i; j >= 0; product *= f(h, j--, d)) {
        result.w[static_cast<std::size_t>(j)] += a * k(h, j, d) * product;
      }
      product = 1;
      for (std::int64_t j = i + 1; j < M; ++j) {
        product *= f(h, j - 1, d);
        result.w[static_cast<std::size_t>(j)] += a * k(h, j, d) * product;
      }
    }
    return result;
  };
  const auto activation = [](double x) { return x / (1 + std::exp(-x)); };
  return {mapped(in.q, activation), key, row, false, norm_ == OutputNorm::none};
}

Plain Hgrn2::define(const PlainInputs& in) const {
  Plain o = weighted_sum(weights(in), in.v);
  if (norm_ == OutputNorm::none) return o;
  const Plain& gain = in.parameters.at("norm_w");
  for (std::int64_t i = 0; i < o.dim(1); ++i) {
    double squares = 0;
    for (std::int64_t h = 0; h < o.dim(0); ++h) squares += dot(o, o, h, i, i);
    const double rms = std::sqrt(squares / static_cast<double>(o.dim(0) * o.dim(2)) + norm_eps_);
    for (std::int64_t h = 0; h < o.dim(0); ++h) {
      for (std::int64_t d = 0; d < o.dim(2); ++d) o(h, i, d) *= gain(h * o.dim(2) + d) / rms;
    }
  }
  return o;
}

LRA_ATTENTION(hgrn2, Hgrn2,
              {.label = "HGRN2", .cite = "Qin2024, arXiv 2404.07904", .causal = true});

}  // namespace
}  // namespace lra::attention
