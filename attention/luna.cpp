// Luna. Ma, Kong, Wang, Zhou, May, Ma, Zettlemoyer 2021, "Luna: Linear Unified Nested Attention",
// arXiv 2106.01540, eq. (4)-(7).
// Attention in two steps through a packed sequence P of L vectors, itself carried from layer to
// layer:   Yp = MHA(P Wpq; X Wpc)   (pack, no output projection)
//          Y  = MHA(X Wq; Yp Wc) Wout   (unpack),   P of the next layer = LN(Yp + P)
// Both are softmax attention with logits / sqrt(D). With `tie_kv` one projection serves keys and
// values (Wpc, Wc), else there are two (Wpk, Wpv, Wk, Wv). P of the first layer is learned. Weights
// are [out, in] with biases, as in the authors' code. Time O(N L E), memory O(N E). Ours: the norm
// of P belongs to the layer that reads it, so that the last layer has none without use. The paper's
// causal form is another function (no softmax in the pack) and not offered.

#include <algorithm>
#include <array>
#include <cmath>

#include "attention/attention.h"
#include "attention/parts/affine_maps.h"

namespace lra::attention {
namespace {

constexpr float kNormEps = 1e-5F;

// Multi-head softmax attention of plain rows q [n, E] over k, v [m, E].
Plain plain_mha(const Plain& q, const Plain& k, const Plain& v, std::int64_t heads) {
  const std::int64_t D = q.dim(1) / heads;
  Plain o(q.shape);
  for (std::int64_t h = 0; h < heads; ++h) {
    for (std::int64_t i = 0; i < q.dim(0); ++i) {
      std::vector<double> s(static_cast<std::size_t>(k.dim(0)), 0.0);
      for (std::int64_t j = 0; j < k.dim(0); ++j) {
        double& logit = s[static_cast<std::size_t>(j)];
        for (std::int64_t c = h * D; c < (h + 1) * D; ++c) logit += q(i, c) * k(j, c);
        logit /= std::sqrt(static_cast<double>(D));
      }
      const double largest = *std::max_element(s.begin(), s.end());
      double sum = 0;
      for (double& w : s) sum += (w = std::exp(w - largest));
      for (std::int64_t j = 0; j < k.dim(0); ++j) {
        const double w = s[static_cast<std::size_t>(j)] / sum;
        for (std::int64_t c = h * D; c < (h + 1) * D; ++c) o(i, c) += w * v(j, c);
      }
    }
  }
  return o;
}

class Luna final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.integer("pack_length", L_, 1, 4096, "L, vectors of the packed sequence")
        .integer("pack_heads", pack_heads_, 0, 1024, "heads of the pack step; 0: the model's")
        .flag("tie_kv", tie_kv_, "one projection for keys and values");
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    heads_ = d.heads;
    if (pack_heads_ == 0) pack_heads_ = d.heads;
    for (const std::int64_t heads : {heads_, pack_heads_}) {
      if (d.width % heads != 0) {
        fail(ErrorKind::config, "attention/luna: width {} is not a multiple of {} heads", d.width,
             heads);
      }
    }
    const auto add = [&](const std::string& name, float gain) {
      return add_affine_map(p, name, d.width, d.width,
                            engine::init::xavier_uniform(d.width, d.width, gain));
    };
    const float gain = std::sqrt(0.5F);
    pq_ = add("pq", gain);
    q_ = add("q", gain);
    pk_ = add(tie_kv_ ? "pc" : "pk", gain);
    k_ = add(tie_kv_ ? "c" : "k", gain);
    pv_ = tie_kv_ ? pk_ : add("pv", gain);
    v_ = tie_kv_ ? k_ : add("v", gain);
    out_ = add("out", 1.0F);
    if (d.layer == 0) {
      p_ = p.add("p", {L_, d.width}, engine::init::normal(0, 1), {.decay = false});
    } else {
      norm_gain_ = p.add("p_norm.weight", {d.width}, engine::init::constant(1));
      norm_bias_ = p.add("p_norm.bias", {d.width}, engine::init::constant(0));
    }
  }

  [[nodiscard]] Value mix(const Value& x, const Context& c) const override {
    const Value P = packed(c);                                            // [L,E]
    const Value Yp = mha(pq_(P), pk_(x), pv_(x), c.length, pack_heads_);  // [L,E]  eq. (4)
    const Value Y = mha(q_(x), k_(Yp), v_(Yp), L_, heads_);               // [N,E]  eq. (5)
    if (c.carried != nullptr) {
      (*c.carried)["yp"] = Yp;
      (*c.carried)["p"] = P;
    }
    return out_(Y);
  }

  // Parameters of the first layer, whose P is learned.
  [[nodiscard]] Plain define(const PlainInputs& in) const override {
    const auto names =
        tie_kv_ ? std::array{"pc", "pc", "c", "c"} : std::array{"pk", "pv", "k", "v"};
    const Plain Yp = plain_mha(plain_affine_map(in, "pq", in.parameters.at("p")),
                               plain_affine_map(in, names[0], in.x),
                               plain_affine_map(in, names[1], in.x), pack_heads_);
    const Plain Y = plain_mha(plain_affine_map(in, "q", in.x), plain_affine_map(in, names[2], Yp),
                              plain_affine_map(in, names[3], Yp), heads_);
    return plain_affine_map(in, "out", Y);
  }

 private:
  // LN(Yp + P) from the previous layer, or the learned P.
  [[nodiscard]] Value packed(const Context& c) const {
    if (p_.defined()) return p_.value();
    if (c.carried == nullptr || c.carried->count("yp") == 0) {
      fail(ErrorKind::config, "attention/luna: missing packed sequence from the previous layer");
    }
    return layer_norm(c.carried->at("yp") + c.carried->at("p"), norm_gain_.value(),
                      norm_bias_.value(), kNormEps);
  }

  // Rows q [n, E] over the first `keys` rows of k, v [m, E].
  [[nodiscard]] static Value mha(const Value& q, const Value& k, const Value& v, std::int64_t keys,
                                 std::int64_t heads) {
    const auto cut = [heads](const Value& x) { return engine::split_heads(x, 1, heads).front(); };
    engine::SoftmaxAttentionOptions o;
    o.scale = 1.0F / std::sqrt(static_cast<float>(q.dim(1) / heads));
    o.keys = keys;
    return merge_heads(engine::softmax_attention(cut(q), cut(k), cut(v), o));
  }

  std::int64_t L_ = 16;
  std::int64_t pack_heads_ = 0;
  bool tie_kv_ = true;
  std::int64_t heads_ = 1;
  AffineMap pq_, q_, pk_, pv_, k_, v_, out_;
  Parameter p_, norm_gain_, norm_bias_;
};

LRA_ATTENTION(luna, Luna,
              {.label = "Luna",
               .cite = "Ma2021, arXiv 2106.01540",
               .input = Input::block,
               .permutation_equivariant = true});

}  // namespace
}  // namespace lra::attention
