// Softmax attention. Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser, Polosukhin 2017,
// "Attention Is All You Need", arXiv 1706.03762, eq. (1).
// Time O(N^2 D). Memory O(N^2) in the plain form, which the efficiency tables of the literature
// measured, and O(N) in the tiled one (the default), which recomputes the weights in the backward.
// Both forms are exact and equal. Dropout acts on the weights, as in the LRA and PyTorch models.

#include <algorithm>
#include <cmath>

#include "attention/attention.h"
#include "attention/masks.h"

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

  [[nodiscard]] Plain define(const PlainInputs& in) const override {
    Plain o({in.q.dim(0), in.q.dim(1), in.v.dim(2)});
    for (std::int64_t h = 0; h < o.dim(0); ++h) {
      for (std::int64_t i = 0; i < o.dim(1); ++i) {
        const std::int64_t end = causal_ ? std::min(i + 1, in.k.dim(1)) : in.k.dim(1);
        std::vector<double> s;
        for (std::int64_t j = 0; j < end; ++j) {
          s.push_back(dot(in.q, in.k, h, i, j) / std::sqrt(static_cast<double>(in.q.dim(2))));
        }
        const double largest = *std::max_element(s.begin(), s.end());
        double sum = 0;
        for (double& a : s) sum += (a = std::exp(a - largest));
        for (std::int64_t j = 0; j < end; ++j) {
          add_scaled(o, h, i, s[static_cast<std::size_t>(j)] / sum, in.v, j);
        }
      }
    }
    return o;
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
