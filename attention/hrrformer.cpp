// Hrrformer. Alam, Raff, Biderman, Oates, Holt 2023, "Recasting Self-Attention with Holographic
// Reduced Representations", arXiv 2305.19534; details from the authors' code and its HRR package.
//   b = sum_j k_j (*) v_j                        circular convolution over the D features of a head
//   v'_i[m] = sum_t b[(m + t) mod D] q_i[t]      unbinding by q's involution
//   a = softmax over the tokens of cos(v_i, v'_i),   o_i = a_i v_i
// The weights apply to the tokens' own values: only b and the softmax are summed over tokens.
// Time O(N D^2), state O(D^2) per head. No transform: b is computed from K^T V, the unbinding is a
// product with the circulant matrix of b. Ours: cosines of zero vectors are 0 (the code divides 0
// by 0).

#include <cmath>
#include <map>

#include "attention/attention.h"
#include "attention/parts/masks.h"

namespace lra::attention {
namespace {

constexpr float kTiny = 1e-30F;  // keeps the norms' slopes finite at 0

// Row numbers of a matrix [H D D, 1] in the order (h, m, t) or (h, t, m).
template <class From>
Tensor rows(std::int64_t H, std::int64_t D, From from) {
  Tensor index({H * D * D}, DType::i32);
  for (std::int64_t i = 0; i < H * D * D; ++i) {
    index.i32()[i] = static_cast<std::int32_t>(from(i / (D * D), i / D % D, i % D));
  }
  return index;
}

class Hrrformer final : public Attention {
 public:
  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const std::int64_t H = x.v.dim(0);
    const std::int64_t N = x.v.dim(1);
    const std::int64_t D = x.v.dim(2);
    const Value k = mask_rows(x.k, x.length);
    const Value S = matmul(k, x.v, {.transpose_a = true, .f32_result = true});  // [H,D,D]
    // b[m] = sum_t S[t, (m - t) mod D]
    const Tensor diagonals = rows(H, D, [D](std::int64_t h, std::int64_t m, std::int64_t t) {
      return (h * D + t) * D + (m - t + D) % D;
    });
    const Value terms = reshape(gather_rows(reshape(S, {H * D * D, 1}), diagonals), {H, D, D});
    const Value b = sum(terms, 2);  // [H,D,1]
    const Tensor circulant = rows(
        H, D, [D](std::int64_t h, std::int64_t t, std::int64_t m) { return h * D + (m + t) % D; });
    const Value B = reshape(gather_rows(reshape(b, {H * D, 1}), circulant), {H, D, D});
    const Value u = matmul(x.q, cast(B, x.q.dtype()), {.f32_result = true});  // [H,N,D]  v'
    const Value v = cast(x.v, DType::f32);
    const auto norm = [](const Value& y) { return sqrt(clamp_min(sum(square(y), 2), kTiny)); };
    const Value cosine = sum(u * v, 2) / (norm(u) * norm(v));  // [H,N,1]
    const Value a = masked_softmax(reshape(cosine, {H, 1, N}), admissible(1, N, x.length, false));
    return x.v * reshape(a, {H, N, 1});  // [H,N,D]
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override {
    Plain o = in.v;
    const std::int64_t D = o.dim(2);
    for (std::int64_t h = 0; h < o.dim(0); ++h) {
      std::vector<double> b(static_cast<std::size_t>(D), 0.0);
      for (std::int64_t j = 0; j < o.dim(1); ++j) {
        for (std::int64_t s = 0; s < D; ++s) {
          for (std::int64_t t = 0; t < D; ++t) {
            b[static_cast<std::size_t>((s + t) % D)] += in.k(h, j, s) * in.v(h, j, t);
          }
        }
      }
      const std::vector<double> a = plain_softmax(each_key(o.dim(1), [&](std::int64_t i) {
        double products = 0;
        double squares = 0;
        for (std::int64_t m = 0; m < D; ++m) {
          double u = 0;
          for (std::int64_t t = 0; t < D; ++t) {
            u += b[static_cast<std::size_t>((m + t) % D)] * in.q(h, i, t);
          }
          products += u * in.v(h, i, m);
          squares += u * u;
        }
        const double norms = std::sqrt(squares * dot(in.v, in.v, h, i, i));
        return norms > 0 ? products / norms : 0.0;
      }));
      for (std::int64_t i = 0; i < o.dim(1); ++i) {
        for (std::int64_t m = 0; m < D; ++m) o(h, i, m) *= a[static_cast<std::size_t>(i)];
      }
    }
    return o;
  }
};

LRA_ATTENTION(hrrformer, Hrrformer,
              {.label = "Hrrformer",
               .cite = "Alam2023, arXiv 2305.19534",
               .permutation_equivariant = true});

}  // namespace
}  // namespace lra::attention
