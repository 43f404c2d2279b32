// Linear attention with phi(x) = elu(x) + 1. Katharopoulos, Vyas, Pappas, Fleuret 2020,
// "Transformers are RNNs", arXiv 2006.16236, eq. (4)-(7); causal form eq. (8)-(12).
// Time O(N D^2), state O(D^2) per head. No 1/sqrt(D). Padded keys weigh 0 (the published codes
// ignore the mask or multiply k by it before phi). `normalize = false` is what the Nystromformer
// repository runs: no denominator, N^-1/2 instead.

#include <cmath>

#include "attention/attention.h"
#include "attention/parts/kernel_attention.h"

namespace lra::attention {
namespace {

double phi(double x) { return x > 0 ? x + 1 : std::exp(x); }

class LinearTransformer final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.number("eps", eps_, 0, 1, "added to the denominator")
        .flag("normalize", normalize_, "divide by the sum of the weights; else by sqrt(N)")
        .flag("causal", causal_, "sums over j <= i");
  }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const Value q = elu_plus_one(x.q);                           // [H,N,D]   eq. (7)
    const Value k = mask_rows(elu_plus_one(x.k), x.key_length);  // [H,M,D]   padded keys: 0
    const KernelSums sums = kernel_sums(q, k, x.v, causal_);     // eq. (5), (9)
    if (!normalize_) return sums.numerator / std::sqrt(static_cast<float>(x.k.dim(1)));
    return sums.numerator / (sums.denominator + static_cast<float>(eps_));  // [H,N,Dv]
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const double root = std::sqrt(static_cast<double>(in.key_rows));
    const auto row = [=, this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      std::vector<double> w = each_key(keys_of(i, k.dim(1), causal_), [&](std::int64_t j) {
        return dot(q, k, h, i, j) / (normalize_ ? 1.0 : root);
      });
      return normalize_ ? over_sum(std::move(w), eps_) : Row{std::move(w)};
    };
    return {mapped(in.q, phi), mapped(in.k, phi), row, true};
  }

 private:
  double eps_ = 1e-6;
  bool normalize_ = true;
  bool causal_ = false;
};

LRA_ATTENTION(linear_transformer, LinearTransformer,
              {.label = "Linear Trans.",
               .cite = "Katharopoulos2020, arXiv 2006.16236",
               .causal = true,
               .cross = true,
               .permutation_equivariant = true,
               .aliases = {"linear"}});

}  // namespace
}  // namespace lra::attention
