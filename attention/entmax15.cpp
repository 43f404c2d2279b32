// 1.5-entmax attention. Peters, Niculae, Martins 2019, "Sparse Sequence-to-Sequence Models", arXiv
// 1905.05702, eq. (9) and algorithm 2, alpha = 1.5.
//   w_ij = max(s_ij / 2 - tau_i, 0)^2,  s_ij = q_i.k_j / sqrt(D),  tau_i such that sum_j w_ij = 1
//   backward: ds = c (dw - sum(c dw) / sum(c)),  c = sqrt(w)
// Between softmax and sparsemax: smooth where weights are positive, exactly 0 elsewhere. Time
// O(N^2 D), memory O(N): weights are computed in tiles and again in the backward. Ours: tau is
// found by Newton's method rather than by sorting; the causal form.

#include <algorithm>
#include <cmath>
#include <functional>

#include "attention/attention.h"
#include "engine/fused/attention/row_attention.h"

namespace lra::attention {
namespace {

// Algorithm 2: of the rho largest z, sorted, tau = mean - sqrt((1 - ss) / rho) with ss their
// squared deviations; rho is the largest number whose smallest member is not below its tau.
double threshold(std::vector<double> z) {
  std::sort(z.begin(), z.end(), std::greater<>());
  double sum = 0;
  double squares = 0;
  double tau = 0;
  for (std::size_t rho = 1; rho <= z.size(); ++rho) {
    const double x = z[rho - 1] - z[0];  // less the largest: squares do not cancel
    sum += x;
    squares += x * x;
    const auto count = static_cast<double>(rho);
    const double mean = sum / count;
    const double deviations = squares - sum * mean;
    const double candidate = z[0] + mean - std::sqrt(std::max((1 - deviations) / count, 0.0));
    if (candidate <= z[rho - 1]) tau = candidate;
  }
  return tau;
}

class Entmax15 final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.flag("causal", causal_, "a query sees itself and what is before it");
  }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const auto D = static_cast<float>(x.q.dim(2));
    return engine::row_attention(x.q, x.k, x.v, {},
                                 {.weights = {.rule = engine::RowRule::entmax15},
                                  .scale = 1.0F / std::sqrt(D),
                                  .keys = {x.key_length},
                                  .causal = causal_});  // [H,N,Dv]
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const double root = std::sqrt(static_cast<double>(in.q.dim(2)));
    const auto row = [=, this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      Row p{each_key(keys_of(i, k.dim(1), causal_),
                     [&](std::int64_t j) { return dot(q, k, h, i, j) / root / 2; })};
      const double tau = threshold(p.w);
      for (double& s : p.w) s = std::pow(std::max(s - tau, 0.0), 2);
      return p;
    };
    return {in.q, in.k, row};
  }

 private:
  bool causal_ = false;
};

LRA_ATTENTION(entmax15, Entmax15,
              {.label = "1.5-entmax",
               .cite = "Peters2019, arXiv 1905.05702",
               .time = Growth::quadratic,
               .memory = Growth::linear,
               .causal = true,
               .cross = true,
               .permutation_equivariant = true});

}  // namespace
}  // namespace lra::attention
