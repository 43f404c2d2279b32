// Based. Arora, Eyuboglu, Zhang, Timalsina, Alberti, Zinsley, Zou, Rudra, Re 2024, "Simple Linear
// Attention Language Models Balance the Recall-Throughput Tradeoff", arXiv 2402.18668, section 3.1.
//   phi(x) = [1, x D^-1/4, vec(x x^T) / (sqrt(2) sqrt(D))],  so that phi(q) . phi(k) = 1 + s +
//   s^2/2, s = q.k / sqrt(D): the Taylor expansion of softmax's e^s.  o_i = sum_j w_ij v_j / sum_j
//   w_ij
// Time O(N D^3), state O(D^3) per head. The weights are at least 1/2; the authors' 1e-12 in the
// denominator is kept. They use feature width 16 and mix in sliding-window layers; here it is
// alone. Ours: x x^T is symmetric, so that each product of two features is kept once (about D^2 /
// 2).

#include <cmath>

#include "attention/attention.h"
#include "attention/parts/kernel_attention.h"
#include "engine/fused/features/taylor_features.h"

namespace lra::attention {
namespace {

constexpr double kEps = 1e-12;

class BasedTaylor final : public Attention {
 public:
  void options(OptionTable& t) override { t.flag("causal", causal_, "sums over j <= i"); }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const float scale = 1.0F / std::sqrt(static_cast<float>(x.q.dim(2)));
    const Value q = engine::taylor_features(x.q, scale);                           // [H,N,F]
    const Value k = mask_rows(engine::taylor_features(x.k, scale), x.key_length);  // [H,M,F]
    const KernelSums sums = kernel_sums(q, k, x.v, causal_);
    return sums.numerator / (sums.denominator + static_cast<float>(kEps));  // [H,N,Dv]
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const double root = std::sqrt(static_cast<double>(in.q.dim(2)));
    const auto row = [=, this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      std::vector<double> w = each_key(keys_of(i, k.dim(1), causal_), [&](std::int64_t j) {
        const double s = dot(q, k, h, i, j) / root;
        return 1 + s + s * s / 2;
      });
      return over_sum(std::move(w), kEps);
    };
    return {in.q, in.k, row};
  }

 private:
  bool causal_ = false;
};

LRA_ATTENTION(based_taylor, BasedTaylor,
              {.label = "Based",
               .cite = "Arora2024, arXiv 2402.18668",
               .causal = true,
               .cross = true,
               .approximates_softmax = true,
               .permutation_equivariant = true,
               .aliases = {"based"}});

}  // namespace
}  // namespace lra::attention
