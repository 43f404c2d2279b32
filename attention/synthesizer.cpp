// Synthesizer. Tay, Bahri, Metzler, Juan, Zhao, Zheng 2020, "Synthesizer: Rethinking Self-Attention
// in Transformer Models", arXiv 2005.00743, section 3.
//   o = softmax(A) v,  A a sum of
//   random             Rnd                       [L, L] per head
//   factorized_random  R1 R2                     [L, kf] [kf, L] per head
//   dense              relu(x W1)_h W2           W1 [E, H D], W2 [D, L]
//   dot_product        q k^T / sqrt(D)
// with L the longest length; a shorter sequence uses the first rows and columns. Synthetic logits
// are not scaled. Time O(N^2 D). Every term but Rnd is a product of factors, so that their sum is
// the product of the factors set side by side and runs through the tiled softmax in O(N) memory;
// Rnd is added a few rows at a time. LRA's table has random + dot_product, whose H L^2 parameters
// per layer are not comparable with a Transformer; the default kind is. Ours: the padding mask,
// which LRA's code applies with dot_product only; the causal form.

#include <cmath>

#include "attention/attention.h"
#include "engine/fused/attention/row_attention.h"

namespace lra::attention {
namespace {

class Synthesizer final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.choice("kind", kind_, "synthetic logits")
        .integer("kf", kf_, 1, 4096, "rank of factorized_random")
        .flag("dot_product", dot_product_, "also the logits of softmax attention")
        .flag("causal", causal_, "a query sees itself and what is before it");
  }

  void build(const ParameterBuilder& parameters, const Dimensions& d) override {
    L_ = d.max_length;
    using engine::init::xavier_uniform;
    if (dense()) {
      W1_ = parameters.add("W1", Shape{d.width, d.heads * d.head_dim},
                           xavier_uniform(d.width, d.heads * d.head_dim));
      W2_ = parameters.add("W2", Shape{d.head_dim, L_}, xavier_uniform(d.head_dim, L_));
    }
    if (kind_ == Kind::factorized_random) {
      R1_ = parameters.add("R1", Shape{d.heads, L_, kf_}, xavier_uniform(L_, kf_));
      R2_ = parameters.add("R2", Shape{d.heads, kf_, L_}, xavier_uniform(kf_, L_));
    } else if (random()) {
      Rnd_ = parameters.add("Rnd", Shape{d.heads, L_, L_}, xavier_uniform(L_, L_));
    }
  }

  [[nodiscard]] Value forward(const Heads& x, const Context& c) const override {
    if (std::max(x.length, x.key_length) > L_) {
      fail(ErrorKind::shape, "attention/synthesizer: got {} tokens, expected at most {}",
           std::max(x.length, x.key_length), L_);
    }
    const std::int64_t N = x.v.dim(1);
    std::vector<Value> a, b;  // factors: A = sum of a b^T
    if (dense()) {
      const Value hidden = relu(matmul(x.x, W1_.value()));         // [N,HD]
      a.push_back(engine::split_heads(hidden, 1, x.v.dim(0))[0]);  // [H,N,D]
      const Value W2 = first(transpose(W2_.value()), 0, N);        // [N,D]
      b.push_back(expand(reshape(W2, {1, N, W2.dim(1)}), {x.v.dim(0), N, W2.dim(1)}));
    }
    if (kind_ == Kind::factorized_random) {
      a.push_back(first(R1_.value(), 1, N));             // [H,N,kf]
      b.push_back(first(transpose(R2_.value()), 1, N));  // [H,N,kf]
    }
    if (dot_product_) {
      a.push_back(x.q * (1.0F / std::sqrt(static_cast<float>(x.q.dim(2)))));
      b.push_back(x.k);
    }
    if (a.empty()) a = b = {Value(Tensor::zeros({x.v.dim(0), N, 1}, x.v.dtype()))};  // Rnd alone
    const Value A = concat(a, 2);                                                    // [H,N,*]
    const Value B = concat(b, 2);                                                    // [H,N,*]
    const RandomKey key = c.call.of("weights");
    if (Rnd_.defined()) {  // o = softmax(A B^T + Rnd) v  [H,N,Dv]
      return engine::row_attention(
          A, B, x.v, Rnd_.value(),
          {.keys = {x.key_length}, .causal = causal_, .dropout = c.dropout, .key = key});
    }
    return engine::softmax_attention(
        A, B, x.v, {.keys = x.key_length, .causal = causal_, .dropout = c.dropout, .key = key});
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const auto row = [&in, this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      const std::vector<double> a = factors(in, h, i);
      const double root = std::sqrt(static_cast<double>(q.dim(2)));
      return Row{plain_softmax(each_key(keys_of(i, k.dim(1), causal_), [&](std::int64_t j) {
        return logit(in, a, h, i, j) + (dot_product_ ? dot(q, k, h, i, j) / root : 0);
      }))};
    };
    return {in.q, in.k, row};
  }

 private:
  enum class Kind { factorized_random, random, dense, dense_and_random };
  friend constexpr auto texts(Kind) {
    return enum_texts("factorized_random", "random", "dense", "dense+random");
  }

  [[nodiscard]] bool dense() const {
    return kind_ == Kind::dense || kind_ == Kind::dense_and_random;
  }
  [[nodiscard]] bool random() const {
    return kind_ == Kind::random || kind_ == Kind::dense_and_random;
  }

  // The first `count` entries along an axis, zeros behind its end: rows of padding.
  [[nodiscard]] static Value first(const Value& p, int axis, std::int64_t count) {
    const std::int64_t known = std::min(count, p.dim(axis));
    return pad(slice(p, axis, 0, known), axis, 0, count - known);
  }

  // Query i's side of the synthetic logits: relu(x_i W1)_h of dense.
  [[nodiscard]] std::vector<double> factors(const PlainInputs& in, std::int64_t h,
                                            std::int64_t i) const {
    if (!dense()) return {};
    const Plain& W1 = in.parameters.at("W1");
    const std::int64_t D = in.parameters.at("W2").dim(0);
    return each_key(D, [&](std::int64_t d) {
      double hidden = 0;
      for (std::int64_t e = 0; e < W1.dim(0); ++e) hidden += in.x(i, e) * W1(e, h * D + d);
      return std::max(hidden, 0.0);
    });
  }

  [[nodiscard]] double logit(const PlainInputs& in, const std::vector<double>& hidden,
                             std::int64_t h, std::int64_t i, std::int64_t j) const {
    double s = 0;
    for (std::size_t d = 0; d < hidden.size(); ++d) {
      s += hidden[d] * in.parameters.at("W2")(static_cast<std::int64_t>(d), j);
    }
    if (kind_ == Kind::factorized_random) {
      for (std::int64_t f = 0; f < kf_; ++f) {
        s += in.parameters.at("R1")(h, i, f) * in.parameters.at("R2")(h, f, j);
      }
    } else if (random()) {
      s += in.parameters.at("Rnd")(h, i, j);
    }
    return s;
  }

  Kind kind_ = Kind::factorized_random;
  std::int64_t kf_ = 32;
  bool dot_product_ = false;
  bool causal_ = false;
  std::int64_t L_ = 1;
  Parameter W1_, W2_, R1_, R2_, Rnd_;
};

LRA_ATTENTION(synthesizer, Synthesizer,
              {.label = "Synthesizer",
               .cite = "Tay2020, arXiv 2005.00743",
               .time = Growth::quadratic,
               .memory = Growth::linear,
               .causal = true});

}  // namespace
}  // namespace lra::attention
