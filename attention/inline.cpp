// InLine attention. Han, Pu, Xia, Han, Pan, Li, Lu, Song, Huang 2024, "Bridging the Divide:
// Reconsidering Softmax and Linear Attention", NeurIPS 2024, arXiv 2412.06590; equations from the
// authors' models/inline_deit.py.
//   w_ij = (s f(q_i).f(k_j) - s f(q_i).fbar + 1) / n,   s = D^-1/2, fbar = mean_j f(k_j)
//   o_i = s f(q_i) (1/n) sum_j (f(k_j) - fbar) v_j^T + vbar
// Subtraction in place of a denominator makes the row an injective function of q; rows sum to 1 and
// weights may be negative. Time O(N D^2), state O(D^2) per head. `residual` adds the local part,
// o_i += sum_t tap_t v_(i+t-1), with taps computed from the mean of the block's input by two maps
// grouped by head: 3 x 3 pixels as published (2d), 3 tokens in a sequence (1d) is ours. A CLS token
// is in all sums and means, the convolution leaves it out. f is the identity in all published runs.

#include <algorithm>
#include <cmath>

#include "attention/attention.h"
#include "attention/parts/depthwise.h"

namespace lra::attention {
namespace {

constexpr double kSlope = 0.01;    // of leaky_relu
constexpr double kExpScale = 0.2;  // exp is e^(0.2 x)

class Inline final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.choice("phi", phi_, "feature map f")
        .choice(
            "residual", residual_,
            "added convolution with computed taps: 3 tokens, or 3 x 3 pixels of a square image");
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    if (residual_ == Neighbours::none) return;
    cls_ = d.cls;
    if (residual_ == Neighbours::two_dimensional) side_ = image_side(d, "attention/inline");
    const std::int64_t T = side_ > 0 ? 9 : 3;
    const std::int64_t H = d.heads;
    const std::int64_t D = d.head_dim;
    if (d.width % H != 0) {
      fail(ErrorKind::config, "attention/inline: width {} is not a multiple of {} heads", d.width,
           H);
    }
    const std::int64_t in = d.width / H;
    W1_ = p.add("taps_w1", {H, in, D}, engine::init::torch_linear(in));
    b1_ = p.add("taps_b1", {H * D}, engine::init::torch_linear(in));
    W2_ = p.add("taps_w2", {H, D, D * T}, engine::init::torch_linear(D));
    b2_ = p.add("taps_b2", {H * D * T}, engine::init::torch_linear(D));
  }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const auto n = static_cast<float>(x.key_length);
    const float s = 1 / std::sqrt(static_cast<float>(x.q.dim(2)));
    const Value q = f(x.q);                                                 // [H,N,D]
    const Value k = mask_rows(f(x.k), x.key_length);                        // [H,M,D]
    const Value centred = mask_rows(k - sum(k, 1) / n, x.key_length);       // f(k_j) - fbar
    const Value S = matmul(centred, x.v, {.transpose_a = true}) * (s / n);  // [H,D,Dv]
    const Value vbar = sum(mask_rows(x.v, x.key_length), 1) / n;            // [H,1,Dv]
    Value o = matmul(q, S) + vbar;                                          // [H,N,Dv]
    if (residual_ == Neighbours::none) return o;
    require_same_tokens(x, "attention/inline/residual");
    return o + depthwise(x.v, taps(x), window(x.length));
  }

  // The weights as defined, without the local part.
  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const auto row = [](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      const double s = 1 / std::sqrt(static_cast<double>(q.dim(2)));
      const auto n = static_cast<double>(k.dim(1));
      std::vector<double> w =
          each_key(k.dim(1), [&](std::int64_t j) { return s * dot(q, k, h, i, j); });
      double mean = 0;
      for (const double y : w) mean += y / n;
      for (double& y : w) y = (y - mean + 1) / n;
      return Row{w};
    };
    const auto phi = [this](double y) { return f(y); };
    return {mapped(in.q, phi), mapped(in.k, phi), row, true, residual_ == Neighbours::none};
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override;

 private:
  enum class Phi { identity, relu, leaky_relu, exp };
  friend constexpr auto texts(Phi) { return enum_texts("identity", "relu", "leaky_relu", "exp"); }

  [[nodiscard]] Value f(const Value& y) const {
    if (phi_ == Phi::relu) return relu(y);
    if (phi_ == Phi::leaky_relu) return leaky_relu(y, static_cast<float>(kSlope));
    if (phi_ == Phi::exp) return exp(y * static_cast<float>(kExpScale));
    return y;
  }
  [[nodiscard]] double f(double y) const {
    if (phi_ == Phi::relu) return std::max(y, 0.0);
    if (phi_ == Phi::leaky_relu) return y > 0 ? y : kSlope * y;
    return phi_ == Phi::exp ? std::exp(kExpScale * y) : y;
  }
  [[nodiscard]] Window window(std::int64_t length) const { return {length, cls_, side_, -1}; }

  // W2 gelu(W1 mean(x) + b1) + b2: [H,D,T].
  [[nodiscard]] Value taps(const Heads& x) const {
    const std::int64_t H = x.v.dim(0);
    const std::int64_t D = x.v.dim(2);
    const DType type = x.v.dtype();
    const Value mean = sum(mask_rows(x.x, x.length), 0) / static_cast<float>(x.length);  // [1,E]
    const Value input = reshape(mean, {H, 1, x.x.dim(1) / H});
    const Value a = matmul(input, cast(W1_.value_f32(), type)) + reshape(b1_.value(), {H, 1, D});
    const Value w2 = cast(W2_.value_f32(), type);
    const Value y = matmul(gelu_erf(a), w2) + reshape(b2_.value(), {H, 1, w2.dim(2)});
    return reshape(y, {H, D, w2.dim(2) / D});
  }

  Phi phi_ = Phi::identity;
  Neighbours residual_ = Neighbours::one_dimensional;
  std::int64_t side_ = 0;
  bool cls_ = false;
  Parameter W1_, b1_, W2_, b2_;
};

