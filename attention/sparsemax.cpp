// Sparsemax attention. Martins, Astudillo 2016, "From Softmax to Sparsemax: A Sparse Model of
// Attention and Multi-Label Classification", arXiv 1602.02068, eq. (2)-(4) and (9).
//   w_i = argmin over the simplex of |w - s_i|^2 = max(s_i - tau_i, 0),  s_ij = q_i.k_j / sqrt(D)
//   with tau_i such that the weights sum to 1.   Backward: ds = dw - mean of dw over the support.
// Time O(N^2 D), memory O(N): weights are computed in tiles and again in the backward. Ours: tau
// is found by Michelot's shrinking support rather than by sorting; the causal form.

#include <algorithm>
#include <cmath>
#include <functional>

#include "attention/attention.h"
#include "engine/fused/attention/row_attention.h"

namespace lra::attention {
namespace {

// Algorithm 1: k(z) = max{k : 1 + k z_(k) > sum of the first k}, tau = (that sum - 1) / k(z).
double threshold(std::vector<double> z) {
  std::sort(z.begin(), z.end(), std::greater<>());
  double sum = 0;
  double tau = 0;
  for (std::size_t k = 1; k <= z.size(); ++k) {
    sum += z[k - 1];
    const auto count = static_cast<double>(k);
    if (1 + count * z[k - 1] > sum) tau = (sum - 1) / count;
  }
  return tau;
}

class Sparsemax final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.flag("causal", causal_, "a query sees itself and what is before it");
  }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const auto D = static_cast<float>(x.q.dim(2));
    return engine::row_attention(x.q, x.k, x.v, {},
                                 {.weights = {.rule = engine::RowRule::sparsemax},
                                  .scale = 1.0F / std::sqrt(D),
                                  .keys = {x.key_length},
                                  .causal = causal_});  // [H,N,Dv]
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const double root = std::sqrt(static_cast<double>(in.q.dim(2)));
    const auto row = [=, this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      Row p{each_key(keys_of(i, k.dim(1), causal_),
                     [&](std::int64_t j) { return dot(q, k, h, i, j) / root; })};
      const double tau = threshold(p.w);
      for (double& s : p.w) s = std::max(s - tau, 0.0);
      return p;
    };
    return {in.q, in.k, row};
  }

 private:
  bool causal_ = false;
};

LRA_ATTENTION(sparsemax, Sparsemax,
              {.label = "Sparsemax",
               .cite = "Martins2016, arXiv 1602.02068",
               .time = Growth::quadratic,
               .memory = Growth::linear,
               .causal = true,
               .cross = true,
               .permutation_equivariant = true,
               .ill_conditioned = true});  // the support of a row

}  // namespace
}  // namespace lra::attention
