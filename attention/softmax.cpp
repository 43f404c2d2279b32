// Softmax attention. Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser, Polosukhin 2017,
// "Attention Is All You Need", arXiv 1706.03762, eq. (1).
// Time O(N^2 D). Memory O(N^2) in the plain form, which the efficiency tables of the literature
// measured, and O(N) in the tiled one (the default), which recomputes the weights in the backward.
// Both forms are exact and equal. Dropout acts on the weights, as in the LRA and PyTorch models.
// The scale c of the logits c q_i.k_j is D^-1/2, or by `logit_scale` one that grows with the number
// n of keys that a query sees, so that rows need not spread as n grows: `ssmax`, D^-1/2 s_h log n
// with s_h learned (Nakanishi 2025, "Scalable-Softmax Is Superior for Attention", arXiv 2501.19399;
// at first 0.43, as in a port), `log_n`, D^-1/2 log n / log n0 (ours), or `none`, 1.

#include <algorithm>
#include <cmath>

#include "attention/attention.h"
#include "attention/parts/masks.h"

namespace lra::attention {
namespace {

class Softmax final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.choice("form", form_, "tiled: memory linear in N; plain: keeps N x N")
        .choice(
            "logit_scale", law_,
            "scale of the logits: D^-1/2, 1, D^-1/2 log n / log n0, D^-1/2 s log n with learned s")
        .number("n0", n0_, 2, 1e9, "keys at which log_n equals sqrt_d")
        .flag("causal", causal_, "a query sees itself and what is before it");
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    if (law_ == Law::ssmax) {
      s_ = p.add("s", {d.heads}, engine::init::constant(kFirstScale), {.decay = false});
    }
  }

  [[nodiscard]] Value forward(const Heads& x, const Context& c) const override {
    const float scale = law_ == Law::none ? 1.0F : 1.0F / std::sqrt(static_cast<float>(x.q.dim(2)));
    const Value q = scaled(x);
    if (form_ == Form::tiled) {
      return engine::softmax_attention(q, x.k, x.v,
                                       {.scale = scale,
                                        .keys = x.key_length,
                                        .causal = causal_,
                                        .dropout = c.dropout,
                                        .key = c.call.of("weights")});
    }
    const Value S = matmul(q, x.k, {.transpose_b = true, .f32_result = true}) * scale;  // [H,N,M]
    const Tensor allow = admissible(S.dim(1), S.dim(2), x.key_length, causal_);         // [1,N,M]
    const Value A = cast(masked_softmax(S, allow), x.v.dtype());                        // [H,N,M]
    return matmul(dropout(A, c.dropout, c.call.of("weights")), x.v);                    // [H,N,Dv]
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const Plain learned = law_ == Law::ssmax ? in.parameters.at("s") : Plain();
    const auto row = [=, this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      const std::int64_t keys = keys_of(i, k.dim(1), causal_);
      double c = law_ == Law::none ? 1 : 1 / std::sqrt(static_cast<double>(q.dim(2)));
      if (law_ == Law::log_n) c *= std::log(static_cast<double>(keys)) / std::log(n0_);
      if (law_ == Law::ssmax) c *= learned(h) * std::log(static_cast<double>(keys));
      return Row{
          plain_softmax(each_key(keys, [&](std::int64_t j) { return c * dot(q, k, h, i, j); }))};
    };
    return {in.q, in.k, row};
  }

 private:
  enum class Form { tiled, plain };
  friend constexpr auto texts(Form) { return enum_texts("tiled", "plain"); }
  enum class Law { sqrt_d, none, log_n, ssmax };
  friend constexpr auto texts(Law) { return enum_texts("sqrt_d", "none", "log_n", "ssmax"); }

  // The factor that depends on n is applied to q, so that one kernel serves all scales.
  [[nodiscard]] Value scaled(const Heads& x) const {
    if (law_ != Law::log_n && law_ != Law::ssmax) return x.q;
    const double unit = law_ == Law::log_n ? std::log(n0_) : 1.0;
    const Tensor logs({1, x.q.dim(1), 1}, DType::f32);  // log n of each row
    for (std::int64_t i = 0; i < x.q.dim(1); ++i) {
      const std::int64_t keys = std::max<std::int64_t>(keys_of(i, x.key_length, causal_), 1);
      logs.f32()[i] = static_cast<float>(std::log(static_cast<double>(keys)) / unit);
    }
    const Value q = x.q * Value(logs);
    return law_ == Law::log_n ? q : q * reshape(s_.value_f32(), {x.q.dim(0), 1, 1});
  }

  static constexpr float kFirstScale = 0.43F;

  Form form_ = Form::tiled;
  Law law_ = Law::sqrt_d;
  double n0_ = 512;
  bool causal_ = false;
  Parameter s_;
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
