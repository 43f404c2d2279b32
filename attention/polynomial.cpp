// Polynomial attention. Saratchandran, Zheng, Ji, Zhang, Lucey 2024, "Rethinking Softmax:
// Self-Attention with Polynomial Activations" (later "Polynomial Alternatives to Softmax"),
// arXiv 2410.18613.
//   w_ij = n^-1/2 s_ij^p,  s_ij = q_i . k_j / sqrt(D),  o_i = sum_j w_ij v_j
// Not normalised, weights may be negative. The factor keeps the Frobenius norm of the weights of
// order sqrt(n), the bound that softmax has; p = 3 is their main choice. Time O(N^2 D), memory
// O(N). Ours: n counts the real keys (no code is public; `factor` sets another constant), logits
// and powers stay in f32, and the causal form, whose n stays the length of the sequence.

#include <cmath>

#include "attention/attention.h"
#include "engine/fused/attention/row_attention.h"

namespace lra::attention {
namespace {

class Polynomial final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.integer("degree", degree_, 1, 8, "p")
        .number("factor", factor_, 0, 1e6, "of the weights; 0: n^-1/2")
        .flag("causal", causal_, "a query sees itself and what is before it");
  }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const auto D = static_cast<float>(x.q.dim(2));
    return engine::row_attention(x.q, x.k, x.v, {},
                                 {.weights = {.rule = engine::RowRule::power,
                                              .degree = static_cast<unsigned>(degree_),
                                              .factor = static_cast<float>(factor(x.key_length))},
                                  .scale = 1.0F / std::sqrt(D),
                                  .keys = {x.key_length},
                                  .causal = causal_});  // [H,N,Dv]
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const double root = std::sqrt(static_cast<double>(in.q.dim(2)));
    const auto row = [=, this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      return Row{each_key(keys_of(i, k.dim(1), causal_), [&](std::int64_t j) {
        const double s = dot(q, k, h, i, j) / root;
        return factor(k.dim(1)) * std::pow(s, static_cast<double>(degree_));
      })};
    };
    return {in.q, in.k, row};
  }

 private:
  [[nodiscard]] double factor(std::int64_t n) const {
    return factor_ > 0 ? factor_ : 1 / std::sqrt(static_cast<double>(n));
  }

  std::int64_t degree_ = 3;
  double factor_ = 0;
  bool causal_ = false;
};

LRA_ATTENTION(polynomial, Polynomial,
              {.label = "Polynomial",
               .cite = "Saratchandran2024, arXiv 2410.18613",
               .time = Growth::quadratic,
               .memory = Growth::linear,
               .causal = true,
               .cross = true,
               .permutation_equivariant = true});

}  // namespace
}  // namespace lra::attention
