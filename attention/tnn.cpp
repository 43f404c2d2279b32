// Toeplitz neural network. Qin, Han, Sun, He, Li, Li, Dai, Kong, Zhong 2023, "Toeplitz Neural
// Network for Sequence Modeling", arXiv 2305.04749; equations from the authors' gtu, tno and rpe.
//   out = (silu(x Wu^T + bu) * T silu(x Wv^T + bv)) Wo^T + bo,   T_ij = r(i - j) for every feature
//   r(lag) = gamma^|lag| (relu(norm(relu(relu(lag Wp^T + bp) W1^T + b1) W2^T + b2)) W3^T + b3)
// a network of width R on the signed lag itself, or on lag / (n - 1) for n real tokens
// (`position`). I = expand E inner features; `causal` takes lags from 0 on alone. Weights and
// biases are N(0, 0.02) at first. Time O(N I log N), memory O(N I). Takes the block's input. The
// authors' LRA configurations have no decay (gamma = 1), and their code there cuts r beyond 511
// tokens
// (`max_lag`; 0: no cut). Their n is that of the padded tensor.

#include <algorithm>
#include <cmath>

#include "attention/attention.h"
#include "attention/parts/affine_maps.h"
#include "attention/parts/short_convolution.h"
#include "engine/fused/spectral/long_convolution.h"

namespace lra::attention {
namespace {

constexpr float kNormEps = 1e-5F;

class Tnn final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.integer("expand", expand_, 1, 16, "inner width over the model's")
        .integer("rpe_width", R_, 1, 4096, "R, width of the network that makes the kernel")
        .choice("position", position_, "what it is given: lag, lag / (n - 1)")
        .number("gamma", gamma_, 1e-6, 1, "decay of the kernel with each token; 1: none")
        .integer("max_lag", max_lag_, 0, 1 << 24, "the kernel is 0 beyond it; 0: no limit")
        .flag("causal", causal_, "a token sees itself and what is before it");
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    const std::int64_t E = d.width;
    const std::int64_t I = expand_ * E;
    const auto small = engine::init::normal(0, 0.02F);
    const auto add = [&](const char* name, std::int64_t in, std::int64_t out) {
      return AffineMap{p.add(std::string("W") + name, {out, in}, small),
                       p.add(std::string("b") + name, {out}, small)};
    };
    u_ = add("u", E, I);
    v_ = add("v", E, I);
    o_ = add("o", I, E);
    lag_ = add("p", 1, R_);
    hidden1_ = add("1", R_, R_);
    hidden2_ = add("2", R_, R_);
    ln_g_ = p.add("ln_g", {R_}, engine::init::constant(1));
    ln_b_ = p.add("ln_b", {R_}, engine::init::constant(0));
    kernel_ = add("3", R_, I);
  }

  [[nodiscard]] Value mix(const Value& x, const Context& c) const override {
    const std::int64_t lags = std::min(c.length - 1, max_lag_ > 0 ? max_lag_ : c.length);
    const Value before = kernel(0, lags + 1, c.length);  // lags 0, 1, ..
    const Value after =
        causal_ || lags == 0 ? Value() : kernel(-1, lags, c.length);  // lags -1, -2, ..
    const Value y = engine::long_convolution(silu(v_(x)), before, after, c.length);  // [N,I]
    return o_(silu(u_(x)) * y);                                                      // [N,E]
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override;

 private:
  enum class Position { lag, relative };
  friend constexpr auto texts(Position) { return enum_texts("lag", "relative"); }

  [[nodiscard]] double unit(std::int64_t n) const {
    return position_ == Position::relative ? static_cast<double>(std::max<std::int64_t>(1, n - 1))
                                           : 1;
  }

  // r at `count` lags from `first` on away from 0: [count, I] f32.
  [[nodiscard]] Value kernel(std::int64_t first, std::int64_t count, std::int64_t n) const {
    Tensor lags({count, 1}, DType::f32);
    Tensor decay({count, 1}, DType::f32);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t lag = first < 0 ? first - i : first + i;
      lags.f32()[i] = static_cast<float>(static_cast<double>(lag) / unit(n));
      decay.f32()[i] = static_cast<float>(std::pow(gamma_, static_cast<double>(std::abs(lag))));
    }
    const auto map = [](const AffineMap& m, const Value& y) {
      return linear(y, engine::transpose(m.W.value_f32()), m.b.value_f32());
    };
    const Value Wp = reshape(lag_.W.value_f32(), {1, R_});
    Value y = engine::expand(Value(lags), {count, R_}) * Wp + lag_.b.value_f32();  // [count,R]
    y = map(hidden2_, relu(map(hidden1_, relu(y))));
    y = relu(layer_norm(y, ln_g_.value_f32(), ln_b_.value_f32(), kNormEps));
    y = map(kernel_, y);
    return gamma_ < 1 ? y * Value(decay) : y;
  }

