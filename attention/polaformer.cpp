// PolaFormer. Meng, Luo, Huo, Li, Li, Zheng 2025, "PolaFormer: Polarity-aware Linear Attention for
// Vision Transformers", arXiv 2501.15061; equations from the authors' pola_pvt.py.
//   q, k <- q / softplus(c), k / softplus(c);  p = 1 + alpha sigmoid(e), one per head and feature
//   q+ = relu(q)^p, q- = relu(-q)^p, k likewise
//   same signs S_ij = q+_i.k+_j + q-_i.k-_j,  opposite ones T_ij = q-_i.k+_j + q+_i.k-_j
//   o_i = [sum_j S_ij v1_j / (sum_j S_ij + n eps), sum_j T_ij v2_j / (sum_j T_ij + n eps)]
// with v1, v2 the first and the second half of a head's features of v; then + a convolution of v
// (`local`) and times an affine map of the block's input (`gate`). Products of negative features,
// which a relu throws away, are kept, and a power makes rows sharper. Time O(N 2D Dv), state
// O(2 D Dv) per head. The convolution has 5 x 5 taps as published (2d); 5 in a sequence (1d) is
// ours.

#include <algorithm>
#include <cmath>

#include "attention/attention.h"
#include "attention/parts/depthwise.h"
#include "attention/parts/kernel_attention.h"

namespace lra::attention {
namespace {

constexpr double kSmallest = 1e-12;  // below it a feature is 0 for the power

class Polaformer final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.number("alpha", alpha_, 0, 16, "range of the learned powers, 1 to 1 + alpha")
        .number("eps", eps_, 0, 1, "times the number of keys, added to the denominators");
    local_.options(t);
    gate_.options(t);
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    if (d.head_dim < 2) {
      fail(ErrorKind::config, "attention/polaformer: head width must be at least 2; got {}",
           d.head_dim);
    }
    c_ = p.add("c", {d.heads * d.head_dim}, engine::init::constant(0));
    e_ = p.add("e", {d.heads, d.head_dim}, engine::init::constant(0));
    local_.build(p, d, "attention/polaformer");
    gate_.build(p, d);
  }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const std::int64_t Dv = x.v.dim(2);
    const Value scale = reshape(softplus(c_.value_f32()), {x.q.dim(0), 1, x.q.dim(2)});
    const Value p =
        reshape(sigmoid(e_.value_f32()), scale.shape()) * static_cast<float>(alpha_) + 1.0F;
    const Value q = cast(x.q, DType::f32) / scale;                           // [H,N,D]
    const Value k = mask_rows(cast(x.k, DType::f32) / scale, x.key_length);  // [H,M,D]
    const Value q1 = power(q, p, x.q.dtype());                               // q+
    const Value q2 = power(-q, p, x.q.dtype());                              // q-
    const Value k1 = power(k, p, x.k.dtype());    // k+, 0 for padded keys
    const Value k2 = power(-k, p, x.k.dtype());   // k-
    const Value K = engine::concat({k1, k2}, 2);  // [H,M,2D]
    const auto half = [&](const Value& Q, std::int64_t begin, std::int64_t count) {
      const KernelSums sums = kernel_sums(Q, K, slice(x.v, 2, begin, count), false);
      const auto eps = static_cast<float>(eps_ * static_cast<double>(x.key_length));
      return sums.numerator / (sums.denominator + eps);  // [H,N,count]
    };
    const Value same = half(engine::concat({q1, q2}, 2), 0, Dv / 2);
    const Value opposite = half(engine::concat({q2, q1}, 2), Dv / 2, Dv - Dv / 2);
    return gate_.apply(local_.add(engine::concat({same, opposite}, 2), x), x);  // [H,N,Dv]
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override;

 private:
  // max(x, 0)^p in f32, rounded to `type`.
  [[nodiscard]] static Value power(const Value& x, const Value& p, DType type) {
    const Value positive = step(x + static_cast<float>(-kSmallest));
    return cast(exp(log(clamp_min(x, static_cast<float>(kSmallest))) * p) * positive, type);
  }

  double alpha_ = 4;
  double eps_ = 1e-6;
  LocalMixing local_{Neighbours::one_dimensional, LocalMixing::Kernels::of_head};
  LinearGate gate_{true};
  Parameter c_, e_;
};

// Two matrices, one for each half of the features.
Plain Polaformer::define(const PlainInputs& in) const {
  const Plain& c = in.parameters.at("c");
  const Plain& e = in.parameters.at("e");
  const std::int64_t Dv = in.v.dim(2);
  Plain o({in.q.dim(0), in.q.dim(1), Dv});
  const auto features = [&](Plain x, double sign) {
    for (std::int64_t h = 0; h < x.dim(0); ++h) {
      for (std::int64_t i = 0; i < x.dim(1); ++i) {
        for (std::int64_t d = 0; d < x.dim(2); ++d) {
          const double y = sign * x(h, i, d) / std::log1p(std::exp(c(h * x.dim(2) + d)));
          x(h, i, d) = y > 0 ? std::pow(y, 1 + alpha_ / (1 + std::exp(-e(h, d)))) : 0.0;
        }
      }
    }
    return x;
  };
  const Plain q1 = features(in.q, 1);
  const Plain q2 = features(in.q, -1);
  const Plain k1 = features(in.k, 1);
  const Plain k2 = features(in.k, -1);
  const double eps = eps_ * static_cast<double>(in.k.dim(1));
  for (std::int64_t h = 0; h < o.dim(0); ++h) {
    for (std::int64_t i = 0; i < o.dim(1); ++i) {
      double same = eps;
      double opposite = eps;
      for (std::int64_t j = 0; j < in.k.dim(1); ++j) {
        const double S = dot(q1, k1, h, i, j) + dot(q2, k2, h, i, j);
        const double T = dot(q2, k1, h, i, j) + dot(q1, k2, h, i, j);
        for (std::int64_t f = 0; f < Dv; ++f) o(h, i, f) += (f < Dv / 2 ? S : T) * in.v(h, j, f);
        same += S;
        opposite += T;
      }
      for (std::int64_t f = 0; f < Dv; ++f) o(h, i, f) /= f < Dv / 2 ? same : opposite;
    }
  }
  local_.add(o, in);
  gate_.apply(o, in);
  return o;
}

LRA_ATTENTION(polaformer, Polaformer,
              {.label = "PolaFormer", .cite = "Meng2025, arXiv 2501.15061", .cross = true});

}  // namespace
}  // namespace lra::attention
