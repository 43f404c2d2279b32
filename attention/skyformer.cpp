// Skyformer. Chen, Zeng, Ji, Yang 2021, "Skyformer: Remodel Self-Attention with Gaussian Kernel and
// Nystrom Method", arXiv 2111.00035, section 4 and the authors' code.
// The Gaussian attention K(q, k) = e^(-|q - k|^2 / 2) by a Nystrom sketch of its completion over
// X = [q; k]: X_S are S rows of X, half of them queries and half keys, drawn with replacement.
//   G = K(X_S, X_S) + ridge I,  s = (G 1)^-1/2,  Z = (diag(s) G diag(s))^-1 by pseudo_inverse.h
//   o = K(q, X_S) diag(s) Z diag(s) K(X_S, k) v, not normalised.
// Time O(N S D + S^3), memory O(N S). q and k are multiplied by norm_dim^-1/4; their code always
// uses 32, the head width of the authors' models, whatever D is. Ridge and diagonal scaling are in
// the code, not in the paper. Ours: the start value of the iteration is each matrix's own, where
// the code takes it over the whole batch; G and Z are in f32 also in bf16 runs.

#include <cmath>

#include "attention/attention.h"
#include "attention/parts/gaussian.h"
#include "attention/parts/pseudo_inverse.h"

namespace lra::attention {
namespace {

class Skyformer final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.integer("sketch_size", S_, 1, 65536, "S, sampled rows")
        .number("norm_dim", norm_dim_, 1e-3, 1e6, "q and k are multiplied by norm_dim^-1/4")
        .number("ridge", ridge_, 0, 1e3, "added to the diagonal of G")
        .integer("pinv_iters", iterations_, 1, 100, "steps of the pseudo-inverse");
  }

  [[nodiscard]] Value forward(const Heads& x, const Context& c) const override {
    const auto scale = static_cast<float>(std::pow(norm_dim_, -0.25));
    const Value q = x.q * scale;
    const Value k = x.k * scale;
    const std::vector<float> sketch = c.draw("sketch", [&] {
                                         return draw(x.length, x.key_length, q.dim(1), c.call);
                                       }).to_floats();
    const Value X_S = rows(q, k, sketch);  // [H,S,D]

    const Value wide = cast(X_S, DType::f32);
    const Value G = gaussian_kernel(wide, wide) + Value(identity(X_S.dim(1)));  // [H,S,S]
    const Value s = pow(sum(G, 2), -0.5F);                                      // [H,S,1]
    const Value Z = pseudo_inverse(G * s * transpose(s), iterations_);          // [H,S,S]

    const Value v = mask_rows(x.v, x.key_length);
    const Value Kv =
        matmul(gaussian_kernel(k, X_S), v, {.transpose_a = true, .f32_result = true});  // [H,S,Dv]
    const Value ZKv = matmul(Z, Kv * s) * s;                                            // [H,S,Dv]
    return matmul(gaussian_kernel(q, X_S), cast(ZKv, x.v.dtype()));                     // [H,N,Dv]
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override {
    const std::vector<double>& sketch = in.draws.at("sketch").data;
    const auto S = static_cast<std::int64_t>(sketch.size());
    const std::int64_t H = in.q.dim(0);
    const double scale = 1 / std::sqrt(norm_dim_);
    Plain X({H, S, in.q.dim(2)});
    for (std::int64_t h = 0; h < H; ++h) {
      for (std::int64_t a = 0; a < S; ++a) {
        const auto at = static_cast<std::int64_t>(sketch[static_cast<std::size_t>(a)]);
        add_scaled(X, h, a, 1, at < in.rows ? in.q : in.k, at < in.rows ? at : at - in.rows);
      }
    }
    const auto kernel = [&](const Plain& a, const Plain& b) {
      Plain K({H, a.dim(1), b.dim(1)});
      for (std::int64_t h = 0; h < H; ++h) {
        for (std::int64_t i = 0; i < K.dim(1); ++i) {
          for (std::int64_t j = 0; j < K.dim(2); ++j) {
            K(h, i, j) = gaussian_kernel(a, b, h, i, j, scale);
          }
        }
      }
      return K;
    };
    Plain G = kernel(X, X);
    Plain s({H, S});
    for (std::int64_t h = 0; h < H; ++h) {
      for (std::int64_t a = 0; a < S; ++a) {
        G(h, a, a) += ridge_;
        for (std::int64_t b = 0; b < S; ++b) s(h, a) += G(h, a, b);
      }
    }
    const auto both_sides = [&](Plain A) {
      for (std::int64_t h = 0; h < H; ++h) {
        for (std::int64_t a = 0; a < S; ++a) {
          for (std::int64_t b = 0; b < S; ++b) A(h, a, b) /= std::sqrt(s(h, a) * s(h, b));
        }
      }
      return A;
    };
    const Plain middle = both_sides(pseudo_inverse(both_sides(G), iterations_));
    return product(kernel(in.q, X), product(middle, product(kernel(X, in.k), in.v)));
  }

 private:
  // Rows of [q; k]: a query below N, a key from N on.
  [[nodiscard]] Tensor draw(std::int64_t n, std::int64_t m, std::int64_t N, RandomKey key) const {
    RandomStream random(key.of("sketch"));
    const Tensor sketch({S_}, DType::f32);
    for (std::int64_t a = 0; a < S_; ++a) {
      const bool query = a < S_ / 2;
      const std::uint32_t at = random.below(static_cast<std::uint32_t>(query ? n : m));
      sketch.f32()[a] = static_cast<float>(query ? at : N + at);
    }
    return sketch;
  }

  // The sketch's rows of [q; k] in each head.
  [[nodiscard]] static Value rows(const Value& q, const Value& k,
                                  const std::vector<float>& sketch) {
    const Value X = engine::concat({q, k}, 1);  // [H,N+M,D]
    const auto S = static_cast<std::int64_t>(sketch.size());
    const Tensor index({X.dim(0) * S}, DType::i32);
    for (std::int64_t h = 0; h < X.dim(0); ++h) {
      for (std::int64_t a = 0; a < S; ++a) {
        const auto at =
            h * X.dim(1) + static_cast<std::int64_t>(sketch[static_cast<std::size_t>(a)]);
        index.i32()[h * S + a] = static_cast<std::int32_t>(at);
      }
    }
    const Value flat = reshape(X, {X.dim(0) * X.dim(1), X.dim(2)});
    return reshape(gather_rows(flat, index), {X.dim(0), S, X.dim(2)});
  }

  // ridge I.
  [[nodiscard]] Tensor identity(std::int64_t S) const {
    Tensor I = Tensor::zeros({1, S, S});
    for (std::int64_t a = 0; a < S; ++a) I.f32()[a * S + a] = static_cast<float>(ridge_);
    return I;
  }

  std::int64_t S_ = 128;
  double norm_dim_ = 32;
  double ridge_ = 0.1;
  std::int64_t iterations_ = 6;
};

LRA_ATTENTION(skyformer, Skyformer,
              {.label = "Skyformer",
               .cite = "Chen2021, arXiv 2111.00035",
               .stochastic = true,
               .cross = true,
               .ill_conditioned = true});  // an iterated inverse

}  // namespace
}  // namespace lra::attention
