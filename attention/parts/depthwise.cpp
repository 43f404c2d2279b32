#include "attention/parts/depthwise.h"

#include <algorithm>
#include <cmath>

namespace lra::attention {
namespace {

constexpr std::int64_t kTaps = 5;

std::int64_t root_of(std::int64_t square) {
  const auto root = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(square))));
  return root * root == square ? root : -1;
}

// sum_t w_t x_(i + t) over the rows and columns of x [G, R, side, C], K x K taps around each; wt [G
// or 1, K K, C].
Value over_image(const Value& x, const Value& wt, std::int64_t K) {
  const Value padded = pad(pad(x, 1, K / 2, K / 2), 2, K / 2, K / 2);
  Value y;
  for (std::int64_t t = 0; t < K * K; ++t) {
    const Value tap = reshape(slice(wt, 1, t, 1), {wt.dim(0), 1, 1, wt.dim(2)});
    const Value term = slice(slice(padded, 1, t / K, x.dim(1)), 2, t % K, x.dim(2)) * tap;
    y = t == 0 ? term : y + term;
  }
  return y;
}

}  // namespace

Value depthwise(const Value& v, const Value& w, const Window& window) {
  const std::int64_t T = w.dim(2);
  const std::int64_t K = window.side > 0 ? root_of(T) : T;
  if (v.rank() != 3 || w.rank() != 3 || w.dim(1) != v.dim(2) || K < 1) {
    fail(ErrorKind::shape, "depthwise: got {} and taps {}, expected [G, N, C] and [G or 1, C, T]",
         v.shape().text(), w.shape().text());
  }
  const std::int64_t N = v.dim(1);
  const std::int64_t first = window.cls ? 1 : 0;
  const std::int64_t n = std::max<std::int64_t>(window.length - first, 0);
  const Value wt = engine::transpose(w);  // [G,T,C]
  if (window.side == 0) {
    const std::int64_t before = window.before < 0 ? T / 2 : window.before;
    if (first == 0) return engine::convolve_features(v, wt, n, before);
    return pad(engine::convolve_features(slice(v, 1, first, N - first), wt, n, before), 1, first,
               0);
  }
  if (n == 0) return Value(Tensor::zeros(v.shape(), v.dtype()));
  const std::int64_t rows = (n + window.side - 1) / window.side;
  const Shape image{v.dim(0), rows, window.side, v.dim(2)};
  const Value x = pad(slice(v, 1, first, n), 1, 0, rows * window.side - n);
  const Value y = reshape(over_image(reshape(x, image), wt, K), x.shape());
  return pad(slice(y, 1, 0, n), 1, first, N - first - n);
}

Plain plain_depthwise(const Plain& v, std::int64_t T,
                      const std::function<double(std::int64_t, std::int64_t, std::int64_t)>& w,
                      const Window& window) {
  Plain y(v.shape);
  const std::int64_t first = window.cls ? 1 : 0;
  const std::int64_t n = v.dim(1) - first;
  const std::int64_t K = window.side > 0 ? root_of(T) : T;
  const std::int64_t before = window.before < 0 ? K / 2 : window.before;
  // The token at tap t of token i, or -1.
  const auto at = [&](std::int64_t i, std::int64_t t) -> std::int64_t {
    if (window.side == 0) return i + t - before;
    const std::int64_t row = i / window.side + t / K - K / 2;
    const std::int64_t column = i % window.side + t % K - K / 2;
    return column < 0 || column >= window.side ? -1 : row * window.side + column;
  };
  for (std::int64_t g = 0; g < v.dim(0); ++g) {
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t t = 0; t < T; ++t) {
        const std::int64_t j = at(i, t);
        if (j < 0 || j >= n) continue;
        for (std::int64_t c = 0; c < v.dim(2); ++c) {
          y(g, i + first, c) += w(g, c, t) * v(g, j + first, c);
        }
      }
    }
  }
  return y;
}

std::int64_t image_side(const Dimensions& d, const std::string& where) {
  const std::int64_t side = root_of(d.max_length - (d.cls ? 1 : 0));
  if (side < 1) {
    fail(ErrorKind::config, "{}: a window over an image needs a square of tokens; got {}; use 1d",
         where, d.max_length - (d.cls ? 1 : 0));
  }
  return side;
}

