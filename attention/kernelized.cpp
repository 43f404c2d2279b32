// Kernelized attention. Chen, Zeng, Ji, Yang 2021, "Skyformer: Remodel Self-Attention with Gaussian
// Kernel and Nystrom Method", arXiv 2111.00035, section 3.1.
//   o_i = sum_j w_ij v_j,  w_ij = e^(-|q_i - k_j|^2 / (2 sqrt(D))), not normalised.
// Time O(N^2 D), memory O(N): weights are computed in tiles and again in the backward. The exponent
// is q.k - |q|^2/2 - |k|^2/2 with q and k times D^-1/4, and is cut at 0, which only rounding
// exceeds. Ours: the norms enter the product as two further features, [q, -|q|^2/2, 1] and
// [k, 1, -|k|^2/2], in f32 also in bf16 runs; the causal form. Dropout acts on the weights, as in
// the authors' code.

#include <cmath>

#include "attention/attention.h"
#include "attention/parts/gaussian.h"
#include "engine/fused/attention/row_attention.h"

namespace lra::attention {
namespace {

class Kernelized final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.flag("causal", causal_, "a query sees itself and what is before it");
  }

  [[nodiscard]] Value forward(const Heads& x, const Context& c) const override {
    const float scale = std::pow(static_cast<float>(x.q.dim(2)), -0.25F);
    const Value q = cast(x.q, DType::f32) * scale;
    const Value k = cast(x.k, DType::f32) * scale;
    const Value one_q(Tensor::full({q.dim(0), q.dim(1), 1}, 1.0F));
    const Value one_k(Tensor::full({k.dim(0), k.dim(1), 1}, 1.0F));
    const Value a = engine::concat({q, -half_squares(q), one_q}, 2);  // [H,N,D+2]
    const Value b = engine::concat({k, one_k, -half_squares(k)}, 2);  // [H,M,D+2]
    engine::RowAttentionOptions options;
    options.weights.rule = engine::RowRule::exp;
    options.keys = {x.key_length};
    options.causal = causal_;
    options.dropout = c.dropout;
    options.key = c.call.of("weights");
    return engine::row_attention(a, b, x.v, {}, options);  // [H,N,Dv]
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const double scale = 1 / std::sqrt(static_cast<double>(in.q.dim(2)));
    const auto row = [=, this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      return Row{each_key(keys_of(i, k.dim(1), causal_),
                          [&](std::int64_t j) { return gaussian_kernel(q, k, h, i, j, scale); })};
    };
    return {in.q, in.k, row};
  }

 private:
  bool causal_ = false;
};

LRA_ATTENTION(kernelized, Kernelized,
              {.label = "Kernelized Attention",
               .cite = "Chen2021, arXiv 2111.00035",
               .time = Growth::quadratic,
               .memory = Growth::linear,
               .causal = true,
               .cross = true,
               .permutation_equivariant = true});

}  // namespace
}  // namespace lra::attention
