// Softpick attention. Zuhri, Fuadi, Aji 2025, "Softpick: No Attention Sink, No Massive Activations
// with Rectified Softmax", arXiv 2504.20966; the authors' softpick-attention.
//   w_ij = max(e^s_ij - 1, 0) / (sum_j |e^s_ij - 1| + eps e^m_i),  s_ij = q_i.k_j / sqrt(D)
//   with m_i = max_j s_ij, eps = 1e-8 (the code adds eps after a factor e^-m)
// Keys with negative logits weigh exactly 0, rows sum to at most 1: a query need not attend any
// key. Time O(N^2 D), memory O(N): weights are computed in tiles and again in the backward. Ours:
// where all logits of a row are negative the weights are 0 without the overflow of e^-m in the
// code.

#include <algorithm>
#include <cmath>

#include "attention/attention.h"
#include "engine/fused/attention/row_attention.h"

namespace lra::attention {
namespace {

constexpr double kEps = 1e-8;

class Softpick final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.flag("causal", causal_, "a query sees itself and what is before it");
  }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const auto D = static_cast<float>(x.q.dim(2));
    return engine::row_attention(x.q, x.k, x.v, {},
                                 {.weights = {.rule = engine::RowRule::softpick},
                                  .scale = 1.0F / std::sqrt(D),
                                  .keys = {x.key_length},
                                  .causal = causal_});  // [H,N,Dv]
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const double root = std::sqrt(static_cast<double>(in.q.dim(2)));
    const auto row = [=, this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      Row p{each_key(keys_of(i, k.dim(1), causal_),
                     [&](std::int64_t j) { return dot(q, k, h, i, j) / root; })};
      const double m = std::max(0.0, *std::max_element(p.w.begin(), p.w.end()));
      double sum = kEps;
      for (double& s : p.w) {
        s = s < 1 ? std::exp(-m) * std::expm1(s) : std::exp(s - m) - std::exp(-m);
        sum += std::abs(s);
      }
      for (double& s : p.w) s = std::max(s, 0.0) / sum;
      return p;
    };
    return {in.q, in.k, row};
  }

 private:
  bool causal_ = false;
};

LRA_ATTENTION(softpick, Softpick,
              {.label = "Softpick",
               .cite = "Zuhri2025, arXiv 2504.20966",
               .time = Growth::quadratic,
               .memory = Growth::linear,
               .causal = true,
               .cross = true,
               .permutation_equivariant = true});

}  // namespace
}  // namespace lra::attention
