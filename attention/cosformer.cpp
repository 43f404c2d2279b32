// cosFormer. Qin, Sun, Deng, Li, Wei, Lv, Yan, Kong, Zhong 2022, "cosFormer: Rethinking Softmax in
// Attention", arXiv 2202.08791, eq. (8)-(12).
// Linear attention whose weights phi(q_i) . phi(k_j) are re-weighted by cos(pi/2 (i - j) / M),
// which splits by cos(a - b) = cos a cos b + sin a sin b. Time O(N D^2), state O(2 D^2) per head.
// As in the authors' code positions count from 1, M = max(N_query, N_key), the denominator is
// clamped (not shifted) at eps, and there is no 1/sqrt(D). Ours: M follows the real length by
// default, so that padding changes nothing (`m = tensor` is the authors' rule); feature maps other
// than relu and the switch `reweight` are the paper's ablations (Table 2, Figure 3). With a map
// that can be negative the denominator keeps its sign: sign(x) max(|x|, eps).

#include <algorithm>
#include <cmath>
#include <numbers>

#include "attention/attention.h"
#include "attention/parts/feature_maps.h"
#include "attention/parts/kernel_attention.h"
#include "attention/parts/positions.h"

namespace lra::attention {
namespace {

class Cosformer final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.choice("act", act_, "feature map phi")
        .flag("reweight", reweight_, "the cosine re-weighting; false: plain linear attention")
        .choice("m", m_, "M: the real length, the tensor's, or max_length")
        .number("eps", eps_, 0, 1, "floor of the denominator")
        .flag("causal", causal_, "sums over j <= i");
  }

  void build(const ParameterBuilder&, const Dimensions& d) override { max_length_ = d.max_length; }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const Value q = feature_map(act_, x.q);  // [H,N,D]  phi(Q)
    const Value k = feature_map(act_, x.k);  // [H,L,D]  phi(K)
    if (!reweight_) return divide(kernel_sums(q, mask_rows(k, x.key_length), x.v, causal_));
    const double M = m(x.length, x.key_length, x.q.dim(1), x.k.dim(1));
    const Angles a = angles(x.q.dim(1), x.length, M);      // sin, cos of pi i / 2M
    const Angles b = angles(x.k.dim(1), x.key_length, M);  // 0 for padded keys
    const Value Q = scale_rows_twice(q, a.sin, a.cos);     // [H,N,2D]  [Q^sin, Q^cos]
    const Value K = scale_rows_twice(k, b.sin, b.cos);     // [H,L,2D]  [K^sin, K^cos]
    return divide(kernel_sums(Q, K, x.v, causal_));        // eq. (12)
  }

  // phi(q_i) . phi(k_j) cos(pi/2 (i - j) / M), over their sum.
  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const double M = m(in.q.dim(1), in.k.dim(1), in.rows, in.key_rows);
    const auto phi = [this](double x) { return feature_map(act_, x); };
    const auto row = [=, this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      std::vector<double> w = each_key(keys_of(i, k.dim(1), causal_), [&](std::int64_t j) {
        const double angle = std::numbers::pi / 2 * static_cast<double>(i - j) / M;
        return dot(q, k, h, i, j) * (reweight_ ? std::cos(angle) : 1.0);
      });
      return over_floored_sum(std::move(w), eps_);
    };
    return {mapped(in.q, phi), mapped(in.k, phi), row, true};
  }

 private:
  enum class Rule { length, tensor, maximum };
  friend constexpr auto texts(Rule) { return enum_texts("length", "tensor", "maximum"); }

  [[nodiscard]] double m(std::int64_t n, std::int64_t keys, std::int64_t rows,
                         std::int64_t key_rows) const {
    if (m_ == Rule::maximum) return static_cast<double>(max_length_);
    return static_cast<double>(m_ == Rule::tensor ? std::max(rows, key_rows) : std::max(n, keys));
  }

  [[nodiscard]] Value divide(const KernelSums& sums) const {
    const auto eps = static_cast<float>(eps_);
    const Value& d = sums.denominator;  // [H,N,1]
    if (!signed_map(act_)) return sums.numerator / clamp_min(d, eps);
    // sign(d) max(|d|, eps) = max(d, eps) where d >= 0 and min(d, -eps) elsewhere.
    const Value positive = step(d);
    return sums.numerator / (positive * clamp_min(d, eps) + (1.0F - positive) * clamp_max(d, -eps));
  }

  FeatureMap act_ = FeatureMap::relu;
  bool reweight_ = true;
  Rule m_ = Rule::length;
  double eps_ = 1e-6;
  bool causal_ = false;
  std::int64_t max_length_ = 1;
};

LRA_ATTENTION(cosformer, Cosformer,
              {.label = "cosFormer",
               .cite = "Qin2022, arXiv 2202.08791",
               .causal = true,
               .cross = true,
               .amplification = 4});  // maps that can be negative: denominators near 0

}  // namespace
}  // namespace lra::attention
