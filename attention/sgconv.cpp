// SGConv. Li, Cai, Zhang, Chen, Dey 2022, "What Makes Convolutional Models Great on Long Sequence
// Modeling?", arXiv 2210.09298, section 3; the authors' gconv_standalone.py.
//   K = [stretch(k_0), stretch(k_1) / m, stretch(k_2) / m^2, ..] m^(S-1) / Z
// S sub-kernels k_s of width d (`kernel_width`) for each feature, k_s stretched by 2^max(0, s-1) by
// linear interpolation, so that each covers as many lags as all before it, at a weight that falls
// by m. Z, the norm of K over all its lags at first, is a constant from then on.
//   out = gelu(K conv x + D x) Wo^T + bo
// `combine` = sum: each k_s from lag 0 on, stretched by 2^s. `learned_decay`: m = 1, and a factor
// (lag + 1)^-decay. A second kernel, from lag -1 on, does the other direction, as in S4; `causal`
// leaves it out. k and D are N(0, 1) at first. Time O(N E log N), memory O(N E). Takes the block's
// input. Z is among the parameters (kernel_norm), so that weights on disk have it; no gradient
// reaches it.

#include <algorithm>
#include <bit>
#include <cmath>

#include "attention/attention.h"
#include "attention/parts/affine_maps.h"
#include "engine/fused/spectral/long_convolution.h"

namespace lra::attention {
namespace {

// Initial values from which another parameter is computed, in the order in which they are drawn.
using Drawn = std::shared_ptr<std::vector<std::vector<float>>>;

engine::Initialiser recorded(engine::Initialiser draw, Drawn drawn) {
  return [draw = std::move(draw), drawn = std::move(drawn)](RandomStream& random,
                                                            std::span<float> to) {
    draw(random, to);
    drawn->emplace_back(to.begin(), to.end());
  };
}

class SgConv final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.integer("kernel_width", d_, 1, 65536, "d, entries of each sub-kernel")
        .integer("scales", S_, 0, 24, "S, sub-kernels; 0: as many as the longest sequence needs")
        .choice("interpolation", interpolation_, "of the sub-kernels")
        .choice("combine", combine_, "sub-kernels side by side, or added")
        .number("decay_min", decay_min_, 0, 16, "m of the first feature")
        .number("decay_max", decay_max_, 0, 16, "m of the last feature, evenly spaced between")
        .flag("learned_decay", learned_, "a learned power of the lag instead; m is its start")
        .choice("output", output_, "the last map, or one with a gate")
        .flag("causal", causal_, "a token sees itself and what is before it");
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    E_ = d.width;
    if (S_ == 0) {
      const auto widths = static_cast<std::uint64_t>((d.max_length + d_ - 1) / d_);
      S_ = 1 + std::bit_width(widths - 1);  // 1 + ceil(log2(longest / d))
    }
    C_ = causal_ ? 1 : 2;
    const engine::Parameters::Traits slow{.decay = false, .slow = true};
    const auto drawn = std::make_shared<std::vector<std::vector<float>>>();
    for (std::int64_t s = 0; s < S_; ++s) {
      k_.push_back(p.add("k" + std::to_string(s), {C_, E_, d_},
                         recorded(engine::init::normal(0, 1), drawn), slow));
    }
    if (learned_) {
      const auto decays =
          engine::init::uniform(static_cast<float>(decay_min_), static_cast<float>(decay_max_));
      decay_ = p.add("decay", {E_}, recorded(decays, drawn), slow);
    }
    const auto norm = [this, drawn](RandomStream&, std::span<float> to) {
      for (std::int64_t c = 0; c < C_; ++c) {
        for (std::int64_t e = 0; e < E_; ++e) {
          double squares = 0;
          for (std::int64_t lag = 0; lag < lags(); ++lag) {
            squares += std::pow(first_entry(*drawn, c, e, lag), 2);
          }
          to[static_cast<std::size_t>(c * E_ + e)] = static_cast<float>(std::sqrt(squares));
        }
      }
      drawn->clear();
    };
    norm_ = p.add("kernel_norm", {C_, E_}, norm, slow);
    D_ = p.add("D", {E_}, engine::init::normal(0, 1), {.decay = false});
    const std::int64_t outputs = output_ == Output::glu ? 2 * E_ : E_;
    out_ = {p.add("Wo", {outputs, E_}, engine::init::torch_linear(E_)),
            p.add("bo", {outputs}, engine::init::torch_linear(E_), {.decay = false})};
  }

