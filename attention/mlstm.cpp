// mLSTM. Beck, Poeppel, Spanring, Auer, Prudnikova, Kopp, Klambauer, Brandstetter, Hochreiter 2024,
// "xLSTM: Extended Long Short-Term Memory", arXiv 2405.04517, section 2.3; equations from the
// authors' mLSTMCell.
//   L_ij = log sigmoid(f_(j+1)) + .. + log sigmoid(f_i) + i_j  for j <= i,   m_i = max_j L_ij
//   w_ij = D^-1/2 q_i.k_j e^(L_ij - m_i)
//   o_i = sum_j w_ij v_j / (max(|sum_j w_ij|, e^(-m_i)) + eps),   then a layer norm of each head
// The input gate i and the forget gate f of a head are affine in the token's [q, k, v] of all
// heads; the norm's gain is 1 + norm_w. Time O(N D^2), state D x (D + 1) per head. Ours: the cell
// is in the encoder's own block, where the paper has one with a convolution and an output gate; the
// second direction, L_ij for j > i the gates of i..j-1, under the same maximum and denominator
// (`causal` leaves it out, as the paper is).
//
// With a_t = log sigmoid(f_t) + m_(t-1) - m_t <= 0 the sums obey S_t = e^(a_t) S_(t-1) +
// e^(i_t - m_t) k_t [v_t, 1]^T, gated linear attention whose values have one more column, the sum
// of the weights. m cancels but for eps.

#include <algorithm>
#include <cmath>
#include <vector>

#include "attention/attention.h"
#include "engine/fused/scan/gated_scan.h"
#include "engine/fused/scan/running_maximum.h"

namespace lra::attention {
namespace {

// m is at least this, so that e^-m is finite: below it, weights are 0 beside 1.
constexpr float kLowestScale = -60;

class Mlstm final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.number("eps", eps_, 0, 1, "added to the denominator")
        .choice("head_norm", norm_, "of each head's output")
        .number("norm_eps", norm_eps_, 1e-12, 1, "added to the variance")
        .flag("causal", causal_, "the forward direction alone");
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    const std::int64_t features = d.heads * d.head_dim;
    const auto evenly = [](RandomStream&, std::span<float> to) {  // 3 .. 6
      for (std::size_t h = 0; h < to.size(); ++h) {
        const auto last = static_cast<float>(std::max<std::size_t>(1, to.size() - 1));
        to[h] = 3.0F + 3.0F * static_cast<float>(h) / last;
      }
    };
    Wi_ = p.add("Wi", {d.heads, 3 * features}, engine::init::constant(0));
    bi_ = p.add("bi", {d.heads}, engine::init::normal(0, 0.1F), {.decay = false});
    Wf_ = p.add("Wf", {d.heads, 3 * features}, engine::init::constant(0));
    bf_ = p.add("bf", {d.heads}, evenly, {.decay = false});
    if (norm_ == HeadNorm::layer) norm_w_ = p.add("norm_w", {features}, engine::init::constant(0));
  }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const std::int64_t D = x.q.dim(2);
    const std::int64_t Dv = x.v.dim(2);
    const Value i = gate("i", x, Wi_, bi_);              // [H,N] f32
    const Value f = -softplus(-gate("f", x, Wf_, bf_));  // [H,N] f32
    const Value q = x.q / std::sqrt(static_cast<float>(D));
    const Value ones(Tensor::full({x.v.dim(0), x.v.dim(1), 1}, 1, x.v.dtype()));
    const Value v = engine::concat({x.v, ones}, 2);
    const Sums forward = sums(x, q, v, i, f, false);
    Value out = cast(forward.out, DType::f32);  // [H,N,Dv+1]
    Value m = forward.m;                        // [H,N]
    if (!causal_) {
      const Sums backward = sums(x, q, v, i, f, true);
      m = maximum(m, backward.m);
      out = out * exp(column(stop_gradient(forward.m) - stop_gradient(m))) +
            cast(backward.out, DType::f32) *
                exp(column(stop_gradient(backward.m) - stop_gradient(m)));
    }
    const Value scale = column(stop_gradient(m));  // [H,N,1]
    const Value floor = exp(-scale);
    const Value eps = exp(column(m) - scale) * static_cast<float>(eps_);  // eps, and its slope by m
    const Value o = slice(out, 2, 0, Dv) / (maximum(abs(slice(out, 2, Dv, 1)), floor) + eps);
    if (norm_ == HeadNorm::none) return cast(o, x.v.dtype());
    const Value plain = layer_norm(o, Value(Tensor::full({Dv}, 1)), Value(Tensor::zeros({Dv})),
                                   static_cast<float>(norm_eps_));
    const Value gain = reshape(norm_w_.value_f32(), {o.dim(0), 1, Dv}) + 1.0F;
    return cast(plain * gain, x.v.dtype());  // [H,N,Dv]
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override;
  [[nodiscard]] Plain define(const PlainInputs& in) const override;

 private:
  enum class HeadNorm { layer, none };
  friend constexpr auto texts(HeadNorm) { return enum_texts("layer", "none"); }

  static Value column(const Value& x) { return reshape(x, {x.dim(0), x.dim(1), 1}); }

