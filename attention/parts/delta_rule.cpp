#include "attention/parts/delta_rule.h"

#include <cmath>
#include <utility>

#include "attention/parts/affine_maps.h"
#include "attention/parts/decays.h"
#include "attention/parts/depthwise.h"
#include "attention/parts/norms.h"
#include "engine/fused/scan/delta_scan.h"

namespace lra::attention {
namespace {

double sigmoid_at(double x) { return 1 / (1 + std::exp(-x)); }

// Columns of y [N, H C] as heads [H, N, C].
Value heads_of(const Value& y, std::int64_t H) { return engine::split_heads(y, 1, H).front(); }

}  // namespace

void DeltaRule::options(OptionTable& table) {
  table.flag("causal", causal_, "the forward direction alone")
      .flag("negative_eigenvalues", negative_eigenvalues_, "beta up to 2 instead of 1")
      .integer("conv_size", taps_, 0, 64,
               "taps of the convolutions of q, k, v; 0: none, and no silu")
      .choice("qk_norm", qk_norm_, "norm of each head's q and k")
      .number("qk_norm_eps", qk_norm_eps_, 1e-12, 1, "added to the square of that norm")
      .choice("head_norm", head_norm_, "norm of each head's output, with a gain")
      .number("norm_eps", norm_eps_, 1e-12, 1, "added to its mean square")
      .choice("output_gate", output_gate_,
              "activation of the gate on the output, from the block's input");
  if (decay_ == Decay::feature) {
    table.integer("gate_rank", rank_, 0, 65536,
                  "R, rank of the maps to decays and output gate; 0: a head's width");
  }
}

void DeltaRule::build(const ParameterBuilder& p, const Dimensions& d) {
  const std::int64_t features = d.heads * d.head_dim;
  const std::int64_t R = rank_ > 0 ? rank_ : d.head_dim;
  const auto from_x = engine::init::torch_linear(d.width);
  const auto from_low = engine::init::torch_linear(R);
  if (taps_ > 0) {
    const auto taps = engine::init::torch_linear(taps_);
    conv_q_ = p.add("conv_q", {features, taps_}, taps);
    conv_k_ = p.add("conv_k", {features, taps_}, taps);
    conv_v_ = p.add("conv_v", {features, taps_}, taps);
  }
  Wb_ = p.add("Wb", {d.heads, d.width}, from_x);
  if (decay_ == Decay::head) {
    Wa_ = p.add("Wa", {d.heads, d.width}, from_x);
    A_log_ = p.add("A_log", {d.heads}, log_rates(0, 16), {.decay = false});
    dt_bias_ = p.add("dt_bias", {d.heads}, step_biases(), {.decay = false});
  }
  if (decay_ == Decay::feature) {
    Wa_ = p.add("Wa1", {R, d.width}, from_x);
    Wa2_ = p.add("Wa2", {features, R}, from_low);
    A_log_ = p.add("A_log", {d.heads}, log_rates(1, 16), {.decay = false});
    dt_bias_ = p.add("dt_bias", {features}, engine::init::constant(0), {.decay = false});
  }
  if (head_norm_ == OutputNorm::rms) {
    norm_w_ = p.add("norm_w", {d.head_dim}, engine::init::constant(1));
  }
  if (output_gate_ == OutputGate::none) return;
  if (decay_ != Decay::feature) {
    Wz_ = p.add("Wz", {features, d.width}, from_x);
    return;
  }
  Wz_ = p.add("Wz1", {R, d.width}, from_x);
  Wz2_ = p.add("Wz2", {features, R}, from_low);
  bz_ = p.add("bz", {features}, from_low);
}

Value DeltaRule::convolved(const Value& y, const Parameter& taps, std::int64_t n) const {
  if (taps_ == 0) return y;
  const Value w = reshape(cast(taps.value_f32(), y.dtype()), {y.dim(0), y.dim(2), taps_});
  return silu(depthwise(y, w, {n, false, 0, taps_ - 1}));
}

Value DeltaRule::normed(const Value& y, float scale) const {
  if (qk_norm_ == QkNorm::none) return scale == 1.0F ? y : y * scale;
  const Value squares = sum_f32(square(y), 2) + static_cast<float>(qk_norm_eps_);  // [H,N,1]
  return y / (sqrt(squares) * (1 / scale));
}

Value DeltaRule::log_decay(const Heads& x) const {
  if (decay_ == Decay::none) return {};
  const std::int64_t H = x.q.dim(0);
  const std::int64_t N = x.q.dim(1);
  const std::int64_t C = decay_ == Decay::head ? 1 : x.q.dim(2);
  if (const Value* given = x.find("g")) return reshape(cast(*given, DType::f32), {H, N, C});
  const Value low = map_rows(x.x, Wa_);
  const Value a = heads_of(decay_ == Decay::head ? low : map_rows(low, Wa2_), H);  // [H,N,C]
  const Value dt = softplus(cast(a, DType::f32) + reshape(dt_bias_.value_f32(), {H, 1, C}));
  return dt * reshape(-exp(A_log_.value_f32()), {H, 1, 1});
}

Value DeltaRule::output_logits(const Heads& x) const {
  const Value z = map_rows(x.x, Wz_);
  if (decay_ != Decay::feature) return heads_of(z, x.q.dim(0));
  return heads_of(linear(z, engine::transpose(Wz2_.value()), bz_.value()), x.q.dim(0));
}

Value DeltaRule::forward(const Heads& x, const Context&) const {
  const std::int64_t n = x.length;
  const std::int64_t H = x.q.dim(0);
  const auto scale = 1 / std::sqrt(static_cast<float>(x.q.dim(2)));
  const Value q = normed(convolved(x.q, conv_q_, n), scale);  // [H,N,D]
  const Value k = normed(convolved(x.k, conv_k_, n), 1);      // [H,N,D]
  const Value v = convolved(x.v, conv_v_, n);                 // [H,N,D]
  const Value* given = x.find("beta");
  Value beta = given != nullptr
                   ? reshape(cast(*given, DType::f32), {H, x.q.dim(1), 1})
                   : sigmoid(cast(heads_of(map_rows(x.x, Wb_), H), DType::f32));  // [H,N,1]
  if (given == nullptr && negative_eigenvalues_) beta = beta * 2.0F;
  const Value g = log_decay(x);
  Value o = engine::delta_scan(q, k, v, g, beta, n, false);
  if (!causal_) o = o + engine::delta_scan(q, k, v, g, beta, n, true);  // [H,N,D]
  if (head_norm_ == OutputNorm::rms) {
    o = head_norm(o, static_cast<float>(norm_eps_)) *
        reshape(norm_w_.value_f32(), {1, 1, o.dim(2)});
  }
  if (output_gate_ == OutputGate::none) return o;
  const Value z = output_logits(x);
  return o * (output_gate_ == OutputGate::silu ? silu(z) : sigmoid(z));
}

Plain DeltaRule::plain_convolved(const PlainInputs& in, const char* name, const Plain& y) const {
  if (taps_ == 0) return y;
  const Plain& w = in.parameters.at(name);
  const auto tap = [&](std::int64_t h, std::int64_t c, std::int64_t t) {
    return w(h * y.dim(2) + c, t);
  };
  return mapped(plain_depthwise(y, taps_, tap, {y.dim(1), false, 0, taps_ - 1}),
                [](double x) { return x * sigmoid_at(x); });
}

Plain DeltaRule::plain_normed(Plain y) const {
  if (qk_norm_ == QkNorm::none) return y;
  for (std::int64_t h = 0; h < y.dim(0); ++h) {
    for (std::int64_t i = 0; i < y.dim(1); ++i) {
      const double norm = std::sqrt(dot(y, y, h, i, i) + qk_norm_eps_);
      for (std::int64_t d = 0; d < y.dim(2); ++d) y(h, i, d) /= norm;
    }
  }
  return y;
}

Plain DeltaRule::plain_log_decay(const PlainInputs& in) const {
  Plain g(in.q.shape);
  if (decay_ == Decay::none) return g;
  const auto at = [&](const char* name) -> const Plain& { return in.parameters.at(name); };
  const Plain a = decay_ == Decay::head ? plain_map(in.x, at("Wa"))
                                        : plain_map(plain_map(in.x, at("Wa1")), at("Wa2"));
  for (std::int64_t h = 0; h < g.dim(0); ++h) {
    for (std::int64_t t = 0; t < g.dim(1); ++t) {
      for (std::int64_t d = 0; d < g.dim(2); ++d) {
        const std::int64_t c = decay_ == Decay::head ? h : h * g.dim(2) + d;
        g(h, t, d) = -std::exp(at("A_log")(h)) * plain_softplus(a(t, c) + at("dt_bias")(c));
      }
    }
  }
  return g;
}

// q_i^T (I - beta_i k_i k_i^T) diag(e^{g_i}) .. applied from the left, one token after another: the
// covector a that reaches token j weighs it by beta_j k_j . a.
Weights DeltaRule::weights(const PlainInputs& in) const {
  const Plain logits = plain_map(in.x, in.parameters.at("Wb"));
  const Plain decay = mapped(plain_log_decay(in), [](double g) { return std::exp(g); });
  const double most = negative_eigenvalues_ ? 2 : 1;
  const auto row = [logits, decay, most, causal = causal_](const Plain& q, const Plain& k,
                                                           std::int64_t h, std::int64_t i) {
    const std::int64_t D = q.dim(2);
    Row result{std::vector<double>(static_cast<std::size_t>(keys_of(i, k.dim(1), causal)), 0.0)};
    const auto pass = [&](std::int64_t step) {
      std::vector<double> a(q.row(h, i), q.row(h, i) + D);
      for (double& x : a) x /= std::sqrt(static_cast<double>(D));
      for (std::int64_t j = i; j >= 0 && j < static_cast<std::int64_t>(result.w.size());
           j += step) {
        double w = 0;
        for (std::int64_t d = 0; d < D; ++d) w += k(h, j, d) * a[static_cast<std::size_t>(d)];
        w *= most * sigmoid_at(logits(j, h));
        result.w[static_cast<std::size_t>(j)] += w;
        for (std::int64_t d = 0; d < D; ++d) {
          double& x = a[static_cast<std::size_t>(d)];
          x = (x - w * k(h, j, d)) * decay(h, j, d);
        }
      }
    };
    pass(-1);
    if (!causal) pass(1);
    return result;
  };
  return {plain_normed(plain_convolved(in, "conv_q", in.q)),
          plain_normed(plain_convolved(in, "conv_k", in.k)), row, false, whole()};
}

Plain DeltaRule::define(const PlainInputs& in) const {
  const auto at = [&](const char* name) -> const Plain& { return in.parameters.at(name); };
  Plain o = weighted_sum(weights(in), plain_convolved(in, "conv_v", in.v));
  Plain z;
  if (output_gate_ != OutputGate::none) {
    z = decay_ == Decay::feature ? plain_map(plain_map(in.x, at("Wz1")), at("Wz2"))
                                 : plain_map(in.x, at("Wz"));
  }
  for (std::int64_t h = 0; h < o.dim(0); ++h) {
    for (std::int64_t i = 0; i < o.dim(1); ++i) {
      const double rms = std::sqrt(dot(o, o, h, i, i) / static_cast<double>(o.dim(2)) + norm_eps_);
      for (std::int64_t d = 0; d < o.dim(2); ++d) {
        const std::int64_t f = h * o.dim(2) + d;
        double& y = o(h, i, d);
        if (head_norm_ == OutputNorm::rms) y *= at("norm_w")(d) / rms;
        if (output_gate_ == OutputGate::none) continue;
        const double logit = z(i, f) + (decay_ == Decay::feature ? at("bz")(f) : 0);
        y *= sigmoid_at(logit) * (output_gate_ == OutputGate::silu ? logit : 1);
      }
    }
  }
  return o;
}

}  // namespace lra::attention
