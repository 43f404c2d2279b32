// RWKV-7. Peng et al. 2025, "RWKV-7 Goose with Expressive Dynamic State Evolution", arXiv
// 2503.14456: the time mixing, equations of flash-linear-attention's rwkv7.py.
//   x^c_t = x_t + (x_(t-1) - x_t) x_c for c = r, w, k, v, a, g: token shift
//   r = x^r Wr^T,  k = x^k Wk^T,  v = x^v Wv^T;  in layers above the first v <- v + (v_first - v)
//   sigmoid(x^v v1^T v2^T + v_b), v_first that of the first layer
//   g = -e^-1/2 sigmoid(tanh(x^w w1^T) w2^T + w_b): log decay;  a = sigmoid(x^a a1^T a2^T + a_b)
//   kk = k k_k, divided by its norm in each head;  k <- k (1 + (a - 1) k_a)
//   S_t = diag(e^{g_t}) S_(t-1) - (a_t kk_t) (S_(t-1)^T kk_t)^T + k_t v_t^T,   o_t = S_t^T r_t
//   y_t = group norm of each head's o_t + (sum_d r k r_k) v,   out = (y sigmoid(x^g g1^T) g2^T)
//   Wo^T
// Reading, erasing and writing use different keys. All weights are [out, in]; one rank
// for all low-rank maps. Time O(N D E), state D x D per head. Takes the block's input. Ours: the
// second direction by the same scan from the last token on, added before the norm, with the same r,
// g, k, v, kk, a (`causal` leaves it out, as the paper is); the token shift looks back in both.
// Orthogonal initial weights of the code are uniform ones of the same variance here.

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "attention/attention.h"
#include "attention/parts/affine_maps.h"
#include "engine/fused/scan/delta_scan.h"

namespace lra::attention {
namespace {

constexpr double kDecay = 0.6065306597126334;  // e^-1/2
constexpr double kNormEps = 1e-5;              // times D: of the group norm
constexpr double kSmallestNorm = 1e-12;        // of kk

double sigmoid_value(double x) { return 1 / (1 + std::exp(-x)); }

// A parameter [E] that is a function of e / (E - 1) or e / E.
engine::Initialiser along(std::function<double(double position)> f, bool open) {
  return [f = std::move(f), open](RandomStream&, std::span<float> to) {
    const auto last = static_cast<double>(std::max<std::size_t>(1, to.size() - (open ? 0 : 1)));
    for (std::size_t e = 0; e < to.size(); ++e) {
      to[e] = static_cast<float>(f(static_cast<double>(e) / last));
    }
  };
}

class Rwkv7 final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.integer("rank", rank_, 1, 65536, "rank of the low-rank maps of decay, a, gate and v")
        .flag("causal", causal_, "the forward direction alone");
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    H_ = d.heads;
    E_ = d.width;
    first_ = d.layer == 0;
    if (E_ % H_ != 0) {
      fail(ErrorKind::config, "attention/rwkv7: width {} is not a multiple of {} heads", E_, H_);
    }
    const double height =
        d.layers > 1 ? static_cast<double>(d.layer) / static_cast<double>(d.layers - 1) : 0;
    const double rest = 1 - static_cast<double>(d.layer) / static_cast<double>(d.layers);
    const auto shift = [&](const char* name, double power) {
      return p.add(name, {E_}, along([=](double e) { return 1 - std::pow(e, power * rest); }, true),
                   {.decay = false});
    };
    x_r_ = shift("x_r", 0.2);
    x_w_ = shift("x_w", 0.9);
    x_k_ = shift("x_k", 0.7);
    x_v_ = shift("x_v", 0.7);
    x_a_ = shift("x_a", 0.9);
    x_g_ = shift("x_g", 0.2);
    const auto square = [&](const char* name, float gain) {
      return p.add(name, {E_, E_}, engine::init::xavier_uniform(E_, E_, gain));
    };
    Wr_ = square("Wr", 1);
    Wk_ = square("Wk", 0.1F);
    Wv_ = square("Wv", 1);
    Wo_ = p.add("Wo", {E_, E_}, engine::init::constant(0));
    // Position in the head in (-1, 1), squared with its sign.
    const auto zigzag = [D = E_ / H_, E = E_](double e) {
      const double half = std::max(1.0, static_cast<double>(D - 1)) / 2;
      const double at = std::fmod(std::round(e * static_cast<double>(E - 1)), D) / half - 1;
      return at * std::abs(at);
    };
    w_ = low_rank(p, "w",
                  along(
                      [=](double e) {
                        return -5.5 + 6 * std::pow(e, 1 + std::pow(height, 0.3)) + 2.5 * zigzag(e);
                      },
                      false));
    a_ =
        low_rank(p, "a", along([=](double e) { return -0.39 + 0.3 * zigzag(e) + 0.4 * e; }, false));
    g_ = low_rank(p, "g", nullptr);
    if (!first_) v_ = low_rank(p, "v", along([](double e) { return 0.93 - 0.4 * e; }, false));
    k_k_ =
        p.add("k_k", {E_}, along([](double e) { return 0.76 - 0.1 * e; }, false), {.decay = false});
    k_a_ = p.add("k_a", {E_}, engine::init::constant(1.02F), {.decay = false});
    r_k_ = p.add("r_k", {H_, E_ / H_}, engine::init::constant(-0.04F), {.decay = false});
    const double gain =
        std::pow(static_cast<double>(d.layer + 1) / static_cast<double>(d.layers), 0.7);
    gn_w_ = p.add("gn_w", {E_}, engine::init::constant(static_cast<float>(gain)), {.decay = false});
    gn_b_ = p.add("gn_b", {E_}, engine::init::constant(0), {.decay = false});
  }

