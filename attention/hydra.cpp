// Hydra attention. Bolya, Fu, Dai, Zhang, Hoffman 2022, "Hydra Attention: Efficient Attention with
// Many Heads", arXiv 2209.07484, eq. (8) with the cosine kernel of eq. (6).
//   o_i = phi(q_i) * sum_j phi(k_j) * v_j,   phi(x) = x / |x|   (* element-wise)
// Linear attention with as many heads as features, so phi normalises over the whole width E and the
// state is one vector: time O(N E), state O(E). The model's own heads have no effect.
// Ours: the norm's floor of 1e-12 (PyTorch's normalize), padded keys are left out, and `causal`
// sums over j <= i.

#include <algorithm>
#include <cmath>

#include "attention/attention.h"
#include "attention/parts/norms.h"

namespace lra::attention {
namespace {

constexpr double kNormFloor = 1e-12;

Value phi(const Value& x) {
  constexpr auto kSquaredFloor = static_cast<float>(kNormFloor * kNormFloor);
  return x / sqrt(clamp_min(squares_over_heads(x), kSquaredFloor));
}

// 1 / |row j of x|, over all heads.
double inverse_norm(const Plain& x, std::int64_t j) {
  double squares = 0;
  for (std::int64_t h = 0; h < x.dim(0); ++h) squares += dot(x, x, h, j, j);
  return 1 / std::max(std::sqrt(squares), kNormFloor);
}

class Hydra final : public Attention {
 public:
  void options(OptionTable& t) override { t.flag("causal", causal_, "sums over j <= i"); }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const Value k = mask_rows(phi(x.k), x.key_length);  // [H,M,D]  padded keys: 0
    const Value kv = k * x.v;                           // [H,M,D]
    // sum_j phi(k_j) * v_j  [H,1,D], or one for each query [H,N,D]
    const Value S = causal_ ? cumulative_sum(cast(kv, DType::f32), 1) : sum_f32(kv, 1);
    return phi(x.q) * S;  // [H,N,D]  eq. (8)
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override {
    Plain o(in.q.shape);
    for (std::int64_t i = 0; i < o.dim(1); ++i) {
      const double of_query = inverse_norm(in.q, i);
      for (std::int64_t j = 0; j < in.k.dim(1) && (!causal_ || j <= i); ++j) {
        const double scale = of_query * inverse_norm(in.k, j);
        for (std::int64_t h = 0; h < o.dim(0); ++h) {
          for (std::int64_t c = 0; c < o.dim(2); ++c) {
            o(h, i, c) += scale * in.q(h, i, c) * in.k(h, j, c) * in.v(h, j, c);
          }
        }
      }
    }
    return o;
  }

 private:
  bool causal_ = false;
};

LRA_ATTENTION(hydra, Hydra,
              {.label = "Hydra",
               .cite = "Bolya2022, arXiv 2209.07484",
               .causal = true,
               .cross = true,
               .permutation_equivariant = true});

}  // namespace
}  // namespace lra::attention
