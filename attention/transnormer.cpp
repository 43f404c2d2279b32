// TransNormer. Qin, Han, Sun, Li, Kong, Barnes, Zhong 2022, "The Devil in Linear Transformer",
// arXiv 2210.10340, section 4. The first half of the layers has DiagAttention, the rest
// NormAttention:
//   NormAttention   y = phi(Q) (phi(K)^T V), heads merged;  o = y / (rms(y) + eps) over all
//   features DiagAttention   blocks of c tokens, s = q.k / sqrt(D): o = softmax(s) v, or relu(s) v
//   and the
//                   same norm
// phi = elu with relu weights is their T1, phi = 1 + elu with softmax weights T2 (the default).
// Time O(N D^2) and O(N c D). c = 64 in the paper, 32 in its LRA code. Ours: padded keys weigh 0
// (the authors' code has no mask, and zero keys of the last block enter its softmax); causal form.

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "attention/attention.h"
#include "attention/parts/blocks.h"
#include "attention/parts/kernel_attention.h"
#include "attention/parts/norms.h"

namespace lra::attention {
namespace {

double phi(double x, bool shifted) {
  return x > 0 ? x + (shifted ? 1 : 0) : std::exp(x) - (shifted ? 0 : 1);
}

// o / (rms(o) + eps), in place.
void rms_norm(Plain& o, double eps) {
  for (std::int64_t i = 0; i < o.dim(1); ++i) {
    double squares = 0;
    for (std::int64_t h = 0; h < o.dim(0); ++h) squares += dot(o, o, h, i, i);
    const double rms = std::sqrt(squares / static_cast<double>(o.dim(0) * o.dim(2))) + eps;
    for (std::int64_t h = 0; h < o.dim(0); ++h) {
      for (std::int64_t c = 0; c < o.dim(2); ++c) o(h, i, c) /= rms;
    }
  }
}

class Transnormer final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.choice("kind", kind_, "by_layer: diag in the first half of the layers, norm in the rest")
        .choice("act", act_, "phi of NormAttention")
        .choice("weights", weights_, "of DiagAttention")
        .integer("chunk_size", chunk_, 1, 4096, "c, tokens of a block of DiagAttention")
        .number("rms_eps", eps_, 0, 1, "added to the root mean square")
        .flag("causal", causal_, "a query sees itself and what is before it");
  }

  void build(const ParameterBuilder&, const Dimensions& d) override {
    diag_ = kind_ == Kind::diag || (kind_ == Kind::by_layer && d.layer < (d.layers + 1) / 2);
  }

  [[nodiscard]] nlohmann::json golden_options(const nlohmann::json& hyper) override {
    nlohmann::json o = hyper;
    o["kind"] = hyper.value("kind", "") == "DiagAttention" ? "diag" : "norm";
    if (hyper.contains("weights")) {
      o["weights"] = hyper["weights"].get<std::string>().starts_with("relu") ? "relu" : "softmax";
    }
    return Attention::golden_options(o);
  }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const auto eps = static_cast<float>(eps_);
    if (!diag_) {
      const Value q = phi(x.q);                                                    // [H,N,D]
      const Value k = mask_rows(phi(x.k), x.key_length);                           // [H,N,D]
      return rms_norm_over_heads(kernel_sums(q, k, x.v, causal_).numerator, eps);  // [H,N,Dv]
    }
    const std::int64_t N = x.q.dim(1);
    const auto blocks = [&](const Value& y) { return cut_blocks(y, x.length, chunk_); };
    const float scale = 1.0F / std::sqrt(static_cast<float>(x.q.dim(2)));
    const Value S = matmul(blocks(x.q), blocks(x.k), {.transpose_b = true, .f32_result = true});
    const Tensor allow = block_admissible(N, x.length, chunk_, causal_);  // [1,C c,c]
    const Shape rows{x.q.dim(0), S.dim(0) / x.q.dim(0) * chunk_, chunk_};
    const Value A = block_weights(reshape(S * scale, rows), allow);      // [H,C c,c]
    const Value w = cast(reshape(A, S.shape()), x.v.dtype());            // [H C,c,c]
    const Value o = join_blocks(matmul(w, blocks(x.v)), x.q.dim(0), N);  // [H,N,Dv]
    return weights_ == BlockWeights::relu ? rms_norm_over_heads(o, eps) : o;
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    if (diag_) return diag_weights(in);
    const bool shifted = act_ == Act::one_plus_elu;
    const auto feature = [shifted](double x) { return attention::phi(x, shifted); };
    const auto row = [this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      return Row{each_key(keys_of(i, k.dim(1), causal_),
                          [&](std::int64_t j) { return dot(q, k, h, i, j); })};
    };
    return {mapped(in.q, feature), mapped(in.k, feature), row, true, false};
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override {
    const Weights w = weights(in);
    Plain o = weighted_sum(w, in.v);
    if (!w.whole) rms_norm(o, eps_);
    return o;
  }

 private:
  enum class Kind { by_layer, norm, diag };
  friend constexpr auto texts(Kind) { return enum_texts("by_layer", "norm", "diag"); }
  enum class Act { elu, one_plus_elu };
  friend constexpr auto texts(Act) { return enum_texts("elu", "1+elu"); }
  enum class BlockWeights { softmax, relu };
  friend constexpr auto texts(BlockWeights) { return enum_texts("softmax", "relu"); }

  [[nodiscard]] Value phi(const Value& x) const {
    return act_ == Act::elu ? elu(x) : elu_plus_one(x);
  }

  // s [H, C c, c].
  [[nodiscard]] Value block_weights(const Value& s, const Tensor& allow) const {
    if (weights_ == BlockWeights::softmax) {
      return allow.defined() ? masked_softmax(s, allow) : softmax(s);
    }
    return allow.defined() ? relu(s) * Value(allow) : relu(s);
  }

  // Softmax or relu of the logits of i's own block, zeros elsewhere.
  [[nodiscard]] Weights diag_weights(const PlainInputs& in) const {
    if (weights_ == BlockWeights::softmax) {
      return softmax_weights(in.q, in.k, causal_,
                             [this](std::int64_t, std::int64_t i, std::int64_t j) {
                               return i / chunk_ == j / chunk_ ? 1 : 0;
                             });
    }
    const double root = std::sqrt(static_cast<double>(in.q.dim(2)));
    const auto row = [=, this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      return Row{each_key(keys_of(i, k.dim(1), causal_), [&](std::int64_t j) {
        return i / chunk_ == j / chunk_ ? std::max(dot(q, k, h, i, j) / root, 0.0) : 0.0;
      })};
    };
    return {in.q, in.k, row, false, false};
  }

  Kind kind_ = Kind::by_layer;
  Act act_ = Act::one_plus_elu;
  BlockWeights weights_ = BlockWeights::softmax;
  std::int64_t chunk_ = 64;
  double eps_ = 1e-2;
  bool causal_ = false;
  bool diag_ = false;
};

LRA_ATTENTION(transnormer, Transnormer,
              {.label = "TransNormer", .cite = "Qin2022b, arXiv 2210.10340", .causal = true});

}  // namespace
}  // namespace lra::attention