  [[nodiscard]] Value mix(const Value& x, const Context& c) const override {
    const std::int64_t N = x.dim(0);
    const Value change = slice(pad(x, 0, 1, 0), 0, 0, N) - x;  // x_(t-1) - x_t
    const auto shifted = [&](const Parameter& by) {
      return x + change * reshape(by.value(), {1, E_});
    };
    const auto heads = [&](const Value& y) { return engine::split_heads(y, 1, H_).front(); };
    const Value xv = shifted(x_v_);
    const Value r = heads(map_rows(shifted(x_r_), Wr_));
    const Value key = map_rows(shifted(x_k_), Wk_);  // [N,E]
    const Value v = heads(values(map_rows(xv, Wv_), xv, c));
    const Value g = sigmoid(cast(w_(tanh(map_rows(shifted(x_w_), w_.first))), DType::f32)) *
                    static_cast<float>(-kDecay);                     // [N,E] f32
    const Value a = sigmoid(a_(map_rows(shifted(x_a_), a_.first)));  // [N,E]
    const Value raised = (a - 1.0F) * reshape(k_a_.value(), {1, E_}) + 1.0F;
    const Value k = heads(key * raised);
    const Value unit = normalised(heads(key * reshape(k_k_.value(), {1, E_})));  // [H,N,D]  kk
    // kk reads the state before its decay.
    const Value decay = heads(g);
    const Value read = cast(cast(unit, DType::f32) * exp(-decay), unit.dtype());
    const Value erase = heads(a) * unit;
    const auto scan = [&](bool reverse) {
      return engine::generalised_delta_scan(r, k, v, decay, read, erase, c.length, reverse);
    };
    const Value o = causal_ ? scan(false) : scan(false) + scan(true);  // [H,N,D]
    const Value bonus =
        cast(sum_f32(r * k * reshape(r_k_.value(), {H_, 1, E_ / H_}), 2), v.dtype());
    const Value gate = map_rows(sigmoid(map_rows(shifted(x_g_), g_.first)), g_.second);  // [N,E]
    return map_rows(engine::merge_heads(group_norm(o) + v * bonus) * gate, Wo_);
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override;

 private:
  // first [R, E], second [E, R], bias [E]: applied to what follows the first map.
  struct LowRank {
    Parameter first, second, bias;
    [[nodiscard]] Value operator()(const Value& low) const {
      return linear(low, engine::transpose(second.value()), bias.value());
    }
  };
  [[nodiscard]] LowRank low_rank(const ParameterBuilder& p, const std::string& name,
                                 const engine::Initialiser& bias) const {
    LowRank map;
    map.first = p.add(name + "1", {rank_, E_}, engine::init::constant(0));
    map.second = p.add(name + "2", {E_, rank_}, engine::init::xavier_uniform(rank_, E_, 0.1F));
    if (bias) map.bias = p.add(name + "_b", {E_}, bias, {.decay = false});
    return map;
  }

  // v, mixed with that of the first layer, which is kept for those above.
  [[nodiscard]] Value values(const Value& v, const Value& xv, const Context& c) const {
    if (first_) {
      if (c.carried != nullptr) (*c.carried)["v_first"] = v;
      return v;
    }
    if (c.carried == nullptr || c.carried->count("v_first") == 0) {
      fail(ErrorKind::config, "attention/rwkv7: the values of the first layer are missing");
    }
    return v + (c.carried->at("v_first") - v) * sigmoid(v_(map_rows(xv, v_.first)));
  }

  [[nodiscard]] static Value normalised(const Value& y) {
    const auto floor = static_cast<float>(kSmallestNorm * kSmallestNorm);
    return y / sqrt(clamp_min(sum_f32(square(y), 2), floor));
  }

  [[nodiscard]] Value group_norm(const Value& o) const {
    const auto D = static_cast<float>(o.dim(2));
    const Value centred = o - sum_f32(o, 2) / D;
    const Value variance = sum_f32(square(centred), 2) / D;
    return centred / sqrt(variance + static_cast<float>(kNormEps) * D) *
               reshape(gn_w_.value_f32(), {H_, 1, o.dim(2)}) +
           reshape(gn_b_.value_f32(), {H_, 1, o.dim(2)});
  }

  std::int64_t rank_ = 32;
  bool causal_ = false;
  std::int64_t H_ = 1, E_ = 1;
  bool first_ = true;
  Parameter x_r_, x_w_, x_k_, x_v_, x_a_, x_g_, Wr_, Wk_, Wv_, Wo_, k_k_, k_a_, r_k_, gn_w_, gn_b_;
  LowRank w_, a_, g_, v_;
};

// Inputs of the recurrence for all heads, [n, E] each.
struct PlainTokens {
  Plain r, w, k, v, a;
};

// The recurrence of the file's first comment, from either end, for the head whose features begin at
// `first`; kk [n, D] are its keys of length 1. [n, D].
Plain recurrence(const PlainTokens& x, const Plain& kk, std::int64_t first, bool causal) {
  const std::int64_t n = kk.dim(0);
  const std::int64_t D = kk.dim(1);
  Plain o({n, D});
  for (const bool reverse : {false, true}) {
    if (reverse && causal) continue;
    Plain S({D, D});
    for (std::int64_t step = 0; step < n; ++step) {
      const std::int64_t t = reverse ? n - 1 - step : step;
      for (std::int64_t c = 0; c < D; ++c) {
        double found = 0;
        for (std::int64_t d = 0; d < D; ++d) found += S(d, c) * kk(t, d);
        for (std::int64_t d = 0; d < D; ++d) {
          const std::int64_t e = first + d;
          S(d, c) =
              x.w(t, e) * S(d, c) - x.a(t, e) * kk(t, d) * found + x.k(t, e) * x.v(t, first + c);
          o(t, c) += S(d, c) * x.r(t, e);
        }
      }
    }
  }
  return o;
}

// In the first layer, whose values are passed to the others.
Plain Rwkv7::define(const PlainInputs& in) const {
  const auto at = [&](const std::string& name) -> const Plain& { return in.parameters.at(name); };
  const std::int64_t n = in.x.dim(0);
  const std::int64_t D = E_ / H_;
  const auto shifted = [&](const char* name) {
    Plain y = in.x;
    for (std::int64_t t = 0; t < n; ++t) {
      for (std::int64_t e = 0; e < E_; ++e) {
        const double previous = t > 0 ? in.x(t - 1, e) : 0;
        y(t, e) += (previous - in.x(t, e)) * at(name)(e);
      }
    }
    return y;
  };
  const auto logistic = [](Plain y) { return mapped(std::move(y), sigmoid_value); };
  const auto biased = [&](Plain y, const char* name) {
    for (std::int64_t t = 0; t < n; ++t) {
      for (std::int64_t e = 0; e < E_; ++e) y(t, e) += at(name)(e);
    }
    return y;
  };
  const Plain r = plain_map(shifted("x_r"), at("Wr"));
  const Plain key = plain_map(shifted("x_k"), at("Wk"));
  const Plain v = plain_map(shifted("x_v"), at("Wv"));
  const Plain low =
      mapped(plain_map(shifted("x_w"), at("w1")), [](double y) { return std::tanh(y); });
  const Plain w = mapped(biased(plain_map(low, at("w2")), "w_b"),
                         [](double y) { return std::exp(-kDecay * sigmoid_value(y)); });
  const Plain a = logistic(biased(plain_map(plain_map(shifted("x_a"), at("a1")), at("a2")), "a_b"));
  const Plain gate = plain_map(logistic(plain_map(shifted("x_g"), at("g1"))), at("g2"));
  Plain k = key;
  Plain y({n, E_});
  for (std::int64_t h = 0; h < H_; ++h) {
    const std::int64_t first = h * D;
    Plain kk({n, D});
    for (std::int64_t t = 0; t < n; ++t) {
      double squares = 0;
      for (std::int64_t d = 0; d < D; ++d) {
        const std::int64_t e = first + d;
        kk(t, d) = key(t, e) * at("k_k")(e);
        squares += kk(t, d) * kk(t, d);
        k(t, e) *= 1 + (a(t, e) - 1) * at("k_a")(e);
      }
      for (std::int64_t d = 0; d < D; ++d) {
        kk(t, d) /= std::max(std::sqrt(squares), kSmallestNorm);
      }
    }
    const Plain o = recurrence({r, w, k, v, a}, kk, first, causal_);
    for (std::int64_t t = 0; t < n; ++t) {
      double mean = 0;
      double variance = 0;
      double bonus = 0;
      for (std::int64_t d = 0; d < D; ++d) {
        mean += o(t, d) / static_cast<double>(D);
        bonus += r(t, first + d) * k(t, first + d) * at("r_k")(h, d);
      }
      for (std::int64_t d = 0; d < D; ++d) {
        variance += (o(t, d) - mean) * (o(t, d) - mean) / static_cast<double>(D);
      }
      for (std::int64_t d = 0; d < D; ++d) {
        const std::int64_t e = first + d;
        const double normed =
            (o(t, d) - mean) / std::sqrt(variance + kNormEps * static_cast<double>(D));
        y(t, e) = (normed * at("gn_w")(e) + at("gn_b")(e) + bonus * v(t, e)) * gate(t, e);
      }
    }
  }
  return plain_map(y, at("Wo"));
}

LRA_ATTENTION(rwkv7, Rwkv7,
              {.label = "RWKV-7",
               .cite = "Peng2025, arXiv 2503.14456",
               .input = Input::block,
               .causal = true});

}  // namespace
}  // namespace lra::attention
