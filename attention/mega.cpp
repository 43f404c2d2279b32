// Mega. Ma, Zhou, Kong, He, Gui, Neubig, May, Zettlemoyer 2022, "Mega: Moving Average Equipped
// Gated Attention", arXiv 2209.10655, section 3.
//   X = norm(x),  V = silu(X Wv),  [u | z | r | c] = EMA(X) Wmx              moving_average.h
//   Q = gamma_0 silu(z) + beta_0,  K = gamma_1 silu(z) + beta_1              one head, `zdim` wide
//   O = f(tau Q K^T + bias_(j-i)) V,  H = silu(c + (silu(r) O) Wh),  out = x + sigmoid(u) (H - x)
// f is softmax with tau = zdim^-1/2, or Laplace's or the squared ReLU function with tau = 1 / keys.
// The output includes the residual sum, so that the gate can select x itself; the block adds
// nothing (post-norm blocks normalise after it). `chunk_size` > 0 is Mega-chunk: attention within
// blocks of so many tokens; between them only the moving average passes. Time O(N c z), memory O(N
// E); without chunks O(N^2 z), with weights in tiles. Weights are [out, in], N(0, 0.02) at first.
// Ours: chunks of 128 by default; v is 2 E wide, as in the authors' LRA models, unless `hdim` says
// so; dropout as theirs on EMA(X) and H, none on V and the weights (0 in their LRA models). Longer
// than other variants: it is a whole layer with norm, gates and residual sum, and so is define().

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "attention/parts/affine_maps.h"
#include "attention/parts/moving_average.h"
#include "engine/fused/attention/row_attention.h"

namespace lra::attention {
namespace {

constexpr float kNormEps = 1e-5F;

double silu_of(double x) { return x / (1 + std::exp(-x)); }

// The first `rows` rows of x [N, C], with rows of zeros behind N.
Value with_rows(const Value& x, std::int64_t rows) {
  if (rows > x.dim(0)) return engine::pad(x, 0, 0, rows - x.dim(0));
  return rows < x.dim(0) ? engine::slice(x, 0, 0, rows) : x;
}

class Mega final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.integer("zdim", z_, 1, 65536, "width of queries and keys")
        .integer("hdim", h_, 0, 65536, "width of the values; 0: twice the model's width")
        .integer("chunk_size", chunk_, 0, 1 << 24, "tokens of a chunk; 0: the whole sequence")
        .choice("attention_activation", f_, "f, of the logits")
        .flag("causal", causal_, "a token sees itself and what is before it");
    average_.options(t);
  }

  // Golden files say `bidirectional`, and -1 for no chunks.
  [[nodiscard]] nlohmann::json golden_options(const nlohmann::json& hyper) override {
    nlohmann::json o = Attention::golden_options(hyper);
    o["causal"] = !hyper.value("bidirectional", true);
    o["chunk_size"] = std::max<std::int64_t>(0, hyper.value("chunk_size", std::int64_t{0}));
    return o;
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    const std::int64_t E = d.width;
    if (h_ == 0) h_ = 2 * E;
    const auto small = engine::init::normal(0, 0.02F);
    if (d.pre_norm) {
      ln_g_ = p.add("ln_g", {E}, engine::init::constant(1));
      ln_b_ = p.add("ln_b", {E}, engine::init::constant(0));
    }
    average_.build(p, "ema_", E, !causal_);
    v_ = add_affine_map(p, "v", E, h_, small);
    mx_ = add_affine_map(p, "mx", E, E + z_ + h_ + E, small);  // u, z, r, c
    out_ = add_affine_map(p, "h", h_, E, small);
    gamma_ = p.add("qk_gamma", {2, z_}, small);
    beta_ = p.add("qk_beta", {2, z_}, engine::init::constant(0));
    bias_ = p.add("relbias", {2 * (chunk_ > 0 ? chunk_ : d.max_length) - 1}, small);
  }

