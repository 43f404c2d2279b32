// LeaPformer. Agostinelli, Hong, Chen 2024, "LeaPformer: Enabling Linear Transformers for
// Autoregressive and Simultaneous Tasks via Learned Proportions", arXiv 2405.13046; details from
// the authors' attention_leapformer.py.
//   w_ij = phi(q_i).phi(k_j) cos(pi/2 (P_q(phi(q_i)) - P_k(phi(k_j)))) >= 0,   phi = relu
//   P(x) = sigmoid(w.x + b) for r = 1, sigmoid(w2.relu(W1 x + b1) + b2), W1 [D,r], for r > 1
// over their sum: cosFormer with learned proportions of the sequence in place of positions, so that
// no length has to be known. One network for queries and one for keys, shared by a layer's heads.
// Time O(N D^2), state O(2 D^2) per head. Ours: the denominator is clamped at eps as in cosFormer;
// the authors' LRA code has none and their fairseq code clamps it at 0.1.

#include <algorithm>
#include <cmath>
#include <numbers>

#include "attention/attention.h"
#include "attention/parts/kernel_attention.h"

namespace lra::attention {
namespace {

class Leapformer final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.integer("r", r_, 1, 4096, "hidden width of the proportion networks; 1: a linear one")
        .number("eps", eps_, 0, 1, "floor of the denominator")
        .flag("causal", causal_, "sums over j <= i");
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    query_ = network(p, "q_", d.head_dim);
    key_ = network(p, "k_", d.head_dim);
  }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const Value q = relu(x.q);                                    // [H,N,D]
    const Value k = mask_rows(relu(x.k), x.key_length);           // [H,M,D]
    const Value a = proportion(query_, q) * kQuarter;             // [H,N,1]  pi/2 P_q
    const Value b = proportion(key_, k) * kQuarter;               // [H,M,1]  pi/2 P_k
    const Value Q = engine::concat({q * sin(a), q * cos(a)}, 2);  // [H,N,2D]
    const Value K = engine::concat({k * sin(b), k * cos(b)}, 2);  // [H,M,2D]
    const KernelSums sums = kernel_sums(Q, K, x.v, causal_);
    return sums.numerator / clamp_min(sums.denominator, static_cast<float>(eps_));  // [H,N,Dv]
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const Plain a = proportions(in.q, in, "q_");
    const Plain b = proportions(in.k, in, "k_");
    const auto row = [=, this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      return over_floored_sum(each_key(keys_of(i, k.dim(1), causal_),
                                       [&](std::int64_t j) {
                                         const double angle = a(h, i, 0) - b(h, j, 0);
                                         return dot(q, k, h, i, j) *
                                                std::cos(std::numbers::pi / 2 * angle);
                                       }),
                              eps_);
    };
    const auto phi = [](double y) { return std::max(y, 0.0); };
    return {mapped(in.q, phi), mapped(in.k, phi), row, true};
  }

 private:
  static constexpr float kQuarter = static_cast<float>(std::numbers::pi / 2);

  struct Network {
    Parameter W1, b1, w2, b2;  // [D,r], [r], [r], [1]; without W1 and b1 for r = 1: [D], [1]
  };

  [[nodiscard]] Network network(const ParameterBuilder& p, const std::string& name,
                                std::int64_t D) const {
    const auto init = engine::init::torch_linear(D);
    if (r_ == 1) return {{}, {}, p.add(name + "w", {D}, init), p.add(name + "b", {1}, init)};
    const auto inner = engine::init::torch_linear(r_);
    return {p.add(name + "w1", {D, r_}, init), p.add(name + "b1", {r_}, init),
            p.add(name + "w2", {r_}, inner), p.add(name + "b2", {1}, inner)};
  }

  // P(y) [H,N,1] in f32.
  [[nodiscard]] Value proportion(const Network& net, Value y) const {
    if (r_ > 1) {
      const Value W1 = reshape(net.W1.value(), {1, y.dim(2), r_});
      y = relu(matmul(y, W1) + reshape(net.b1.value(), {1, 1, r_}));
    }
    const Value w2 = reshape(cast(net.w2.value(), y.dtype()), {1, y.dim(2), 1});
    return sigmoid(matmul(y, w2, {.f32_result = true}) + reshape(net.b2.value(), {1, 1, 1}));
  }

  [[nodiscard]] Plain proportions(const Plain& x, const PlainInputs& in,
                                  const std::string& name) const {
    const auto at = [&](const std::string& what) -> const Plain& {
      return in.parameters.at(name + what);
    };
    Plain P({x.dim(0), x.dim(1), 1});
    for (std::int64_t h = 0; h < x.dim(0); ++h) {
      for (std::int64_t i = 0; i < x.dim(1); ++i) {
        double y = r_ == 1 ? at("b")(0) : at("b2")(0);
        for (std::int64_t s = 0; s < r_; ++s) {
          double inner = r_ == 1 ? 0 : at("b1")(s);
          for (std::int64_t d = 0; d < x.dim(2); ++d) {
            inner += std::max(x(h, i, d), 0.0) * (r_ == 1 ? at("w")(d) : at("w1")(d, s));
          }
          y += r_ == 1 ? inner : std::max(inner, 0.0) * at("w2")(s);
        }
        P(h, i, 0) = 1 / (1 + std::exp(-y));
      }
    }
    return P;
  }

  std::int64_t r_ = 1;
  double eps_ = 1e-6;
  bool causal_ = false;
  Network query_, key_;
};

LRA_ATTENTION(leapformer, Leapformer,
              {.label = "LeaPformer",
               .cite = "Agostinelli2024, arXiv 2405.13046",
               .causal = true,
               .cross = true,
               .permutation_equivariant = true});

}  // namespace
}  // namespace lra::attention