  [[nodiscard]] Value mix(const Value& x, const Context& c) const override {
    // A golden file gives the norm.
    const bool given = c.draws != nullptr && c.draws->count("kernel_norm") != 0;
    const Value norm(given ? c.draws->at("kernel_norm") : norm_.value_f32().tensor());  // [C,E]
    const Value before = kernel(norm, 0, c.length);
    const Value after = C_ == 1 || c.length == 1 ? Value() : kernel(norm, 1, c.length - 1);
    const Value y =
        engine::long_convolution(x, before, after, c.length) + x * cast(D_.value(), x.dtype());
    const Value u = gelu_erf(y);
    if (output_ == Output::linear) return out_(u);
    return out_.part(u, 0, E_) * sigmoid(out_.part(u, E_, E_));  // [N,E]
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override;

 private:
  enum class Interpolation { linear, nearest };
  friend constexpr auto texts(Interpolation) { return enum_texts("linear", "nearest"); }
  enum class Combine { cat, sum };
  friend constexpr auto texts(Combine) { return enum_texts("cat", "sum"); }
  enum class Output { linear, glu };
  friend constexpr auto texts(Output) { return enum_texts("linear", "glu"); }

  // Sub-kernel s covers lags begin..begin + d stretch - 1.
  [[nodiscard]] std::int64_t stretch(std::int64_t s) const {
    return std::int64_t{1} << (combine_ == Combine::sum ? s : std::max<std::int64_t>(0, s - 1));
  }
  [[nodiscard]] std::int64_t begin(std::int64_t s) const {
    return combine_ == Combine::sum || s == 0 ? 0 : d_ << (s - 1);
  }
  [[nodiscard]] std::int64_t lags() const { return d_ << (S_ - 1); }
  [[nodiscard]] double m(std::int64_t e) const {
    if (learned_) return 1;
    if (E_ == 1) return decay_min_;
    return decay_min_ +
           (decay_max_ - decay_min_) * static_cast<double>(e) / static_cast<double>(E_ - 1);
  }

  // Entry at a lag of a stretched sub-kernel: (1 - w) k[i] + w k[j].
  struct Entry {
    std::int64_t i = -1, j = -1;
    double w = 0;
  };
  [[nodiscard]] Entry entry(std::int64_t s, std::int64_t lag) const {
    const std::int64_t at = lag - begin(s);
    if (at < 0 || at >= d_ * stretch(s)) return {};
    if (interpolation_ == Interpolation::nearest) return {at / stretch(s), at / stretch(s), 0};
    const double place =
        std::max(0.0, (static_cast<double>(at) + 0.5) / static_cast<double>(stretch(s)) - 0.5);
    const auto i = static_cast<std::int64_t>(place);
    return {i, std::min(i + 1, d_ - 1), place - static_cast<double>(i)};
  }

  // [lags, E] f32 of direction c, for no more lags than `tokens`.
  [[nodiscard]] Value kernel(const Value& norm, std::int64_t c, std::int64_t tokens) const {
    const std::int64_t L = std::min(tokens, lags());
    std::vector<Value> rows;  // [d,E] each
    for (std::int64_t s = 0; s < S_; ++s) {
      const Value k =
          reshape(slice(k_[static_cast<std::size_t>(s)].value_f32(), 0, c, 1), {E_, d_});
      const Tensor weight({1, E_}, DType::f32);
      for (std::int64_t e = 0; e < E_; ++e) {
        weight.f32()[e] = static_cast<float>(std::pow(m(e), static_cast<double>(S_ - 1 - s)));
      }
      rows.push_back(engine::transpose(k) * Value(weight));
    }
    const Value all = engine::concat(rows, 0);  // [S d,E]
    Value K;
    // Side by side, one sub-kernel covers a lag; added, each may.
    for (std::int64_t term = 0; term < (combine_ == Combine::sum ? S_ : 1); ++term) {
      std::vector<std::int32_t> first;
      std::vector<std::int32_t> second;
      std::vector<float> weights;
      std::int64_t s = term;
      for (std::int64_t lag = 0; lag < L; ++lag) {
        while (combine_ == Combine::cat && entry(s, lag).i < 0) ++s;
        const Entry at = entry(s, lag);
        const std::int64_t row = at.i < 0 ? 0 : s * d_;
        first.push_back(static_cast<std::int32_t>(row + at.i));
        second.push_back(static_cast<std::int32_t>(row + at.j));
        weights.push_back(static_cast<float>(at.w));
      }
      const Value w(Tensor::from({L, 1}, weights));
      const Value a = gather_rows(all, Tensor::from_indices({L}, first));
      const Value b = gather_rows(all, Tensor::from_indices({L}, second));
      const Value stretched = a + (b - a) * w;
      K = K.defined() ? K + stretched : stretched;
    }
    K = K / slice(norm, 0, c, 1);
    if (!learned_) return K;
    const Tensor logs({L, 1}, DType::f32);
    for (std::int64_t lag = 0; lag < L; ++lag) {
      logs.f32()[lag] = static_cast<float>(std::log(static_cast<double>(lag + 1)));
    }
    return K * exp(engine::expand(Value(logs), {L, E_}) * -decay_.value_f32());
  }

  // K before the division, from initial values: k_0, .., k_(S-1), decay.
  [[nodiscard]] double first_entry(const std::vector<std::vector<float>>& drawn, std::int64_t c,
                                   std::int64_t e, std::int64_t lag) const {
    double sum = 0;
    for (std::int64_t s = 0; s < S_; ++s) {
      const Entry at = entry(s, lag);
      if (at.i < 0) continue;
      const float* k = drawn[static_cast<std::size_t>(s)].data() + (c * E_ + e) * d_;
      sum += ((1 - at.w) * double{k[at.i]} + at.w * double{k[at.j]}) *
             std::pow(m(e), static_cast<double>(S_ - 1 - s));
    }
    if (!learned_) return sum;
    const double power = double{drawn.back()[static_cast<std::size_t>(e)]};
    return sum * std::pow(static_cast<double>(lag + 1), -power);
  }

  std::int64_t d_ = 64, S_ = 0, E_ = 0, C_ = 2;
  Interpolation interpolation_ = Interpolation::linear;
  Combine combine_ = Combine::cat;
  Output output_ = Output::linear;
  double decay_min_ = 2, decay_max_ = 2;
  bool learned_ = false, causal_ = false;
  std::vector<Parameter> k_;
  AffineMap out_;
  Parameter decay_, norm_, D_;
};

// The kernel written out sub-kernel by sub-kernel, and the sum over all pairs of tokens.
Plain SgConv::define(const PlainInputs& in) const {
  const auto& P = in.parameters;
  const std::int64_t n = in.x.dim(0);
  Plain y = in.x;
  for (std::int64_t e = 0; e < E_; ++e) {
    for (std::int64_t t = 0; t < n; ++t) y(t, e) *= P.at("D")(e);
    for (std::int64_t c = 0; c < C_; ++c) {
      std::vector<double> K(static_cast<std::size_t>(lags()), 0.0);
      std::size_t end = 0;
      for (std::int64_t s = 0; s < S_; ++s) {
        const Plain& k = P.at("k" + std::to_string(s));
        const auto times = static_cast<std::int64_t>(
            std::exp2(combine_ == Combine::sum ? s : std::max<std::int64_t>(0, s - 1)));
        if (combine_ == Combine::sum) end = 0;
        for (std::int64_t i = 0; i < d_ * times; ++i, ++end) {
          double value = k(c, e, i / times);
          // Entry i is at the middle of its part of the stretched line.
          const double offset =
              (static_cast<double>(i % times) + 0.5) / static_cast<double>(times) - 0.5;
          const std::int64_t other = i / times + (offset < 0 ? -1 : 1);
          if (interpolation_ == Interpolation::linear && other >= 0 && other < d_) {
            value += std::abs(offset) * (k(c, e, other) - value);
          }
          K[end] += value * std::pow(m(e), static_cast<double>(S_ - 1 - s));
        }
      }
      const double Z = in.stop_gradient(P.at("kernel_norm")(c, e));
      for (std::int64_t lag = 0; lag < std::min(lags(), n - c); ++lag) {
        double weight = K[static_cast<std::size_t>(lag)] / Z;
        if (learned_) weight *= std::pow(static_cast<double>(lag + 1), -P.at("decay")(e));
        for (std::int64_t t = lag + c; t < n; ++t) {
          (c == 0 ? y(t, e) : y(t - lag - 1, e)) += weight * in.x(c == 0 ? t - lag : t, e);
        }
      }
    }
    for (std::int64_t t = 0; t < n; ++t) y(t, e) *= 0.5 * (1 + std::erf(y(t, e) / std::sqrt(2.0)));
  }
  Plain out = plain_affine_map(in, "o", y);
  if (output_ == Output::linear) return out;
  Plain gated(in.x.shape);
  for (std::int64_t t = 0; t < n; ++t) {
    for (std::int64_t e = 0; e < E_; ++e) {
      gated(t, e) = out(t, e) / (1 + std::exp(-out(t, E_ + e)));
    }
  }
  return gated;
}

LRA_ATTENTION(sgconv, SgConv,
              {.label = "SGConv",
               .cite = "Li2022, arXiv 2210.09298",
               .input = Input::block,
               .time = Growth::n_log_n,
               .causal = true});

}  // namespace
}  // namespace lra::attention
