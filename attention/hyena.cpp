// Hyena. Poli, Massaroli, Nguyen, Fu, Dao, Baccus, Bengio, Ermon, Re 2023, "Hyena Hierarchy:
// Towards Larger Convolutional Language Models", arXiv 2302.10866; the authors'
// standalone_hyena.py, order 2.
//   [x0, x1, v] = causal convolution of `conv_size` taps of x Win^T + bin          3 E features
//   u = x1 * v,   out = (x0 * (K conv u + bias * u)) Wout^T + bout
//   K_lag = e^(-tau delta) * (F4 sin(freq * F3(sin(freq * F2(sin(freq * F1 z_lag)))))),
//   z_lag = [tau, cos(f w), -sin(f w)],   tau = lag / (l_max - 1),   w = 2 pi lag / l_max
// F1, F2, F3 affine of width W, f evenly spaced from 1e-4 to the number of bands - 1, delta from
// ln(1/target)/slow to ln(1/target)/fast over the features, fixed; freq, shared by the three, is 1
// at first. Time O(N E log N), memory O(N E). Takes the block's input. The paper is `causal`. Ours:
// without it, later tokens are convolved with a second kernel from the same network with another
// last map F4_after; lags from l_max on count as 0.

#include <algorithm>
#include <cmath>
#include <numbers>

#include "attention/attention.h"
#include "attention/parts/affine_maps.h"
#include "attention/parts/short_convolution.h"
#include "engine/fused/spectral/long_convolution.h"

namespace lra::attention {
namespace {

class Hyena final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.integer("l_max", l_max_, 0, 1 << 24, "lags of the kernel; 0: the model's longest sequence")
        .integer("position_width", emb_, 3, 4097, "of z: odd, 1 + 2 bands")
        .integer("filter_width", W_, 1, 4096, "W, of the network that makes the kernel")
        .integer("conv_size", taps_, 1, 64, "taps of the convolution before")
        .number("fast_decay", fast_, 1e-3, 100, "share of l_max in which the fastest decay is done")
        .number("slow_decay", slow_, 1e-3, 100, "the same of the slowest")
        .number("decay_target", target_, 1e-12, 0.999, "where a decay is done")
        .flag("causal", causal_, "the forward direction alone");
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    if (emb_ % 2 == 0) {
      fail(ErrorKind::config, "attention/hyena: position_width must be odd; got {}", emb_);
    }
    E_ = d.width;
    if (l_max_ == 0) l_max_ = d.max_length;
    const engine::Parameters::Traits slow{.decay = false, .slow = true};
    const auto add = [&](const std::string& name, std::int64_t in, std::int64_t out) {
      return AffineMap{p.add("F" + name, {out, in}, engine::init::torch_linear(in), slow),
                       p.add("f" + name + "_b", {out}, engine::init::torch_linear(in), slow)};
    };
    in_ = {p.add("Win", {3 * E_, E_}, engine::init::torch_linear(E_)),
           p.add("bin", {3 * E_}, engine::init::torch_linear(E_))};
    convolution_.build(p, 3 * E_, taps_);
    layers_ = {add("1", emb_, W_), add("2", W_, W_), add("3", W_, W_)};
    freq_ = p.add("freq", {W_}, engine::init::constant(1), slow);
    F4_ = p.add("F4", {E_, W_}, engine::init::torch_linear(W_), slow);
    if (!causal_) F4_after_ = p.add("F4_after", {E_, W_}, engine::init::torch_linear(W_), slow);
    bias_ = p.add("bias", {E_}, engine::init::normal(0, 1), {.decay = false});
    out_ = {p.add("Wout", {E_, E_}, engine::init::torch_linear(E_)),
            p.add("bout", {E_}, engine::init::torch_linear(E_))};
  }