  // The same of lags 1 - n, .., n - 1: [2n - 1, I].
  [[nodiscard]] Plain plain_kernel(const PlainInputs& in, std::int64_t n) const;

  std::int64_t expand_ = 2, R_ = 16, max_lag_ = 0;
  Position position_ = Position::lag;
  double gamma_ = 1;
  bool causal_ = false;
  AffineMap u_, v_, o_, lag_, hidden1_, hidden2_, kernel_;
  Parameter ln_g_, ln_b_;
};

Plain Tnn::plain_kernel(const PlainInputs& in, std::int64_t n) const {
  Plain y({2 * n - 1, 1});
  for (std::int64_t i = 0; i < y.dim(0); ++i) y(i, 0) = static_cast<double>(1 - n + i) / unit(n);
  y = plain_affine_map(in, "p", y);
  for (const char* layer : {"1", "2"}) {
    y = plain_affine_map(in, layer, mapped(y, [](double v) { return std::max(v, 0.0); }));
  }
  for (std::int64_t i = 0; i < y.dim(0); ++i) {
    double mean = 0;
    double variance = 0;
    for (std::int64_t r = 0; r < R_; ++r) mean += y(i, r) / static_cast<double>(R_);
    for (std::int64_t r = 0; r < R_; ++r) {
      variance += std::pow(y(i, r) - mean, 2) / static_cast<double>(R_);
    }
    for (std::int64_t r = 0; r < R_; ++r) {
      const double normal = (y(i, r) - mean) / std::sqrt(variance + double{kNormEps});
      y(i, r) = std::max(0.0, normal * in.parameters.at("ln_g")(r) + in.parameters.at("ln_b")(r));
    }
  }
  y = plain_affine_map(in, "3", y);
  for (std::int64_t i = 0; i < y.dim(0); ++i) {
    const double decay = std::pow(gamma_, static_cast<double>(std::abs(1 - n + i)));
    for (std::int64_t e = 0; e < y.dim(1); ++e) y(i, e) *= decay;
  }
  return y;
}

// The sum over all pairs of tokens.
Plain Tnn::define(const PlainInputs& in) const {
  const std::int64_t n = in.x.dim(0);
  const Plain u = plain_silus(plain_affine_map(in, "u", in.x));
  const Plain v = plain_silus(plain_affine_map(in, "v", in.x));
  const Plain r = plain_kernel(in, n);
  Plain y(v.shape);
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < (causal_ ? i + 1 : n); ++j) {
      if (max_lag_ > 0 && std::abs(i - j) > max_lag_) continue;
      for (std::int64_t e = 0; e < y.dim(1); ++e) y(i, e) += r(n - 1 + i - j, e) * v(j, e);
    }
  }
  for (std::size_t i = 0; i < y.data.size(); ++i) y.data[i] *= u.data[i];
  return plain_affine_map(in, "o", y);
}

LRA_ATTENTION(tnn, Tnn,
              {.label = "TNN",
               .cite = "Qin2023b, arXiv 2305.04749",
               .input = Input::block,
               .time = Growth::n_log_n,
               .causal = true});

}  // namespace
}  // namespace lra::attention
