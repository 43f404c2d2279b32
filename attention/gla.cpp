// Gated linear attention. Yang, Wang, Shen, Panda, Kim 2023, "Gated Linear Attention Transformers
// with Hardware-Efficient Training", arXiv 2312.06635, eq. (3) and section 4.4.
//   S_t = diag(e^{g_t}) S_{t-1} + k_t v_t^T,   o_t = D^-1/2 S_t^T q_t
//   g = logsigmoid(x W1 W2 + b) / 16,  W1 [E,16], W2 [16,E]: the paper's low-rank gates
// Time O(N D^2), state D x D per head. Ours: the second direction, with the same gates, in which
// each token is counted once (`causal` leaves it out, as the paper is), and the norm of each head's
// output (`head_norm`) without a gain; the paper's output gate is left out, for equal parameters.

#include <cmath>
#include <nlohmann/json.hpp>

#include "attention/attention.h"
#include "attention/parts/norms.h"
#include "engine/fused/scan/gated_scan.h"

namespace lra::attention {
namespace {

constexpr std::int64_t kRank = 16;
constexpr double kGateDivisor = 16;
constexpr double kNormEps = 1e-5;

class Gla final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.flag("head_norm", head_norm_, "divide each head's output by its root mean square")
        .flag("causal", causal_, "the forward direction alone");
  }

  // Golden files contain the attention without the layer's norm.
  [[nodiscard]] nlohmann::json golden_options(const nlohmann::json& hyper) override {
    nlohmann::json o = Attention::golden_options(hyper);
    o["head_norm"] = hyper.value("head_norm", false);
    return o;
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    const std::int64_t features = d.heads * d.head_dim;
    W1_ = p.add("gate_w1", {d.width, kRank}, engine::init::xavier_uniform(d.width, kRank));
    W2_ = p.add("gate_w2", {kRank, features}, engine::init::xavier_uniform(kRank, features));
    b_ = p.add("gate_b", {features}, engine::init::constant(0));
  }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const Value g = gates(x);  // [H,N,D] f32
    Value o = engine::gated_scan(x.q, x.k, x.v, g, x.length, false);
    if (!causal_) o = o + engine::gated_scan(x.q, x.k, x.v, g, x.length, true);
    o = o / std::sqrt(static_cast<float>(x.q.dim(2)));  // [H,N,Dv]
    return head_norm_ ? head_norm(o, static_cast<float>(kNormEps)) : o;
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override;
  [[nodiscard]] Plain define(const PlainInputs& in) const override;

 private:
  [[nodiscard]] Value gates(const Heads& x) const {
    if (const Value* given = x.find("gk")) return cast(*given, DType::f32);
    const Value a = linear(linear(x.x, W1_.value(), {}), W2_.value(), b_.value());  // [N,H D]
    const Value heads = engine::split_heads(a, 1, x.q.dim(0)).front();              // [H,N,D]
    return softplus(cast(-heads, DType::f32)) * static_cast<float>(-1 / kGateDivisor);
  }

  bool head_norm_ = true;
  bool causal_ = false;
  Parameter W1_, W2_, b_;
};

// Log gates [H, n, D], given or from the block's input.
Plain plain_gates(const PlainInputs& in) {
  if (const auto given = in.parameters.find("gk"); given != in.parameters.end()) {
    return given->second;
  }
  const Plain& W1 = in.parameters.at("gate_w1");
  const Plain& W2 = in.parameters.at("gate_w2");
  const Plain& b = in.parameters.at("gate_b");
  Plain g(in.q.shape);
  for (std::int64_t t = 0; t < g.dim(1); ++t) {
    std::vector<double> low(static_cast<std::size_t>(kRank), 0.0);
    for (std::int64_t e = 0; e < in.x.dim(1); ++e) {
      for (std::int64_t r = 0; r < kRank; ++r) {
        low[static_cast<std::size_t>(r)] += in.x(t, e) * W1(e, r);
      }
    }
    for (std::int64_t f = 0; f < g.dim(0) * g.dim(2); ++f) {
      double a = b(f);
      for (std::int64_t r = 0; r < kRank; ++r) a += low[static_cast<std::size_t>(r)] * W2(r, f);
      g(f / g.dim(2), t, f % g.dim(2)) = -std::log1p(std::exp(-a)) / kGateDivisor;
    }
  }
  return g;
}

// w_ij = D^-1/2 sum_d q_id k_jd e^{sum of g over the steps from j to i}: for j <= i the gates of
// the tokens j+1..i, for j > i those of i..j-1.
Weights Gla::weights(const PlainInputs& in) const {
  const auto row = [g = plain_gates(in), causal = causal_](const Plain& q, const Plain& k,
                                                           std::int64_t h, std::int64_t i) {
    const std::int64_t D = q.dim(2);
    Row result{std::vector<double>(static_cast<std::size_t>(keys_of(i, k.dim(1), causal)), 0.0)};
    const auto set = [&](std::int64_t j, const std::vector<double>& log_decay) {
      double& w = result.w[static_cast<std::size_t>(j)];
      for (std::int64_t d = 0; d < D; ++d) {
        w += q(h, i, d) * k(h, j, d) * std::exp(log_decay[static_cast<std::size_t>(d)]);
      }
      w /= std::sqrt(static_cast<double>(D));
    };
    const auto add = [&](std::vector<double>& log_decay, std::int64_t t) {
      for (std::int64_t d = 0; d < D; ++d) log_decay[static_cast<std::size_t>(d)] += g(h, t, d);
    };
    std::vector<double> log_decay(static_cast<std::size_t>(D), 0.0);
    for (std::int64_t j = i; j >= 0; --j) {
      set(j, log_decay);
      add(log_decay, j);
    }
    log_decay.assign(log_decay.size(), 0.0);
    for (std::int64_t j = i + 1; j < static_cast<std::int64_t>(result.w.size()); ++j) {
      add(log_decay, j - 1);
      set(j, log_decay);
    }
    return result;
  };
  return {in.q, in.k, row, false, !head_norm_};
}

Plain Gla::define(const PlainInputs& in) const {
  Plain o = weighted_sum(weights(in), in.v);
  for (std::int64_t h = 0; h < o.dim(0); ++h) {
    for (std::int64_t i = 0; i < o.dim(1) && head_norm_; ++i) {
      const auto Dv = static_cast<double>(o.dim(2));
      const double rms = std::sqrt(dot(o, o, h, i, i) / Dv + kNormEps);
      for (std::int64_t c = 0; c < o.dim(2); ++c) o(h, i, c) /= rms;
    }
  }
  return o;
}

LRA_ATTENTION(gla, Gla, {.label = "GLA", .cite = "Yang2023, arXiv 2312.06635", .causal = true});

}  // namespace
}  // namespace lra::attention
