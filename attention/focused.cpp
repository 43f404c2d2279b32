// Focused linear attention. Han, Pan, Han, Song, Huang 2023, "FLatten Transformer: Vision
// Transformer using Focused Linear Attention", arXiv 2308.00442; details from the authors' code.
//   y = (relu(x) + 1e-6) / softplus(c),  f = |y| y^p / |y^p|     p = 3, norms over all heads'
//   features o_i = f(q_i) sum_j f(k_j) v_j^T / (f(q_i) . sum_j f(k_j) + n eps) + depthwise
//   convolution of v
// The power keeps a vector's norm and turns it towards its largest features, so that weights are
// sharper. Time O(N D^2), state O(D^2) per head. The convolution (`local`) has 5 x 5 taps as
// published (2d); 5 in a sequence (1d) is ours.

#include <algorithm>
#include <cmath>

#include "attention/attention.h"
#include "attention/parts/depthwise.h"
#include "attention/parts/kernel_attention.h"
#include "attention/parts/norms.h"

namespace lra::attention {
namespace {

constexpr double kReluEps = 1e-6;

class Focused final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.integer("p", p_, 1, 8, "focusing power")
        .number("eps", eps_, 0, 1, "times the number of keys, added to the denominator");
    local_.options(t);
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    c_ = p.add("c", {d.heads * d.head_dim}, engine::init::constant(0));
    local_.build(p, d, "attention/focused");
  }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const auto eps = static_cast<float>(eps_ * static_cast<double>(x.key_length));
    const Value q = f(x.q);                           // [H,N,D]
    const Value k = mask_rows(f(x.k), x.key_length);  // [H,M,D]
    const KernelSums sums = kernel_sums(q, k, x.v, false);
    return local_.add(sums.numerator / (sums.denominator + eps), x);  // [H,N,Dv]
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const auto row = [this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      return over_sum(each_key(k.dim(1), [&](std::int64_t j) { return dot(q, k, h, i, j); }),
                      eps_ * static_cast<double>(k.dim(1)));
    };
    const Plain& c = in.parameters.at("c");
    return {f(in.q, c), f(in.k, c), row, true, !local_.on()};
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override {
    Plain o = weighted_sum(weights(in), in.v);
    local_.add(o, in);
    return o;
  }

 private:
  // |y| u^p / |u^p| with u = y / |y|: no power of a large norm.
  [[nodiscard]] Value f(const Value& x) const {
    const Value scale = reshape(softplus(c_.value_f32()), {x.dim(0), 1, x.dim(2)});
    const Value y = (relu(x) + static_cast<float>(kReluEps)) / scale;
    const Value norm = sqrt(squares_over_heads(y));             // [H,N,1]
    const Value power = pow(y / norm, static_cast<float>(p_));  // [H,N,D]
    return power * (norm / sqrt(squares_over_heads(power)));
  }

  [[nodiscard]] Plain f(Plain x, const Plain& c) const {
    for (std::int64_t i = 0; i < x.dim(1); ++i) {
      double squares = 0;
      double powers = 0;
      const auto each = [&](const auto& action) {
        for (std::int64_t h = 0; h < x.dim(0); ++h) {
          for (std::int64_t d = 0; d < x.dim(2); ++d) action(x(h, i, d), c(h * x.dim(2) + d));
        }
      };
      each([&](double& y, double scale) {
        y = (std::max(y, 0.0) + kReluEps) / std::log1p(std::exp(scale));
        squares += y * y;
        y = std::pow(y, static_cast<double>(p_));
        powers += y * y;
      });
      each([&](double& y, double) { y *= std::sqrt(squares / powers); });
    }
    return x;
  }

  std::int64_t p_ = 3;
  double eps_ = 1e-6;
  LocalMixing local_{Neighbours::one_dimensional, LocalMixing::Kernels::of_head};
  Parameter c_;
};

LRA_ATTENTION(focused, Focused,
              {.label = "FLatten", .cite = "Han2023, arXiv 2308.00442", .cross = true});

}  // namespace
}  // namespace lra::attention
