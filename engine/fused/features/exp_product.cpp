#include "engine/fused/features/exp_product.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "engine/compute/kernels/kernels.h"
#include "engine/ops/internal.h"

namespace lra::engine {
namespace {

using primitives::accumulate;
using primitives::apply;
using primitives::Binary;
using primitives::narrowed;
using primitives::PostOp;
using primitives::transposed;
using primitives::Unary;
using primitives::View;
using primitives::view;

constexpr std::int64_t kTileElements = 64 * 1024;  // of y, processed at once

// Number of columns that represent one f32 number.
std::int64_t parts(DType type) { return type == DType::bf16 ? 3 : 1; }

// x as a sum of numbers of the type: to[0] + to[1] + to[2] = x to f32's precision.
void split(float x, float* to) { *to = x; }
void split(float x, BFloat16* to) {
  for (int i = 0; i < 3; ++i) {
    to[i] = to_bfloat16(x);
    x -= to_float(to[i]);
  }
}

template <class T>
void widen_rows(const Tensor& x, const Tensor& minus, bool ones, bool ones_first, const Tensor& y) {
  const std::int64_t D = x.dim(2);
  const std::int64_t p = parts(x.dtype());
  std::array<T, 3> one{};
  split(1.0F, one.data());
  for (std::int64_t i = 0; i < x.dim(0) * x.dim(1); ++i) {
    T* at = std::copy_n(x.data<T>() + i * D, D, y.data<T>() + i * y.dim(2));
    if (ones && ones_first) at = std::fill_n(at, p, one[0]);
    if (minus.defined()) {
      split(-minus.f32()[i], at);
      at += p;
    }
    if (ones && !ones_first) std::fill_n(at, p, one[0]);
  }
}

// [x, -minus, 1] or [x, 1, -minus]: the columns through which r and c enter the product; the `ones`
// are present if the other operand has a subtrahend.
Tensor widen(const Tensor& x, const Tensor& minus, bool ones, bool ones_first) {
  const std::int64_t p = parts(x.dtype());
  const std::int64_t extra = (minus.defined() ? p : 0) + (ones ? p : 0);
  if (extra == 0) return x;
  Tensor y({x.dim(0), x.dim(1), x.dim(2) + extra}, x.dtype());
  if (x.dtype() == DType::bf16) {
    widen_rows<BFloat16>(x, minus, ones, ones_first, y);
  } else {
    widen_rows<float>(x, minus, ones, ones_first, y);
  }
  return y;
}

Tensor batch_of(const Tensor& x, std::int64_t i) {
  return x.slice(x.dim(0) == 1 ? 0 : i, 1).reshaped({x.dim(1), x.dim(2)});
}

// One operand: its widened tensor, the column of its subtrahend, and its gradients.
struct Side {
  Tensor wide;
  std::int64_t D = 0;
  std::int64_t column = 0;
  Gradient x, minus;