  // The given gate, or the affine map of [q, k, v].
  static Value gate(const char* name, const Heads& x, const Parameter& W, const Parameter& b) {
    if (const Value* given = x.find(name)) return cast(*given, DType::f32);
    const Value qkv = engine::concat(
        {engine::merge_heads(x.q), engine::merge_heads(x.k), engine::merge_heads(x.v)}, 1);
    const Value y = linear(qkv, engine::transpose(W.value()), b.value());  // [N,H]
    return engine::transpose(cast(y, DType::f32));
  }

  // sum w [v, 1] of one direction, and the scale m that the weights are divided by.
  struct Sums {
    Value out, m;
  };
  static Sums sums(const Heads& x, const Value& q, const Value& v, const Value& i, const Value& f,
                   bool reverse) {
    const std::int64_t N = i.dim(1);
    Value m = engine::running_maximum(f, clamp_min(i, kLowestScale), x.length, reverse);
    const Value constant = stop_gradient(m);
    const Value before =
        reverse ? slice(pad(constant, 1, 0, 1), 1, 1, N) : slice(pad(constant, 1, 1, 0), 1, 0, N);
    // Before the first state, a is arbitrary.
    const Value a = clamp_max((f + before) - constant, 0);
    // i is at most m; in padding rows it is arbitrary.
    const Value k = x.k * cast(exp(clamp_max(column(i - constant), 1)), x.k.dtype());
    return {engine::gated_scan(q, k, v, expand(column(a), x.k.shape()), x.length, reverse),
            std::move(m)};
  }

  double eps_ = 1e-6, norm_eps_ = 1e-5;
  HeadNorm norm_ = HeadNorm::layer;
  bool causal_ = false;
  Parameter Wi_, bi_, Wf_, bf_, norm_w_;
};

Weights Mlstm::weights(const PlainInputs& in) const {
  const std::int64_t H = in.q.dim(0);
  const std::int64_t n = in.q.dim(1);
  const std::int64_t D = in.q.dim(2);
  const auto gate = [&](const char* W, const char* b) {  // [H,n]
    Plain g({H, n});
    for (std::int64_t h = 0; h < H; ++h) {
      for (std::int64_t t = 0; t < n; ++t) {
        g(h, t) = in.parameters.at(b)(h);
        for (std::int64_t part = 0; part < 3; ++part) {
          const Plain& source = part == 0 ? in.q : (part == 1 ? in.k : in.v);
          for (std::int64_t e = 0; e < H * D; ++e) {
            g(h, t) += in.parameters.at(W)(h, part * H * D + e) * source(e / D, t, e % D);
          }
        }
      }
    }
    return g;
  };
  const Plain enters = gate("Wi", "bi");
  Plain sums = gate("Wf", "bf");  // log sigmoid, summed up to the token
  for (std::int64_t h = 0; h < H; ++h) {
    double sum = 0;
    for (std::int64_t t = 0; t < n; ++t) sums(h, t) = sum -= std::log1p(std::exp(-sums(h, t)));
  }
  const auto row = [=, eps = eps_, causal = causal_](const Plain& q, const Plain& k, std::int64_t h,
                                                     std::int64_t i) -> Row {
    const auto before = [&](std::int64_t t) { return t == 0 ? 0.0 : sums(h, t - 1); };
    const auto L = each_key(keys_of(i, k.dim(1), causal), [&](std::int64_t j) {
      return enters(h, j) + (j <= i ? sums(h, i) - sums(h, j) : before(j) - before(i));
    });
    const double m = *std::max_element(L.begin(), L.end());
    std::vector<double> w = each_key(static_cast<std::int64_t>(L.size()), [&](std::int64_t j) {
      return dot(q, k, h, i, j) / std::sqrt(static_cast<double>(D)) *
             std::exp(L[static_cast<std::size_t>(j)] - m);
    });
    double sum = 0;
    for (const double x : w) sum += x;
    for (double& x : w) x /= std::max(std::abs(sum), std::exp(-m)) + eps;
    return {std::move(w), std::abs(sum) < std::exp(-m)};
  };
  return {in.q, in.k, row, false, norm_ == HeadNorm::none};
}

Plain Mlstm::define(const PlainInputs& in) const {
  Plain o = weighted_sum(weights(in), in.v);
  if (norm_ == HeadNorm::none) return o;
  const auto width = static_cast<double>(o.dim(2));
  for (std::int64_t h = 0; h < o.dim(0); ++h) {
    for (std::int64_t t = 0; t < o.dim(1); ++t) {
      double mean = 0;
      double variance = 0;
      for (std::int64_t c = 0; c < o.dim(2); ++c) mean += o(h, t, c) / width;
      for (std::int64_t c = 0; c < o.dim(2); ++c)
        variance += std::pow(o(h, t, c) - mean, 2) / width;
      for (std::int64_t c = 0; c < o.dim(2); ++c) {
        o(h, t, c) = (o(h, t, c) - mean) / std::sqrt(variance + norm_eps_) *
                     (1 + in.parameters.at("norm_w")(h * o.dim(2) + c));
      }
    }
  }
  return o;
}

LRA_ATTENTION(mlstm, Mlstm,
              {.label = "mLSTM", .cite = "Beck2024, arXiv 2405.04517", .causal = true});

}  // namespace
}  // namespace lra::attention