void require_same_tokens(const Heads& x, const std::string& where) {
  if (x.q.dim(1) == x.k.dim(1) && x.length == x.key_length) return;
  fail(ErrorKind::config,
       "{}: a window over the values needs as many keys as queries; got {} and {}; set it to none",
       where, x.key_length, x.length);
}

void LocalMixing::options(OptionTable& table) {
  table.choice("local", local_,
               "added convolution of the values: 5 tokens, or 5 x 5 pixels of a square image");
}

void LocalMixing::build(const ParameterBuilder& p, const Dimensions& d, const std::string& where) {
  where_ = where;
  cls_ = d.cls;
  if (!on()) return;
  const std::int64_t features = kernels_ == Kernels::of_head ? d.head_dim : d.heads * d.head_dim;
  const std::int64_t taps = local_ == Neighbours::two_dimensional ? kTaps * kTaps : kTaps;
  if (local_ == Neighbours::two_dimensional) side_ = image_side(d, where);
  const Shape shape = side_ > 0 ? Shape{features, kTaps, kTaps} : Shape{features, kTaps};
  w_ = p.add("local_w", shape, engine::init::torch_linear(taps));
  b_ = p.add("local_b", {features}, engine::init::torch_linear(taps));
}

Window LocalMixing::window(std::int64_t length) const { return {length, cls_, side_, -1}; }

Value LocalMixing::add(const Value& o, const Heads& x) const {
  if (!on()) return o;
  require_same_tokens(x, where_ + "/local");
  const std::int64_t D = x.v.dim(2);
  const Value w = w_.value_f32();
  const std::int64_t G = kernels_ == Kernels::of_head ? 1 : x.v.dim(0);
  const Value taps = reshape(w, {G, D, w.shape().numel() / (G * D)});
  return o + depthwise(x.v, cast(taps, x.v.dtype()), window(x.key_length)) +
         reshape(b_.value_f32(), {G, 1, D});
}

void LocalMixing::add(Plain& o, const PlainInputs& in) const {
  if (!on()) return;
  const Plain& w = in.parameters.at("local_w");
  const Plain& b = in.parameters.at("local_b");
  const std::int64_t D = in.v.dim(2);
  const std::int64_t T = side_ > 0 ? kTaps * kTaps : kTaps;
  const auto feature = [&](std::int64_t h, std::int64_t c) {
    return kernels_ == Kernels::of_head ? c : h * D + c;
  };
  const Plain y = plain_depthwise(
      in.v, T,
      [&](std::int64_t h, std::int64_t c, std::int64_t t) {
        return w.data[static_cast<std::size_t>(feature(h, c) * T + t)];
      },
      window(in.v.dim(1)));
  for (std::int64_t h = 0; h < o.dim(0); ++h) {
    for (std::int64_t i = 0; i < o.dim(1); ++i) {
      for (std::int64_t c = 0; c < D; ++c) o(h, i, c) += y(h, i, c) + b(feature(h, c));
    }
  }
}

void LinearGate::options(OptionTable& table) {
  table.flag("gate", on_, "multiply the output by an affine map of the block's input");
}

void LinearGate::build(const ParameterBuilder& p, const Dimensions& d) {
  if (!on_) return;
  const std::int64_t features = d.heads * d.head_dim;
  W_ = p.add("gate_w", {d.width, features}, engine::init::torch_linear(d.width));
  b_ = p.add("gate_b", {features}, engine::init::torch_linear(d.width));
}

Value LinearGate::apply(const Value& o, const Heads& x) const {
  if (!on_) return o;
  const Value g = linear(x.x, W_.value(), b_.value());  // [N,H D]
  return o * engine::split_heads(g, 1, o.dim(0)).front();
}

void LinearGate::apply(Plain& o, const PlainInputs& in) const {
  if (!on_) return;
  const Plain& W = in.parameters.at("gate_w");
  const Plain& b = in.parameters.at("gate_b");
  for (std::int64_t h = 0; h < o.dim(0); ++h) {
    for (std::int64_t i = 0; i < o.dim(1); ++i) {
      for (std::int64_t c = 0; c < o.dim(2); ++c) {
        const std::int64_t f = h * o.dim(2) + c;
        double g = b(f);
        for (std::int64_t e = 0; e < in.x.dim(1); ++e) g += in.x(i, e) * W(e, f);
        o(h, i, c) *= g;
      }
    }
  }
}

}  // namespace lra::attention
