// Based. Arora, Eyuboglu, Zhang, Timalsina, Alberti, Zinsley, Zou, Rudra, Re 2024, "Simple Linear
// Attention Language Models Balance the Recall-Throughput Tradeoff", arXiv 2402.18668, section 3.1.
//   phi(x) = [1, x D^-1/4, vec(x x^T) / (sqrt(2) sqrt(D))],  so that phi(q) . phi(k) = 1 + s +
//   s^2/2, s = q.k / sqrt(D): the Taylor expansion of softmax's e^s.  o_i = sum_j w_ij v_j / sum_j
//   w_ij
// Time O(N D^3), state O(D^3) a head. The weights are at least 1/2; the authors' 1e-12 in the
// denominator is kept. They use feature width 16 and mix in sliding-window layers; here it is
// alone. Ours: x x^T is symmetric, so that each product of two features is kept once (about D^2 /
// 2).

#include <cmath>

#include "attention/attention.h"
#include "attention/kernel_attention.h"
#include "engine/ops/taylor_features.h"

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

  [[nodiscard]] Plain define(const PlainInputs& in) const override {
    Plain o({in.q.dim(0), in.q.dim(1), in.v.dim(2)});
    for (std::int64_t h = 0; h < o.dim(0); ++h) {
      for (std::int64_t i = 0; i < o.dim(1); ++i) {
        std::vector<double> w;
        double sum = kEps;
        for (std::int64_t j = 0; j < in.k.dim(1) && (!causal_ || j <= i); ++j) {
          const double s = dot(in.q, in.k, h, i, j) / std::sqrt(static_cast<double>(in.q.dim(2)));
          w.push_back(1 + s + s * s / 2);
          sum += w.back();
        }
        for (std::size_t j = 0; j < w.size(); ++j) {
          add_scaled(o, h, i, w[j] / sum, in.v, static_cast<std::int64_t>(j));
        }
      }
    }
    return o;
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
