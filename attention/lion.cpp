// LION. Afzal, Abad Rocamora, Candogan, Puigdemont, Tonin, Wu, Shoaran, Cevher 2025, "Linear
// Attention for Efficient Bidirectional Sequence Modeling", arXiv 2502.16249; equations from the
// authors' models_lion.py.
//   w_ij = D^-1/2 phi(q_i).phi(k_j) m_ij,  o_i = sum_j w_ij v_j / (sum_j w_ij + eps)
//   phi(x) = (silu(x) + 1/2) / |silu(x) + 1/2|
//   selective (LION-S): a_t = 1 - sigmoid(x_t.w + b), one per head and token;
//     m_ij = prod_(t=j..i-1) a_t for j < i, prod_(t=i+1..j) a_t for j > i, 1 for i = j: the key's
//     gate counts, the query's does not
//   decay (LION-D): m_ij = sigmoid(a_h)^|i-j|, a_h learned
// Two scans, one per direction, over [v, 1], so that the denominator comes along: time O(N D Dv),
// state D x (Dv + 1) per head. The third kind of the paper, without a mask, is linear_transformer
// with another phi. A CLS token has a = 1 as in the authors' code; ours: the gates are trained (the
// released image code cuts their gradient off), and without CLS the first token has its own.

#include <cmath>

#include "attention/attention.h"
#include "engine/fused/scan/gated_scan.h"

namespace lra::attention {
namespace {

class Lion final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.choice("kind", kind_, "mask: gates of the tokens, or one decay a head")
        .number("eps", eps_, 0, 1, "added to the denominator");
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    cls_ = d.cls;
    if (kind_ == Kind::decay) {
      a_ = p.add("a", {d.heads}, engine::init::normal(0, 1), {.decay = false});
      return;
    }
    W_ = p.add("gate_w", {d.width, d.heads}, engine::init::torch_linear(d.width));
    b_ = p.add("gate_b", {d.heads}, engine::init::torch_linear(d.width));
  }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const std::int64_t N = x.q.dim(1);
    const Value q = phi(x.q) / std::sqrt(static_cast<float>(x.q.dim(2)));  // [H,N,D]
    const Value k = phi(x.k);
    const Value ones(Tensor::full({x.v.dim(0), N, 1}, 1, x.v.dtype()));
    const Value v = engine::concat({x.v, ones}, 2);  // [H,N,Dv+1]
    const Value g = log_gates(x);                    // [H,N,1]  log a_t
    // Forwards row t decays by the gate of t - 1, backwards by that of t + 1.
    const Value before = slice(pad(g, 1, 1, 0), 1, 0, N);
    const Value behind = slice(pad(g, 1, 0, 1), 1, 1, N);
    const Value o = engine::gated_scan(q, k, v, expand(before, q.shape()), x.length, false) +
                    engine::gated_scan(q, k, v, expand(behind, q.shape()), x.length, true);
    const Value sums = cast(slice(o, 2, x.v.dim(2), 1), DType::f32);        // [H,N,1]
    return slice(o, 2, 0, x.v.dim(2)) / (sums + static_cast<float>(eps_));  // [H,N,Dv]
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override;

 private:
  enum class Kind { selective, decay };
  friend constexpr auto texts(Kind) { return enum_texts("selective", "decay"); }

  [[nodiscard]] static Value phi(const Value& x) {
    const Value y = silu(x) + 0.5F;  // at least 0.22
    return y / sqrt(sum_f32(square(y), 2));
  }

  [[nodiscard]] Value log_gates(const Heads& x) const {
    const std::int64_t H = x.q.dim(0);
    const std::int64_t N = x.q.dim(1);
    if (kind_ == Kind::decay) {
      return expand(reshape(-softplus(-a_.value_f32()), {H, 1, 1}), {H, N, 1});
    }
    const Value y = linear(x.x, W_.value(), b_.value());                  // [N,H]
    const Value a = engine::split_heads(y, 1, H).front();                 // [H,N,1]
    const Value g = mask_rows(-softplus(cast(a, DType::f32)), x.length);  // log(1 - sigmoid)
    return cls_ ? g - pad(slice(g, 1, 0, 1), 1, 0, N - 1) : g;
  }

  Kind kind_ = Kind::selective;
  double eps_ = 1e-6;
  bool cls_ = false;
  Parameter a_, W_, b_;
};

Weights Lion::weights(const PlainInputs& in) const {
  const auto phi = [](Plain x) {
    for (double& y : x.data) y = y / (1 + std::exp(-y)) + 0.5;
    for (std::int64_t h = 0; h < x.dim(0); ++h) {
      for (std::int64_t i = 0; i < x.dim(1); ++i) {
        const double norm = std::sqrt(dot(x, x, h, i, i));
        for (std::int64_t d = 0; d < x.dim(2); ++d) x(h, i, d) /= norm;
      }
    }
    return x;
  };
  Plain a({in.q.dim(0), in.q.dim(1), 1});
  for (std::int64_t h = 0; h < a.dim(0); ++h) {
    for (std::int64_t t = 0; t < a.dim(1); ++t) {
      if (kind_ == Kind::decay) {
        a(h, t, 0) = 1 / (1 + std::exp(-in.parameters.at("a")(h)));
        continue;
      }
      double y = in.parameters.at("gate_b")(h);
      for (std::int64_t e = 0; e < in.x.dim(1); ++e) {
        y += in.x(t, e) * in.parameters.at("gate_w")(e, h);
      }
      a(h, t, 0) = cls_ && t == 0 ? 1 : 1 - 1 / (1 + std::exp(-y));
    }
  }
  const auto row = [a, eps = eps_](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
    std::vector<double> w(static_cast<std::size_t>(k.dim(1)));
    const double root = std::sqrt(static_cast<double>(q.dim(2)));
    double m = 1;
    for (std::int64_t j = i; j >= 0; --j) {
      if (j < i) m *= a(h, j, 0);
      w[static_cast<std::size_t>(j)] = m * dot(q, k, h, i, j) / root;
    }
    m = 1;
    for (std::int64_t j = i + 1; j < k.dim(1); ++j) {
      m *= a(h, j, 0);
      w[static_cast<std::size_t>(j)] = m * dot(q, k, h, i, j) / root;
    }
    return over_sum(std::move(w), eps);
  };
  return {phi(in.q), phi(in.k), row, true};
}

LRA_ATTENTION(lion, Lion, {.label = "LION", .cite = "Afzal2025, arXiv 2502.16249"});

}  // namespace
}  // namespace lra::attention