  [[nodiscard]] Value mix(const Value& x, const Context& c) const override {
    const Value parts = convolution_(mask_rows(in_(x), c.length), c.length);  // [N,3E]
    const Value u = slice(parts, 1, E_, E_) * slice(parts, 1, 2 * E_, E_);    // [N,E]
    const std::int64_t lags = std::min(c.length, l_max_);
    const Value hidden = network(lags);  // [lags,W] f32
    const Value before = kernel(hidden, F4_, 0, lags);
    const Value after =
        causal_ || lags == 1 ? Value() : kernel(slice(hidden, 0, 1, lags - 1), F4_after_, 1, lags);
    const Value y =
        engine::long_convolution(u, before, after, c.length) + u * cast(bias_.value(), x.dtype());
    return out_(slice(parts, 1, 0, E_) * y);  // [N,E]
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override;

 private:
  [[nodiscard]] double tau(std::int64_t lag) const {
    return static_cast<double>(lag) / static_cast<double>(std::max<std::int64_t>(1, l_max_ - 1));
  }
  [[nodiscard]] double delta(std::int64_t e) const {
    const double slowest = -std::log(target_) / slow_;
    const double fastest = -std::log(target_) / fast_;
    if (E_ == 1) return slowest;
    return slowest + (fastest - slowest) * static_cast<double>(e) / static_cast<double>(E_ - 1);
  }
  // z of a lag.
  [[nodiscard]] std::vector<double> position(std::int64_t lag) const {
    const std::int64_t bands = (emb_ - 1) / 2;
    const double w = 2 * std::numbers::pi * static_cast<double>(lag) / static_cast<double>(l_max_);
    std::vector<double> z(static_cast<std::size_t>(emb_), tau(lag));
    for (std::int64_t b = 0; b < bands; ++b) {
      const double f = bands == 1
                           ? 1e-4
                           : 1e-4 + (static_cast<double>(bands - 1) - 1e-4) *
                                        static_cast<double>(b) / static_cast<double>(bands - 1);
      z[static_cast<std::size_t>(1 + b)] = std::cos(f * w);
      z[static_cast<std::size_t>(1 + bands + b)] = -std::sin(f * w);
    }
    return z;
  }

  // Input of F4, for lags 0, 1, ..
  [[nodiscard]] Value network(std::int64_t lags) const {
    const Tensor z({lags, emb_}, DType::f32);
    for (std::int64_t lag = 0; lag < lags; ++lag) {
      const std::vector<double> row = position(lag);
      for (std::int64_t i = 0; i < emb_; ++i) {
        z.f32()[lag * emb_ + i] = static_cast<float>(row[static_cast<std::size_t>(i)]);
      }
    }
    Value y(z);
    for (const AffineMap& layer : layers_) {
      y = sin(linear(y, engine::transpose(layer.W.value_f32()), layer.b.value_f32()) *
              freq_.value_f32());
    }
    return y;
  }
  // [lags - first, E] f32: rows of lags `first`, .., lags - 1.
  [[nodiscard]] Value kernel(const Value& hidden, const Parameter& F4, std::int64_t first,
                             std::int64_t lags) const {
    const Tensor decay({lags - first, E_}, DType::f32);
    for (std::int64_t lag = first; lag < lags; ++lag) {
      for (std::int64_t e = 0; e < E_; ++e) {
        decay.f32()[(lag - first) * E_ + e] = static_cast<float>(std::exp(-tau(lag) * delta(e)));
      }
    }
    return linear(hidden, engine::transpose(F4.value_f32()), {}) * Value(decay);
  }

  std::int64_t l_max_ = 0, emb_ = 3, W_ = 64, taps_ = 3, E_ = 0;
  double fast_ = 0.3, slow_ = 1.5, target_ = 0.01;
  bool causal_ = false;
  ShortConvolution convolution_;
  AffineMap in_, out_;
  std::vector<AffineMap> layers_;
  Parameter freq_, F4_, F4_after_, bias_;
};

// The sum over all pairs of tokens.
Plain Hyena::define(const PlainInputs& in) const {
  const auto at = [&](const char* name) -> const Plain& { return in.parameters.at(name); };
  const std::int64_t n = in.x.dim(0);
  const Plain parts = ShortConvolution::define(in, plain_affine_map(in, "in", in.x));
  const auto u = [&](std::int64_t t, std::int64_t e) {
    return parts(t, E_ + e) * parts(t, 2 * E_ + e);
  };
  const std::int64_t lags = std::min(n, l_max_);
  Plain hidden({lags, emb_});
  for (std::int64_t lag = 0; lag < lags; ++lag) {
    const std::vector<double> z = position(lag);
    for (std::int64_t i = 0; i < emb_; ++i) hidden(lag, i) = z[static_cast<std::size_t>(i)];
  }
  for (const std::string layer : {"1", "2", "3"}) {
    hidden = plain_map(hidden, in.parameters.at("F" + layer));
    for (std::int64_t i = 0; i < lags * W_; ++i) {
      const std::int64_t w = i % W_;
      double& value = hidden(i / W_, w);
      value = std::sin(at("freq")(w) * (value + in.parameters.at("f" + layer + "_b")(w)));
    }
  }
  Plain y({n, E_});
  for (const bool after : {false, true}) {
    if (after && causal_) continue;
    const Plain K = plain_map(hidden, at(after ? "F4_after" : "F4"));
    for (std::int64_t lag = after ? 1 : 0; lag < lags; ++lag) {
      for (std::int64_t e = 0; e < E_; ++e) {
        const double k = K(lag, e) * std::exp(-tau(lag) * delta(e));
        for (std::int64_t t = lag; t < n; ++t) {
          (after ? y(t - lag, e) : y(t, e)) += k * u(after ? t : t - lag, e);
        }
      }
    }
  }
  for (std::int64_t t = 0; t < n; ++t) {
    for (std::int64_t e = 0; e < E_; ++e) {
      y(t, e) = parts(t, e) * (y(t, e) + at("bias")(e) * u(t, e));
    }
  }
  return plain_affine_map(in, "out", y);
}

LRA_ATTENTION(hyena, Hyena,
              {.label = "Hyena",
               .cite = "Poli2023, arXiv 2302.10866",
               .input = Input::block,
               .time = Growth::n_log_n,
               .causal = true});

}  // namespace
}  // namespace lra::attention
