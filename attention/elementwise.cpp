// Attention with an element-wise function of the logits in place of softmax, without a sum over
// keys. n is the number of real keys.
//   relu2    relu(q.k / n)^2              Hua, Dai, Liu, Le 2022, "Transformer Quality in Linear
//                                         Time", arXiv 2202.10447 (not divided by sqrt(D))
//   laplace  Phi((q.k / n - mu) / sigma)  Ma et al. 2022, "Mega", arXiv 2209.10655, eq. (14):
//                                         mu = sqrt(1/2), sigma = sqrt(1 / 4 pi), close to relu2
//   sigmoid  sigmoid(s - log n)           Ramapuram et al. 2024, "Theory, Analysis, and Best
//                                         Practices for Sigmoid Self-Attention", arXiv 2409.04431
//   relu     relu(s) / n                  Wortsman, Lee, Gilmer, Kornblith 2023, "Replacing softmax
//                                         with ReLU in Vision Transformers", arXiv 2309.08586
// with s = q.k / sqrt(D). Time O(N^2 D), memory O(N): weights are computed in tiles and again in
// the backward. Ours: the causal form keeps n, the length of the sequence, in every row.

#include <algorithm>
#include <cmath>

#include "attention/attention.h"
#include "engine/fused/attention/row_attention.h"

namespace lra::attention {
namespace {

class Elementwise final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.choice("act", act_, "function of the logits")
        .flag("causal", causal_, "a query sees itself and what is before it");
  }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const auto n = static_cast<float>(x.key_length);
    engine::RowAttentionOptions o{.keys = {x.key_length}, .causal = causal_};
    o.scale = by_length() ? 1.0F / n : 1.0F / std::sqrt(static_cast<float>(x.q.dim(2)));
    if (act_ == Act::relu2) o.weights.rule = engine::RowRule::relu2;
    if (act_ == Act::laplace) o.weights.rule = engine::RowRule::laplace;
    if (act_ == Act::sigmoid) {
      o.weights.rule = engine::RowRule::sigmoid;
      o.shift = -std::log(n);
    }
    if (act_ == Act::relu) o.weights = {.rule = engine::RowRule::relu, .factor = 1.0F / n};
    return engine::row_attention(x.q, x.k, x.v, {}, o);  // [H,N,Dv]
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const auto n = static_cast<double>(in.k.dim(1));
    const double scale = by_length() ? n : std::sqrt(static_cast<double>(in.q.dim(2)));
    const auto row = [=, this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      return Row{each_key(keys_of(i, k.dim(1), causal_),
                          [&](std::int64_t j) { return weight(dot(q, k, h, i, j) / scale, n); })};
    };
    return {in.q, in.k, row};
  }

 private:
  enum class Act { relu2, laplace, sigmoid, relu };
  friend constexpr auto texts(Act) { return enum_texts("relu2", "laplace", "sigmoid", "relu"); }

  [[nodiscard]] bool by_length() const { return act_ == Act::relu2 || act_ == Act::laplace; }

  [[nodiscard]] double weight(double s, double n) const {
    if (act_ == Act::relu2) return std::pow(std::max(s, 0.0), 2);
    if (act_ == Act::laplace) return (1 + std::erf((s - 0.707107) / (0.282095 * std::sqrt(2)))) / 2;
    if (act_ == Act::sigmoid) return 1 / (1 + n * std::exp(-s));
    return std::max(s, 0.0) / n;
  }

  Act act_ = Act::relu2;
  bool causal_ = false;
};

LRA_ATTENTION(elementwise, Elementwise,
              {.label = "Element-wise",
               .cite = "Hua2022, arXiv 2202.10447",
               .time = Growth::quadratic,
               .memory = Growth::linear,
               .causal = true,
               .cross = true,
               .permutation_equivariant = true});

}  // namespace
}  // namespace lra::attention