  [[nodiscard]] bool wanted() const { return x != nullptr || minus != nullptr; }
  // Distributes the summed gradients of `wide` (f32).
  void deliver(const Tensor& sum) const {
    const auto part = [&](const Gradient& gradient, std::int64_t begin, float scale) {
      if (!gradient) return;
      const std::int64_t count = gradient->shape()[-1];
      Tensor d(gradient->shape(), DType::f32);
      primitives::copy(narrowed(view(sum), 2, begin, count), view(d));
      if (scale != 1.0F) primitives::unary(Unary::linear, d, d, scale, 0);
      gradient->add(ops::cast(d, gradient->dtype()));
    };
    part(x, 0, 1.0F);
    part(minus, column, -1.0F);
  }
};

void backward(const Side& a, const Side& b, const Tensor& y, float offset, const Tensor& dy) {
  const std::int64_t n = y.dim(1);
  const std::int64_t m = y.dim(2);
  const std::int64_t tile = std::max<std::int64_t>(kTileElements / m, 16);
  const Tensor da = Tensor::zeros(a.wide.shape());
  const Tensor db = Tensor::zeros(b.wide.shape());
  const std::array<PostOp, 1> add{accumulate()};
  for (std::int64_t i = 0; i < y.dim(0); ++i) {
    const Tensor wa = batch_of(a.wide, i);
    const Tensor wb = batch_of(b.wide, i);
    for (std::int64_t begin = 0; begin < n; begin += tile) {
      const std::int64_t t = std::min(tile, n - begin);
      Tensor dS({t, m}, y.dtype());
      primitives::unary(Unary::linear, batch_of(y, i).slice(begin, t), dS, 1.0F, -offset);
      primitives::binary(Binary::mul, dS, batch_of(dy, i).slice(begin, t), dS);
      if (a.wanted()) {
        primitives::matmul(view(dS), view(wb), view(batch_of(da, i).slice(begin, t)), add);
      }
      if (b.wanted()) {
        primitives::matmul(transposed(view(dS)), view(wa.slice(begin, t)), view(batch_of(db, i)),
                           add);
      }
    }
  }
  a.deliver(da);
  b.deliver(db);
}

void check(const Tensor& a, const Tensor& b, const Value& r, const Value& c) {
  const auto fits = [](const Tensor& x, const Value& minus) {
    return !minus.defined() ||
           (minus.shape() == Shape{x.dim(0), x.dim(1), 1} && minus.dtype() == DType::f32);
  };
  if (a.rank() != 3 || b.rank() != 3 || a.dim(2) != b.dim(2) || a.dtype() != b.dtype() ||
      (a.dim(0) != b.dim(0) && a.dim(0) != 1 && b.dim(0) != 1) || !fits(a, r) || !fits(b, c)) {
    fail(ErrorKind::shape, "exp_product: got a {}, b {}, r {}, c {}", a.shape().text(),
         b.shape().text(), r.defined() ? r.shape().text() : "none",
         c.defined() ? c.shape().text() : "none");
  }
}

}  // namespace

Value exp_product(const Value& a, const Value& b, const Value& r, const Value& c, float offset) {
  check(a.tensor(), b.tensor(), r, c);
  const bool has_r = r.defined();
  const bool has_c = c.defined();
  const std::int64_t D = a.dim(2);
  Side left{widen(a.tensor(), r.tensor(), has_c, false), D, D, a.gradient(), r.gradient()};
  Side right{widen(b.tensor(), c.tensor(), has_r, true), D, D + (has_r ? parts(a.dtype()) : 0),
             b.gradient(), c.gradient()};
  Tensor y({std::max(a.dim(0), b.dim(0)), a.dim(1), b.dim(1)}, a.dtype());
  const std::array<PostOp, 3> post{apply(Unary::clip, -std::numeric_limits<float>::max(), 0.0F),
                                   apply(Unary::exp), apply(Unary::linear, 1.0F, offset)};
  primitives::matmul(view(left.wide), transposed(view(right.wide)), view(y),
                     std::span(post.data(), offset == 0 ? 2 : 3));
  return Tape::record(y, {&a, &b, &r, &c},
                      [=, left = std::move(left), right = std::move(right)](const Tensor& dy) {
                        backward(left, right, y, offset, dy);
                      });
}

Tensor largest_product(const Tensor& a, const Tensor& b) {
  const std::int64_t n = a.dim(1);
  const std::int64_t m = b.dim(1);
  const std::int64_t tile = std::max<std::int64_t>(kTileElements / m, 16);
  Tensor largest({a.dim(0), n, 1}, DType::f32);
  for (std::int64_t i = 0; i < a.dim(0); ++i) {
    for (std::int64_t begin = 0; begin < n; begin += tile) {
      const std::int64_t t = std::min(tile, n - begin);
      const Tensor s({m, t}, DType::f32);
      primitives::matmul(view(batch_of(b, i)), transposed(view(batch_of(a, i).slice(begin, t))),
                         view(s));
      kernels::column_maxima(s, batch_of(largest, i).slice(begin, t));
    }
  }
  return largest;
}

}  // namespace lra::engine
