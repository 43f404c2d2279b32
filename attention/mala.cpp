// Magnitude-aware linear attention. Fan, Huang, Ai, He 2025, "Rectifying Magnitude Neglect in
// Linear Attention", arXiv 2507.00698; equations from the authors' model.py.
//   w_ij = (1 + 1/(z_i + eps)) s phi(q_i).phi(k_j) / n - z_i / n,   phi = elu + 1, s = D^-1/2
//   z_i = s phi(q_i).mean_j phi(k_j)
//   o_i = (1 + 1/(z_i + eps)) s phi(q_i) (1/n) sum_j phi(k_j) v_j^T - z_i vbar
// A denominator cancels the norm of phi(q); here a larger z makes the row sharper. Rows sum to 1,
// weights may be negative. Time O(N D^2), state O(D^2) per head. The published blocks also turn
// phi(q) and phi(k) by rotary positions in the product, not in z (`rotary`; theirs are of rows and
// columns, these of the sequence), add a convolution of v (`local`: 5 x 5 as published or 5 tokens)
// and multiply by an affine map of the input (`gate`): all off here, for comparison.

#include <cmath>

#include "attention/attention.h"
#include "attention/parts/depthwise.h"
#include "attention/parts/positions.h"

namespace lra::attention {
namespace {

double phi(double x) { return x > 0 ? x + 1 : std::exp(x); }

class Mala final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.number("eps", eps_, 0, 1, "added to z where it divides");
    rotary_.options(t, "rotary positions of phi(q), phi(k) in their product");
    local_.options(t);
    gate_.options(t);
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    local_.build(p, d, "attention/mala");
    gate_.build(p, d);
    rotary_.build(d);
  }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const auto n = static_cast<float>(x.key_length);
    const float s = 1 / std::sqrt(static_cast<float>(x.q.dim(2)));
    const Value q = elu_plus_one(x.q);                           // [H,N,D]
    const Value k = mask_rows(elu_plus_one(x.k), x.key_length);  // [H,M,D]
    const Value z =
        matmul(q, sum(k, 1) * (s / n), {.transpose_b = true, .f32_result = true});    // [H,N,1]
    const Value S = matmul(rotary_.turned(k), x.v, {.transpose_a = true}) * (s / n);  // [H,D,Dv]
    const Value vbar = sum(mask_rows(x.v, x.key_length), 1) / n;                      // [H,1,Dv]
    const Value sharpness = pow(z + static_cast<float>(eps_), -1) + 1.0F;             // [H,N,1]
    const Value o =
        matmul(rotary_.turned(q), S) * sharpness - matmul(cast(z, vbar.dtype()), vbar);  // [H,N,Dv]
    return gate_.apply(local_.add(o, x), x);
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const auto row = [this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      const double s = 1 / std::sqrt(static_cast<double>(q.dim(2)));
      const auto n = static_cast<double>(k.dim(1));
      double z = 0;
      for (std::int64_t j = 0; j < k.dim(1); ++j) z += s * dot(q, k, h, i, j) / n;
      return Row{each_key(k.dim(1), [&](std::int64_t j) {
        return ((1 + 1 / (z + eps_)) * s * rotary_.product(q, k, h, i, j) - z) / n;
      })};
    };
    return {mapped(in.q, phi), mapped(in.k, phi), row, true, !local_.on() && !gate_.on()};
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override {
    Plain o = weighted_sum(weights(in), in.v);
    local_.add(o, in);
    gate_.apply(o, in);
    return o;
  }

 private:
  double eps_ = 1e-6;
  OptionalRotary rotary_;
  LocalMixing local_{Neighbours::none, LocalMixing::Kernels::of_model};
  LinearGate gate_{false};
};

LRA_ATTENTION(mala, Mala,
              {.label = "MALA",
               .cite = "Fan2025, arXiv 2507.00698",
               .cross = true,
               .permutation_equivariant = true});

}  // namespace
}  // namespace lra::attention
