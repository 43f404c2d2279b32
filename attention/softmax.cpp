// Softmax attention. Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser, Polosukhin 2017,
// "Attention Is All You Need", arXiv 1706.03762, eq. (1).
// Time O(N^2 D). Memory O(N^2) in the plain form, which the efficiency tables of the literature
// measured, and O(N) in the tiled one (the default), which recomputes the weights in the backward.
// Both forms are exact and equal. Dropout acts on the weights, as in the LRA and PyTorch models.

#include <cmath>

#include "attention/attention.h"
#include "attention/parts/masks.h"

namespace lra::attention {
namespace {

class Softmax final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.choice("form", form_, {"tiled", "plain"}, "tiled: memory linear in N; plain: keeps N x N")
        .flag("causal", causal_, "a query sees itself and what is before it");
  }

  [[nodiscard]] Value forward(const Heads& x, const Context& c) const override {
    const float scale = 1.0F / std::sqrt(static_cast<float>(x.q.dim(2)));
    if (form_ == "tiled") {
      return engine::softmax_attention(x.q, x.k, x.v,
                                       {.scale = scale,
                                        .keys = x.key_length,
                                        .causal = causal_,
                                        .dropout = c.dropout,
                                        .key = c.call.of("weights")});
    }
    const Value S = matmul(x.q, x.k, {.transpose_b = true, .f32_result = true}) * scale;  // [H,N,M]
    const Tensor allow = admissible(S.dim(1), S.dim(2), x.key_length, causal_);           // [1,N,M]
    const Value A = cast(masked_softmax(S, allow), x.v.dtype());                          // [H,N,M]
    return matmul(dropout(A, c.dropout, c.call.of("weights")), x.v);  // [H,N,Dv]
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const double root = std::sqrt(static_cast<double>(in.q.dim(2)));
    const auto row = [=, this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      return Row{plain_softmax(each_key(keys_of(i, k.dim(1), causal_), [&](std::int64_t j) {
        return dot(q, k, h, i, j) / root;
      }))};
    };
    return {in.q, in.k, row};
  }

 private:
  std::string form_ = "tiled";
  bool causal_ = false;
};

LRA_ATTENTION(softmax, Softmax,
              {.label = "Transformer",
               .cite = "Vaswani2017, arXiv 1706.03762",
               .time = Growth::quadratic,
               .memory = Growth::linear,
               .causal = true,
               .cross = true,
               .permutation_equivariant = true});

}  // namespace
}  // namespace lra::attention
