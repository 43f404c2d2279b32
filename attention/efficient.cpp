// Efficient attention. Shen, Zhang, Zhao, Yi, Li 2018, "Efficient Attention: Attention with Linear
// Complexities", arXiv 1812.01243, eq. (3)-(5) with the softmax normalisation.
//   E(Q, K, V) = rho_q(Q) (rho_k(K)^T V):  rho_q a softmax over the features of each query,
//   rho_k a softmax over the tokens of each feature of the keys.
// Time O(N D^2), state O(D^2) per head: a feature is a global attention map, and rho_k(K)^T V are
// its context vectors. No 1/sqrt(D). Code and paper agree. Ours: padded keys leave the token
// softmax, and its normaliser divides the D context vectors instead of the N keys. No causal form:
// rho_k depends on all tokens.

#include <algorithm>
#include <utility>

#include "attention/attention.h"
#include "engine/fused/features/maxima.h"

namespace lra::attention {
namespace {

class Efficient final : public Attention {
 public:
  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const std::int64_t m = x.key_length;
    const Value largest(engine::column_maximum(x.k.tensor(), m));         // [H,1,D]
    const Value k = mask_rows(exp(mask_rows(x.k - largest, m)), m);       // [H,M,D]  padding 0
    const Value z = reshape(sum_f32(k, 1), {x.k.dim(0), x.k.dim(2), 1});  // [H,D,1]
    const Value S = matmul(k, x.v, {.transpose_a = true, .f32_result = true}) / z;  // [H,D,Dv]
    return matmul(softmax(x.q), cast(S, x.v.dtype()));  // [H,N,Dv]  eq. (5)
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const auto row = [](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      return Row{each_key(k.dim(1), [&](std::int64_t j) { return dot(q, k, h, i, j); })};
    };
    Plain q = in.q;
    Plain k = in.k;
    for (std::int64_t h = 0; h < q.dim(0); ++h) {
      for (std::int64_t i = 0; i < q.dim(1); ++i) {
        const auto rho =
            plain_softmax(each_key(q.dim(2), [&](std::int64_t c) { return q(h, i, c); }));
        std::copy(rho.begin(), rho.end(), &q(h, i, 0));
      }
      for (std::int64_t d = 0; d < k.dim(2); ++d) {
        const auto rho =
            plain_softmax(each_key(k.dim(1), [&](std::int64_t j) { return k(h, j, d); }));
        for (std::int64_t j = 0; j < k.dim(1); ++j) k(h, j, d) = rho[static_cast<std::size_t>(j)];
      }
    }
    return {std::move(q), std::move(k), row, true};
  }
};

LRA_ATTENTION(efficient, Efficient,
              {.label = "Efficient",
               .cite = "Shen2018, arXiv 1812.01243",
               .cross = true,
               .permutation_equivariant = true});

}  // namespace
}  // namespace lra::attention
