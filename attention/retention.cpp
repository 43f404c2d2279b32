// Retention. Sun, Dong, Huang, Ma, Xia, Xue, Wang, Wei 2023, "Retentive Network: A Successor to
// Transformer for Large Language Models", arXiv 2307.08621, eq. (5)-(8).
//   o_i = D^-1/2 sum_j gamma_h^|i-j| (q_i . k_j) v_j,   gamma_h = 1 - 2^(-5-h)
// Chunks of c tokens: within a chunk by the masked products, across chunks by the D x D states that
// decay by gamma^c from one to the next. Time O(N (c + D) D), memory O(N c). Ours: both directions
// at once, the token itself once (`causal` gives the paper's j <= i), and the group norm of each
// head without a gain; the paper's rotations (xPos) and output gate are left out.

#include <cmath>
#include <nlohmann/json.hpp>

#include "attention/attention.h"
#include "attention/parts/norms.h"
#include "engine/fused/scan/diagonal_scan.h"

namespace lra::attention {
namespace {

constexpr std::int64_t kChunk = 128;
constexpr double kNormEps = 1e-5;

double gamma(std::int64_t h) { return 1 - std::exp2(-5 - static_cast<double>(h)); }

// A constant of the heads, [H, 1, rows, columns], of gamma_h^exponent(i, j); negative ones give 0.
template <class Exponent>
Value powers(std::int64_t H, std::int64_t rows, std::int64_t columns, DType dtype,
             Exponent exponent) {
  const Tensor t({H, 1, rows, columns}, DType::f32);
  std::vector<float> power(static_cast<std::size_t>(kChunk + 1));
  for (std::int64_t h = 0; h < H; ++h) {
    for (std::size_t e = 0; e < power.size(); ++e) {
      power[e] = static_cast<float>(std::pow(gamma(h), static_cast<double>(e)));
    }
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) {
        const std::int64_t e = exponent(i, j);
        t.f32()[(h * rows + i) * columns + j] = e < 0 ? 0.0F : power[static_cast<std::size_t>(e)];
      }
    }
  }
  return cast(Value(t), dtype);
}

class Retention final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.flag("head_norm", head_norm_, "divide each head's output by its root mean square")
        .flag("causal", causal_, "sums over j <= i");
  }

  // Golden files contain the sum alone.
  [[nodiscard]] nlohmann::json golden_options(const nlohmann::json& hyper) override {
    nlohmann::json o = Attention::golden_options(hyper);
    o["head_norm"] = hyper.value("head_norm", false);
    return o;
  }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const std::int64_t H = x.q.dim(0);
    const std::int64_t N = x.q.dim(1);
    const std::int64_t c = std::min(kChunk, N);
    const std::int64_t C = (N + c - 1) / c;
    const auto cut = [&](const Value& y) {  // [H,C,c,*]
      return reshape(pad(y, 1, 0, C * c - N), {H, C, c, y.dim(2)});
    };
    const Value q = cut(x.q / std::sqrt(static_cast<float>(x.q.dim(2))));
    const Value k = cut(mask_rows(x.k, x.length));
    const Value v = cut(x.v);
    const Value decay = powers(H, c, c, q.dtype(), [this](std::int64_t i, std::int64_t j) {
      return causal_ ? i - j : std::abs(i - j);
    });                                                                // [H,1,c,c]
    Value o = matmul(matmul(q, k, {.transpose_b = true}) * decay, v);  // [H,C,c,Dv]
    if (C > 1) o = o + across(q, k, v, false);
    if (C > 1 && !causal_) o = o + across(q, k, v, true);
    o = slice(reshape(o, {H, C * c, v.dim(3)}), 1, 0, N);
    return head_norm_ ? head_norm(o, static_cast<float>(kNormEps)) : o;
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const double root = std::sqrt(static_cast<double>(in.q.dim(2)));
    const auto row = [=, this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      return Row{each_key(keys_of(i, k.dim(1), causal_), [&](std::int64_t j) {
        const double decay = std::pow(gamma(h), static_cast<double>(std::abs(i - j)));
        return decay * dot(q, k, h, i, j) / root;
      })};
    };
    return {in.q, in.k, row, false, !head_norm_};
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override {
    Plain o = weighted_sum(weights(in), in.v);
    for (std::int64_t h = 0; h < o.dim(0); ++h) {
      for (std::int64_t i = 0; i < o.dim(1) && head_norm_; ++i) {
        const auto Dv = static_cast<double>(o.dim(2));
        const double rms = std::sqrt(dot(o, o, h, i, i) / Dv + kNormEps);
        for (std::int64_t d = 0; d < o.dim(2); ++d) o(h, i, d) /= rms;
      }
    }
    return o;
  }

 private:
  // Contribution of the earlier (if reversed, later) chunks: rows of q and k decay to the chunk's
  // edge, states from edge to edge.
  [[nodiscard]] static Value across(const Value& q, const Value& k, const Value& v, bool reverse) {
    const std::int64_t H = q.dim(0);
    const std::int64_t C = q.dim(1);
    const std::int64_t c = q.dim(2);
    const std::int64_t D = q.dim(3);
    const Value to_edge = powers(H, c, D, k.dtype(), [&](std::int64_t j, std::int64_t) {
      return reverse ? j : c - 1 - j;
    });  // [H,1,c,D]
    const Value from_edge = powers(H, c, D, q.dtype(), [&](std::int64_t i, std::int64_t) {
      return reverse ? c - i : i + 1;
    });  // [H,1,c,D]
    const std::int64_t size = D * v.dim(3);
    const Value R =
        matmul(k * to_edge, v, {.transpose_a = true, .f32_result = true});  // [H,C,D,Dv]
    const Value edge =
        powers(H, 1, size, DType::f32, [&](std::int64_t, std::int64_t) { return c; });
    const Value S = engine::diagonal_scan(reshape(R, {H, C, size}), reshape(edge, {H, size}),
                                          {.reverse = reverse, .exclusive = true});
    return matmul(q * from_edge, cast(reshape(S, R.shape()), q.dtype()));  // [H,C,c,Dv]
  }

  bool head_norm_ = true;
  bool causal_ = false;
};

LRA_ATTENTION(retention, Retention,
              {.label = "RetNet", .cite = "Sun2023, arXiv 2307.08621", .causal = true});

}  // namespace
}  // namespace lra::attention