  [[nodiscard]] Value mix(const Value& x, const Context& c) const override {
    const std::int64_t E = x.dim(1);
    const auto drop = [&](const Value& y, const char* place) {
      return c.residual_dropout > 0 ? dropout(y, c.residual_dropout, c.call.of(place)) : y;
    };
    const Value X = ln_g_.defined() ? layer_norm(x, ln_g_.value(), ln_b_.value(), kNormEps) : x;
    const Value V = silu(v_(X));                                     // [N,h]
    const Value Xm = drop(average_(X, c.length), "moving average");  // [N,E]
    const Value u = sigmoid(mx_.part(Xm, 0, E));                     // [N,E]
    const Value z = silu(mx_.part(Xm, E, z_));                       // [N,z]
    const Value r = silu(mx_.part(Xm, E + z_, h_));                  // [N,h]
    const auto of_z = [&](std::int64_t i) {                          // Q, K [N,z]
      return z * slice(gamma_.value(), 0, i, 1) + slice(beta_.value(), 0, i, 1);
    };
    const Value O = attention(of_z(0), of_z(1), V, c.length);          // [N,h]
    const Value H = silu(mx_.part(Xm, E + z_ + h_, E) + out_(O * r));  // [N,E]
    return x + u * (drop(H, "gated attention") - x);
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override;

 private:
  enum class Function { softmax, laplace, relu2 };
  friend constexpr auto texts(Function) { return enum_texts("softmax", "laplace", "relu2"); }

  // Keys that token i sees: those of its chunk, of n in all, and in causal use up to itself.
  [[nodiscard]] std::int64_t keys(std::int64_t i, std::int64_t n) const {
    const std::int64_t chunk = chunk_ > 0 ? chunk_ : n;
    const std::int64_t first = i / chunk * chunk;
    return causal_ ? i - first + 1 : std::min(chunk, n - first);
  }

  // The chunks of q, k, v [N, .] as heads of row_attention; one bias serves all.
  [[nodiscard]] Value attention(Value q, const Value& k, const Value& v, std::int64_t n) const {
    const std::int64_t N = q.dim(0);
    const std::int64_t chunk = chunk_ > 0 ? std::min(chunk_, N) : N;
    const std::int64_t chunks = (n + chunk - 1) / chunk;
    engine::RowAttentionOptions o{.causal = causal_};
    if (f_ == Function::softmax) {
      o.scale = 1 / std::sqrt(static_cast<float>(z_));
    } else {
      o.weights.rule = f_ == Function::laplace ? engine::RowRule::laplace : engine::RowRule::relu2;
      const Tensor tau = Tensor::zeros({N, 1});  // 1 / keys of each row
      for (std::int64_t i = 0; i < n; ++i) tau.f32()[i] = 1 / static_cast<float>(keys(i, n));
      q = q * Value(tau);
    }
    for (std::int64_t i = 0; i < chunks; ++i) o.keys.push_back(std::min(chunk, n - i * chunk));
    const auto cut = [&](const Value& y) {
      return engine::reshape(with_rows(y, chunks * chunk), {chunks, chunk, y.dim(1)});
    };
    // A bucket may have more rows than the longest sequence: their bias is that of padding, 0.
    const std::int64_t missing =
        std::max<std::int64_t>(0, chunk - (bias_.value_f32().dim(0) + 1) / 2);
    const Value bias = engine::pad(bias_.value_f32(), 0, missing, missing);
    const Value y = engine::row_attention(cut(q), cut(k), cut(v), bias, o);
    return with_rows(engine::reshape(y, {chunks * chunk, v.dim(1)}), N);
  }

  std::int64_t z_ = 64, h_ = 0, chunk_ = 128;
  Function f_ = Function::softmax;
  bool causal_ = false;
  MovingAverage average_;
  AffineMap v_, mx_, out_;
  Parameter ln_g_, ln_b_, gamma_, beta_, bias_;
};

Plain Mega::define(const PlainInputs& in) const {
  const auto& P = in.parameters;
  const std::int64_t n = in.x.dim(0);
  const std::int64_t E = in.x.dim(1);
  Plain X = in.x;
  for (std::int64_t i = 0; i < n; ++i) {
    double mean = 0;
    double variance = 0;
    for (std::int64_t e = 0; e < E; ++e) mean += in.x(i, e) / static_cast<double>(E);
    for (std::int64_t e = 0; e < E; ++e) {
      variance += std::pow(in.x(i, e) - mean, 2) / static_cast<double>(E);
    }
    for (std::int64_t e = 0; e < E; ++e) {
      const double normal = (in.x(i, e) - mean) / std::sqrt(variance + kNormEps);
      X(i, e) = normal * P.at("ln_g")(e) + P.at("ln_b")(e);
    }
  }
  const Plain V = plain_affine_map(in, "v", X);
  const Plain parts = plain_affine_map(in, "mx", average_.define(in, X));
  const auto qk = [&](std::int64_t which, std::int64_t i, std::int64_t c) {
    return P.at("qk_gamma")(which, c) * silu_of(parts(i, E + c)) + P.at("qk_beta")(which, c);
  };
  Plain gated({n, h_});
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t first = chunk_ > 0 ? i / chunk_ * chunk_ : 0;
    const std::int64_t end = causal_ ? i + 1 : (chunk_ > 0 ? std::min(n, first + chunk_) : n);
    const double tau = f_ == Function::softmax ? std::sqrt(static_cast<double>(z_))
                                               : static_cast<double>(end - first);
    std::vector<double> w;
    for (std::int64_t j = first; j < end; ++j) {
      double s = P.at("relbias")((P.at("relbias").dim(0) - 1) / 2 + j - i);
      for (std::int64_t c = 0; c < z_; ++c) s += qk(0, i, c) * qk(1, j, c) / tau;
      if (f_ == Function::laplace) {
        s = (1 + std::erf((s - 0.707107) / (0.282095 * std::sqrt(2)))) / 2;
      }
      if (f_ == Function::relu2) s = std::pow(std::max(s, 0.0), 2);
      w.push_back(s);
    }
    if (f_ == Function::softmax) w = plain_softmax(w);
    for (std::int64_t j = first; j < end; ++j) {
      for (std::int64_t c = 0; c < h_; ++c) {
        gated(i, c) += w[static_cast<std::size_t>(j - first)] * silu_of(V(j, c)) *
                       silu_of(parts(i, E + z_ + c));
      }
    }
  }
  Plain out = plain_affine_map(in, "h", gated);
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t e = 0; e < E; ++e) {
      const double H = silu_of(parts(i, E + z_ + h_ + e) + out(i, e));
      out(i, e) = in.x(i, e) + (H - in.x(i, e)) / (1 + std::exp(-parts(i, e)));
    }
  }
  return out;
}

LRA_ATTENTION(mega, Mega,
              {.label = "MEGA-chunk",
               .cite = "Ma2022, arXiv 2209.10655",
               .input = Input::block,
               .causal = true,
               .residual = true});

}  // namespace
}  // namespace lra::attention