Plain Inline::define(const PlainInputs& in) const {
  Plain o = weighted_sum(weights(in), in.v);
  if (residual_ == Neighbours::none) return o;
  const Plain& W1 = in.parameters.at("taps_w1");
  const Plain& b1 = in.parameters.at("taps_b1");
  const Plain& W2 = in.parameters.at("taps_w2");
  const Plain& b2 = in.parameters.at("taps_b2");
  const std::int64_t D = W1.dim(2);
  const std::int64_t DT = W2.dim(2);
  Plain taps({W1.dim(0), D, DT / D});
  for (std::int64_t h = 0; h < W1.dim(0); ++h) {
    for (std::int64_t c = 0; c < DT; ++c) taps(h, c / (DT / D), c % (DT / D)) = b2(h * DT + c);
    for (std::int64_t d = 0; d < D; ++d) {
      double a = b1(h * D + d);
      for (std::int64_t e = 0; e < W1.dim(1); ++e) {
        double mean = 0;
        for (std::int64_t t = 0; t < in.x.dim(0); ++t) mean += in.x(t, h * W1.dim(1) + e);
        a += mean / static_cast<double>(in.x.dim(0)) * W1(h, e, d);
      }
      a *= 0.5 * (1 + std::erf(a / std::sqrt(2.0)));
      for (std::int64_t c = 0; c < DT; ++c) taps(h, c / (DT / D), c % (DT / D)) += a * W2(h, d, c);
    }
  }
  const auto tap = [&](std::int64_t h, std::int64_t c, std::int64_t t) { return taps(h, c, t); };
  const Plain y = plain_depthwise(in.v, DT / D, tap, window(in.v.dim(1)));
  for (std::size_t i = 0; i < o.data.size(); ++i) o.data[i] += y.data[i];
  return o;
}

LRA_ATTENTION(inline, Inline,
              {.label = "InLine", .cite = "Han2024, arXiv 2412.06590", .cross = true});

}  // namespace
}  // namespace lra::attention
