#include "attention/parts/state_space_dual.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "attention/parts/affine_maps.h"
#include "attention/parts/decays.h"
#include "attention/parts/depthwise.h"
#include "engine/fused/scan/gated_scan.h"

namespace lra::attention {
namespace {

double plain_silu(double x) { return x / (1 + std::exp(-x)); }

}  // namespace

StateSpaceDual::StateSpaceDual(std::string where, const Preset& preset)
    : where_(std::move(where)),
      taps_(preset.conv_size),
      conv_(preset.centred ? Convolution::centred : Convolution::causal),
      norm_before_gate_(preset.norm_before_gate),
      A_low_(preset.A_low),
      A_high_(preset.A_high) {}

void StateSpaceDual::options(OptionTable& table) {
  table.integer("expand", expand_, 1, 16, "inner width over the model's")
      .integer("head_width", P_, 0, 65536, "P, width of an inner head; 0: that of the encoder's")
      .integer("state", S_, 1, 4096, "S, states of each inner feature")
      .integer("conv_size", taps_, 1, 64, "taps of the convolution before the scan")
      .choice("conv", conv_, "taps up to the token, or around it")
      .flag("norm_before_gate", norm_before_gate_, "RMSnorm(y) silu(z), not RMSnorm(y silu(z))")
      .number("norm_eps", norm_eps_, 1e-12, 1, "added to the mean square");
}

void StateSpaceDual::build(const ParameterBuilder& p, const Dimensions& d, Mixer mixer) {
  mixer_ = mixer;
  E_ = d.width;
  I_ = expand_ * E_;
  if (P_ == 0) P_ = d.head_dim;
  if (I_ % P_ != 0) {
    fail(ErrorKind::config,
         "{}: head_width must divide expand x width; got {}, expected a divisor of {}", where_, P_,
         I_);
  }
  if (mixer == Mixer::causal && conv_ == Convolution::centred) {
    fail(ErrorKind::config,
         "{}: a centred convolution sees the next token; got causal=true; set conv=causal", where_);
  }
  H_ = I_ / P_;
  const std::int64_t C = channels();
  const auto convolution = engine::init::torch_linear(taps_);
  Win_ = p.add("Win", {I_ + C + directions() * H_, E_}, engine::init::torch_linear(E_));
  conv_w_ = p.add("conv_w", {C, taps_}, convolution);
  conv_b_ = p.add("conv_b", {C}, convolution);
  dt_bias_ = p.add("dt_bias", {H_}, step_biases(), {.decay = false});
  A_log_ = p.add("A_log", {H_}, log_rates(A_low_, A_high_), {.decay = false});
  D_ = p.add("D", {H_}, engine::init::constant(1), {.decay = false});
  if (mixer == Mixer::quasiseparable) WD_ = p.add("WD", {H_, I_}, engine::init::torch_linear(I_));
  norm_w_ = p.add("norm_w", {I_}, engine::init::constant(1));
  Wout_ = p.add("Wout", {E_, I_}, engine::init::torch_linear(I_));
}

Value StateSpaceDual::project(const Value& x, std::int64_t begin, std::int64_t count) const {
  return linear(x, engine::transpose(slice(Win_.value(), 0, begin, count)), {});
}

StateSpaceDual::Direction StateSpaceDual::direction(const Value& u, const Value& x,
                                                    std::int64_t number) const {
  const Shape shape{H_, x.dim(0), S_};
  const Value B = slice(u, 1, I_ + 2 * number * S_, S_);        // [N,S]
  const Value C = slice(u, 1, I_ + (2 * number + 1) * S_, S_);  // [N,S]
  const Value d = engine::split_heads(project(x, I_ + channels() + number * H_, H_), 1, H_).front();
  const Value dt =
      softplus(cast(d, DType::f32) + reshape(dt_bias_.value_f32(), {H_, 1, 1}));  // [H,N,1]
  const Value g = dt * reshape(-exp(A_log_.value_f32()), {H_, 1, 1});
  return {expand(C, shape), expand(B, shape) * dt, expand(g, shape)};
}

Value StateSpaceDual::scans(const Value& X, const Value& u, const Value& x, std::int64_t n) const {
  const Direction a = direction(u, x, 0);
  Value forward = engine::gated_scan(a.q, a.k, X, a.g, n, false);  // [H,N,P]
  if (mixer_ == Mixer::causal) return forward;
  if (mixer_ == Mixer::add) return forward + engine::gated_scan(a.q, a.k, X, a.g, n, true);
  const Direction b = direction(u, x, 1);
  // The reverse scan leaves the token itself out, which the shifted one needs.
  const Value own = cast(sum_f32(b.q * b.k, 2), X.dtype());  // [H,N,1]  C'_t . dt'_t B'_t
  const Value backward = mask_rows(engine::gated_scan(b.q, b.k, X, b.g, n, true) + X * own, n);
  const std::int64_t N = X.dim(1);
  return slice(pad(forward, 1, 1, 0), 1, 0, N) + slice(pad(backward, 1, 0, 1), 1, 1, N);
}

Value StateSpaceDual::operator()(const Value& x, std::int64_t n) const {
  const std::int64_t N = x.dim(0);
  const std::int64_t C = channels();
  const Value z = project(x, 0, I_);  // [N,I]
  const Value in = reshape(project(x, I_, C), {1, N, C});
  const Value taps = reshape(cast(conv_w_.value_f32(), x.dtype()), {1, C, taps_});
  const std::int64_t before = conv_ == Convolution::centred ? taps_ / 2 : taps_ - 1;
  const Value u = reshape(
      silu(depthwise(in, taps, {n, false, 0, before}) + reshape(conv_b_.value(), {1, 1, C})),
      {N, C});
  const Value inner = slice(u, 1, 0, I_);                     // [N,I]
  const Value X = engine::split_heads(inner, 1, H_).front();  // [H,N,P]
  Value skip = reshape(D_.value_f32(), {H_, 1, 1});
  if (mixer_ == Mixer::quasiseparable) {
    const Value own = linear(inner, engine::transpose(WD_.value()), {});      // [N,H]
    skip = cast(engine::split_heads(own, 1, H_).front(), DType::f32) + skip;  // [H,N,1]
  }
  const Value y = engine::merge_heads(scans(X, u, x, n) + X * skip);  // [N,I]
  const auto norm = [&](const Value& value) {
    const Value square = sum_f32(engine::square(value), 1) / static_cast<float>(I_);
    return value / sqrt(square + static_cast<float>(norm_eps_)) * norm_w_.value();
  };
  const Value gated = norm_before_gate_ ? norm(y) * silu(z) : norm(y * silu(z));
  return linear(gated, engine::transpose(Wout_.value()), {});  // [N,E]
}

// silu(convolution + bias) of the projected rows y: [n, channels].
Plain StateSpaceDual::plain_convolution(const PlainInputs& in, const Plain& y) const {
  const Plain& w = in.parameters.at("conv_w");
  const Plain& b = in.parameters.at("conv_b");
  const std::int64_t n = y.dim(0);
  Plain u({n, channels()});
  const std::int64_t before = conv_ == Convolution::centred ? taps_ / 2 : taps_ - 1;
  for (std::int64_t t = 0; t < n; ++t) {
    for (std::int64_t c = 0; c < channels(); ++c) {
      double sum = b(c);
      for (std::int64_t tap = 0; tap < taps_; ++tap) {
        const std::int64_t s = t + tap - before;
        if (s >= 0 && s < n) sum += w(c, tap) * y(s, I_ + c);
      }
      u(t, c) = plain_silu(sum);
    }
  }
  return u;
}

// C_i . B_j of each direction: [directions, n, n].
Plain StateSpaceDual::plain_products(const Plain& u) const {
  Plain products({directions(), u.dim(0), u.dim(0)});
  for (std::int64_t r = 0; r < directions(); ++r) {
    for (std::int64_t i = 0; i < u.dim(0); ++i) {
      for (std::int64_t j = 0; j < u.dim(0); ++j) {
        for (std::int64_t s = 0; s < S_; ++s) {
          products(r, i, j) += u(i, I_ + (2 * r + 1) * S_ + s) * u(j, I_ + 2 * r * S_ + s);
        }
      }
    }
  }
  return products;
}

Plain StateSpaceDual::define(const PlainInputs& in) const {
  const auto at = [&](const char* name) -> const Plain& { return in.parameters.at(name); };
  const std::int64_t n = in.x.dim(0);
  const std::int64_t C = channels();
  const Plain y = plain_map(in.x, at("Win"));
  const Plain u = plain_convolution(in, y);
  Plain inner({n, I_});
  const Plain products = plain_products(u);
  for (std::int64_t h = 0; h < H_; ++h) {
    // dt_t and its sums over the tokens up to t, of each direction.
    Plain dt({directions(), n});
    Plain sums({directions(), n});
    for (std::int64_t r = 0; r < directions(); ++r) {
      double sum = 0;
      for (std::int64_t t = 0; t < n; ++t) {
        dt(r, t) = plain_softplus(y(t, I_ + C + r * H_ + h) + at("dt_bias")(h));
        sums(r, t) = sum += dt(r, t);
      }
    }
    const double A = -std::exp(at("A_log")(h));
    // Weight of token j for token i: C_i . B_j dt_j times the decays of the tokens j+1..i forwards,
    // i..j-1 backwards.
    const auto weight = [&](std::int64_t i, std::int64_t j, std::int64_t r) {
      const double steps =
          j <= i ? sums(r, i) - sums(r, j) : sums(r, j) - dt(r, j) - (sums(r, i) - dt(r, i));
      return products(r, i, j) * dt(r, j) * std::exp(steps * A);
    };
    for (std::int64_t i = 0; i < n; ++i) {
      const auto add = [&](std::int64_t j, double w) {
        for (std::int64_t p = 0; p < P_; ++p) inner(i, h * P_ + p) += w * u(j, h * P_ + p);
      };
      double skip = at("D")(h);
      for (std::int64_t f = 0; mixer_ == Mixer::quasiseparable && f < I_; ++f) {
        skip += at("WD")(h, f) * u(i, f);
      }
      add(i, skip);
      for (std::int64_t j = 0; j < n; ++j) {
        if (mixer_ == Mixer::quasiseparable) {
          if (j < i) add(j, weight(i - 1, j, 0));
          if (j > i) add(j, weight(i + 1, j, 1));
        } else if (j <= i || mixer_ == Mixer::add) {
          add(j, weight(i, j, 0));
        }
      }
    }
  }
  for (std::int64_t t = 0; t < n; ++t) {
    double squares = 0;
    for (std::int64_t f = 0; f < I_; ++f) {
      if (!norm_before_gate_) inner(t, f) *= plain_silu(y(t, f));
      squares += inner(t, f) * inner(t, f) / static_cast<double>(I_);
    }
    for (std::int64_t f = 0; f < I_; ++f) {
      inner(t, f) *= at("norm_w")(f) / std::sqrt(squares + norm_eps_);
      if (norm_before_gate_) inner(t, f) *= plain_silu(y(t, f));
    }
  }
  return plain_map(inner, at("Wout"));
}

}  // namespace lra::attention
