// Hedgehog. Zhang, Bhatia, Kumbong, Re 2024, "The Hedgehog & the Porcupine: Expressive Linear
// Attentions with Softmax Mimicry", arXiv 2402.04347, eq. (3) and (6).
//   phi(x) = max([softmax(x W), softmax(-x W)], 1e-12)  [2D],  W [H,D,D] for queries, for keys
//   o_i = phi(q_i) sum_j phi(k_j) v_j^T / (phi(q_i) . sum_j phi(k_j) + 1e-12)
// Time O(N D 2D), state O(2 D^2) per head. W starts as the identity, so that phi is spiky where x
// is. The paper first trains W to mimic softmax; here all is trained from the start. As in the
// authors' code there is no 1/sqrt(D).

#include <algorithm>

#include "attention/attention.h"
#include "attention/parts/kernel_attention.h"

namespace lra::attention {
namespace {

constexpr double kEps = 1e-12;

// Ones on the diagonal of each [D, D].
engine::Initialiser identity(std::int64_t D) {
  return [D](RandomStream&, std::span<float> x) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i) % (D * D);
      x[i] = at / D == at % D ? 1.0F : 0.0F;
    }
  };
}

Value phi(const Value& x, const Parameter& W) {
  const Value w = W.value();
  const Value y = matmul(x, engine::concat({w, -w}, 2));                // [H,N,2D]  xW, -xW
  const Value halves = reshape(y, {y.dim(0), 2 * y.dim(1), w.dim(2)});  // [H,2N,D]
  const Value f = clamp_min(softmax(halves), static_cast<float>(kEps));
  return reshape(f, y.shape());  // [H,N,2D]
}

Plain phi(const Plain& x, const Plain& W) {
  const std::int64_t D = x.dim(2);
  Plain f({x.dim(0), x.dim(1), 2 * D});
  for (std::int64_t h = 0; h < x.dim(0); ++h) {
    for (std::int64_t i = 0; i < x.dim(1); ++i) {
      for (const int half : {0, 1}) {
        std::vector<double> y(static_cast<std::size_t>(D), 0.0);
        for (std::int64_t d = 0; d < D; ++d) {
          for (std::int64_t c = 0; c < D; ++c) {
            y[static_cast<std::size_t>(d)] += (half == 0 ? 1 : -1) * x(h, i, c) * W(h, c, d);
          }
        }
        y = plain_softmax(y);
        for (std::int64_t d = 0; d < D; ++d) {
          f(h, i, half * D + d) = std::max(y[static_cast<std::size_t>(d)], kEps);
        }
      }
    }
  }
  return f;
}

class Hedgehog final : public Attention {
 public:
  void options(OptionTable& t) override { t.flag("causal", causal_, "sums over j <= i"); }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    const Shape shape{d.heads, d.head_dim, d.head_dim};
    Wq_ = p.add("Wq", shape, identity(d.head_dim));
    Wk_ = p.add("Wk", shape, identity(d.head_dim));
  }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const Value q = phi(x.q, Wq_);                           // [H,N,2D]
    const Value k = mask_rows(phi(x.k, Wk_), x.key_length);  // [H,M,2D]  padded keys: 0
    const KernelSums sums = kernel_sums(q, k, x.v, causal_);
    return sums.numerator / (sums.denominator + static_cast<float>(kEps));  // [H,N,Dv]
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const auto row = [this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      return over_sum(each_key(keys_of(i, k.dim(1), causal_),
                               [&](std::int64_t j) { return dot(q, k, h, i, j); }),
                      kEps);
    };
    return {phi(in.q, in.parameters.at("Wq")), phi(in.k, in.parameters.at("Wk")), row, true};
  }

 private:
  bool causal_ = false;
  Parameter Wq_, Wk_;
};

LRA_ATTENTION(hedgehog, Hedgehog,
              {.label = "Hedgehog",
               .cite = "Zhang2024, arXiv 2402.04347",
               .causal = true,
               .cross = true,
               .permutation_equivariant = true});

}  // namespace
}  // namespace lra::attention
