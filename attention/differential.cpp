// Differential attention. Ye, Dong, Xia, Sun, Zhu, Huang, Wei 2024, "Differential Transformer",
// arXiv 2410.05258; details from the authors' multihead_diffattn.py.
//   A = softmax(q1 k1^T d^-1/2) - lambda softmax(q2 k2^T d^-1/2),  o = (1 - lambda0) RMSnorm(A v)
//   lambda = exp(l_q1.l_k1) - exp(l_q2.l_k2) + lambda0,  lambda0 = 0.8 - 0.6 exp(-0.3 layer)
// q1, q2 and k1, k2 are the halves, d features each, of a head's q and k; l in R^d is shared by a
// layer's heads, layers count from 0 as in the code; the norm has a gain and is of each head. What
// both maps attend to cancels: rows sum to 1 - lambda and weights may be negative. Time O(N^2 D),
// memory O(N). Both directions here (`causal` gives the paper's j <= i); the code's rotary
// positions are the encoder's. For an odd head width the last feature of q and k is unused.

#include <cmath>

#include "attention/attention.h"
#include "attention/parts/norms.h"

namespace lra::attention {
namespace {

constexpr double kNormEps = 1e-5;

class Differential final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.number("lambda0", lambda0_, -1, 0.999, "share taken away at first; below 0: by the layer")
        .flag("causal", causal_, "a query sees itself and what is before it");
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    if (d.head_dim < 2) {
      fail(ErrorKind::config, "attention/differential: head width must be at least 2; got {}",
           d.head_dim);
    }
    if (lambda0_ < 0) lambda0_ = 0.8 - 0.6 * std::exp(-0.3 * static_cast<double>(d.layer));
    const auto add = [&](const std::string& name) {
      return p.add(name, {d.head_dim / 2}, engine::init::normal(0, 0.1F));
    };
    lq1_ = add("lambda_q1");
    lk1_ = add("lambda_k1");
    lq2_ = add("lambda_q2");
    lk2_ = add("lambda_k2");
    gain_ = p.add("gain", {d.head_dim}, engine::init::constant(1));
  }

  [[nodiscard]] Value forward(const Heads& x, const Context& c) const override {
    const auto map = [&](const std::string& number, std::int64_t begin) {
      const Value q = half(x, "q" + number, x.q, begin);  // [H,N,d]
      const Value k = half(x, "k" + number, x.k, begin);  // [H,M,d]
      return engine::softmax_attention(q, k, x.v,
                                       {.scale = 1 / std::sqrt(static_cast<float>(q.dim(2))),
                                        .keys = x.key_length,
                                        .causal = causal_,
                                        .dropout = c.dropout,
                                        .key = c.call.of("weights").of(number),
                                        .f32_result = true});  // [H,N,Dv]
    };
    const Value lambda = exp(sum(lq1_.value_f32() * lk1_.value_f32(), 0)) -
                         exp(sum(lq2_.value_f32() * lk2_.value_f32(), 0)) +
                         static_cast<float>(lambda0_);
    const Value o = map("1", 0) - map("2", lq1_.value_f32().dim(0)) * reshape(lambda, {1, 1, 1});
    const Value gain = gain_.value_f32() * static_cast<float>(1 - lambda0_);
    return cast(head_norm(o, static_cast<float>(kNormEps)) * reshape(gain, {1, 1, gain.dim(0)}),
                x.v.dtype());
  }

  // Before the norm.
  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const auto product = [&](const std::string& a, const std::string& b) {
      double sum = 0;
      for (std::int64_t d = 0; d < in.parameters.at(a).dim(0); ++d) {
        sum += in.parameters.at(a)(d) * in.parameters.at(b)(d);
      }
      return std::exp(sum);
    };
    const double lambda =
        product("lambda_q1", "lambda_k1") - product("lambda_q2", "lambda_k2") + lambda0_;
    const auto row = [=, this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      const std::int64_t width = q.dim(2) / 2;
      const auto map = [&](std::int64_t begin) {
        return plain_softmax(each_key(keys_of(i, k.dim(1), causal_), [&](std::int64_t j) {
          double s = 0;
          for (std::int64_t d = begin; d < begin + width; ++d) s += q(h, i, d) * k(h, j, d);
          return s / std::sqrt(static_cast<double>(width));
        }));
      };
      std::vector<double> w = map(0);
      const std::vector<double> noise = map(width);
      for (std::size_t j = 0; j < w.size(); ++j) w[j] -= lambda * noise[j];
      return Row{w};
    };
    return {in.q, in.k, row, false, false};
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override {
    Plain o = weighted_sum(weights(in), in.v);
    const Plain& gain = in.parameters.at("gain");
    for (std::int64_t h = 0; h < o.dim(0); ++h) {
      for (std::int64_t i = 0; i < o.dim(1); ++i) {
        const double square = dot(o, o, h, i, i) / static_cast<double>(o.dim(2));
        const double rms = std::sqrt(square + kNormEps);
        for (std::int64_t d = 0; d < o.dim(2); ++d) o(h, i, d) *= (1 - lambda0_) * gain(d) / rms;
      }
    }
    return o;
  }

 private:
  // Half of a head's features, or the given ones of that name.
  [[nodiscard]] Value half(const Heads& x, const std::string& name, const Value& whole,
                           std::int64_t begin) const {
    if (const Value* given = x.find(name)) return *given;
    return slice(whole, 2, begin, whole.dim(2) / 2);
  }

  double lambda0_ = -1;
  bool causal_ = false;
  Parameter lq1_, lk1_, lq2_, lk2_, gain_;
};

LRA_ATTENTION(differential, Differential,
              {.label = "Diff Transformer",
               .cite = "Ye2024, arXiv 2410.05258",
               .time = Growth::quadratic,
               .memory = Growth::linear,
               .causal = true,
               .cross = true,
               .permutation_equivariant = true});

}  // namespace
}  // namespace lra::attention
