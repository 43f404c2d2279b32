#include "engine/fused/scan/state_space.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/compute/lanes.h"
#include "engine/compute/profile.h"
#include "engine/compute/simd.h"
#include "engine/ops/internal.h"

namespace lra::engine {
namespace {

constexpr std::int64_t kLanes = 16;   // features side by side
constexpr std::int64_t kSteps = 128;  // of a piece of time whose rows stay in the first-level cache

// Numbers of 16 features, [S, P, kLanes], real (P = 1) or complex (P = 2).
struct Block {
  Block(std::int64_t S, std::int64_t P) : states(S), parts(P) {
    for (auto* numbers : {&a, &c, &h, &d, &sum_h, &sum_d}) {
      numbers->assign(static_cast<std::size_t>(S * P * kLanes), 0.0F);
    }
  }
  std::int64_t states, parts;
  std::vector<float> a, c, h, d, sum_h, sum_d;
};

// A piece of time in the order of the recurrence.
struct Piece {
  const float *x, *dy;  // [steps, kLanes]
  float* y;
  std::int64_t steps;
};

// R of the numbers of a block for W of its features.
template <int W, int P, int R>
struct Numbers {
  typename Register<W>::Lanes re[R], im[R];
  [[gnu::always_inline]] explicit Numbers(const float* from) {
    for (int s = 0; s < R; ++s) {
      load(from + P * s * kLanes, re[s]);
      if constexpr (P == 2) load(from + (2 * s + 1) * kLanes, im[s]);
    }
  }
  [[gnu::always_inline]] void write(float* to) const {
    for (int s = 0; s < R; ++s) {
      store(re[s], to + P * s * kLanes);
      if constexpr (P == 2) store(im[s], to + (2 * s + 1) * kLanes);
    }
  }
};

// h = a h + x, y += Re(c h), for R states from the number at `at`.
template <int W, int P, int R>
[[gnu::always_inline]] inline void run_states(Block& b, std::int64_t at, const Piece& piece) {
  const Numbers<W, P, R> a(b.a.data() + at);
  const Numbers<W, P, R> c(b.c.data() + at);
  Numbers<W, P, R> h(b.h.data() + at);
  const float* __restrict from = piece.x + at % kLanes;
  float* __restrict to = piece.y + at % kLanes;
  for (std::int64_t t = 0; t < piece.steps; ++t) {
    typename Register<W>::Lanes x;
    typename Register<W>::Lanes y;
    load(from + t * kLanes, x);
    load(to + t * kLanes, y);
#pragma GCC unroll 8
    for (int s = 0; s < R; ++s) {
      if constexpr (P == 2) {
        const auto re = h.re[s];
        h.re[s] = x + a.re[s] * re - a.im[s] * h.im[s];
        h.im[s] = a.re[s] * h.im[s] + a.im[s] * re;
        y -= c.im[s] * h.im[s];
      } else {
        h.re[s] = x + a.re[s] * h.re[s];
      }
      y += c.re[s] * h.re[s];
    }
    store(y, to + t * kLanes);
  }
  h.write(b.h.data() + at);
}

// d = a d + h, h = a h + x, sum_h += dy h, sum_d += dy d, for R states.
template <int W, int P, int R>
[[gnu::always_inline]] inline void sum_states(Block& b, std::int64_t at, const Piece& piece) {
  const Numbers<W, P, R> a(b.a.data() + at);
  Numbers<W, P, R> h(b.h.data() + at);
  Numbers<W, P, R> d(b.d.data() + at);
  Numbers<W, P, R> sum_h(b.sum_h.data() + at);
  Numbers<W, P, R> sum_d(b.sum_d.data() + at);
  const float* __restrict xs = piece.x + at % kLanes;
  const float* __restrict dys = piece.dy + at % kLanes;
  for (std::int64_t t = 0; t < piece.steps; ++t) {
    typename Register<W>::Lanes x;
    typename Register<W>::Lanes dy;
    load(xs + t * kLanes, x);
    load(dys + t * kLanes, dy);
#pragma GCC unroll 8
    for (int s = 0; s < R; ++s) {
      if constexpr (P == 2) {
        const auto d_re = d.re[s];
        const auto h_re = h.re[s];
        d.re[s] = h_re + a.re[s] * d_re - a.im[s] * d.im[s];
        d.im[s] = h.im[s] + a.re[s] * d.im[s] + a.im[s] * d_re;
        h.re[s] = x + a.re[s] * h_re - a.im[s] * h.im[s];
        h.im[s] = a.re[s] * h.im[s] + a.im[s] * h_re;
        sum_h.im[s] += dy * h.im[s];
        sum_d.im[s] += dy * d.im[s];
      } else {
        d.re[s] = h.re[s] + a.re[s] * d.re[s];
        h.re[s] = x + a.re[s] * h.re[s];
      }
      sum_h.re[s] += dy * h.re[s];
      sum_d.re[s] += dy * d.re[s];
    }
  }
  h.write(b.h.data() + at);
  d.write(b.d.data() + at);
  sum_h.write(b.sum_h.data() + at);
  sum_d.write(b.sum_d.data() + at);
}

// All states and features of a block: W features and R states at a time, then the rest one by one.
template <int W, int P, int R>
[[gnu::always_inline]] inline void run_all(Block& b, const Piece& piece) {
  for (std::int64_t lane = 0; lane < kLanes; lane += W) {
    std::int64_t s = 0;
    for (; s + R <= b.states; s += R) run_states<W, P, R>(b, s * P * kLanes + lane, piece);
    for (; s < b.states; ++s) run_states<W, P, 1>(b, s * P * kLanes + lane, piece);
  }
}
template <int W, int P, int R>
[[gnu::always_inline]] inline void sum_all(Block& b, const Piece& piece) {
  for (std::int64_t lane = 0; lane < kLanes; lane += W) {
    std::int64_t s = 0;
    for (; s + R <= b.states; s += R) sum_states<W, P, R>(b, s * P * kLanes + lane, piece);
    for (; s < b.states; ++s) sum_states<W, P, 1>(b, s * P * kLanes + lane, piece);
  }
}

// Numbers that fit the registers: 32 of 16 floats with AVX-512, 16 of 8 with AVX2.
LRA_SIMD void run(Block& b, const Piece& piece, bool wide) {
  if (wide) return b.parts == 2 ? run_all<16, 2, 4>(b, piece) : run_all<16, 1, 8>(b, piece);
  b.parts == 2 ? run_all<8, 2, 3>(b, piece) : run_all<8, 1, 4>(b, piece);
}
LRA_SIMD void sum(Block& b, const Piece& piece, bool wide) {
  if (wide) return b.parts == 2 ? sum_all<16, 2, 2>(b, piece) : sum_all<16, 1, 4>(b, piece);
  b.parts == 2 ? sum_all<8, 2, 2>(b, piece) : sum_all<8, 1, 3>(b, piece);
}

// Which row enters at which step; y is read `lag` rows later.
struct Order {
  std::int64_t n, lag;
  bool reverse;
  [[nodiscard]] std::int64_t steps() const { return n - lag; }
  [[nodiscard]] std::int64_t row(std::int64_t step) const { return reverse ? n - 1 - step : step; }
};

// Up to kLanes columns of a tensor [N, E] in f32 from column `first`, in steps.
struct Columns {
  const Tensor& tensor;
  std::int64_t first;
  const Order& order;

  [[nodiscard]] float* at(std::int64_t step) const {
    return tensor.f32() + order.row(step) * tensor.dim(1) + first;
  }
  [[nodiscard]] std::int64_t width() const { return std::min(kLanes, tensor.dim(1) - first); }
  void read(std::int64_t begin, std::int64_t count, std::vector<float>& to) const {
    for (std::int64_t i = 0; i < count; ++i) {
      std::copy_n(at(begin + i), width(), to.data() + i * kLanes);
    }
  }
  void write(std::int64_t begin, std::int64_t count, const std::vector<float>& from) const {
    for (std::int64_t i = 0; i < count; ++i) {
      std::copy_n(from.data() + i * kLanes, width(), at(begin + i));
    }
  }
};

// Calls f(number of p [P, E, S], its place in [S, P, kLanes]) for the columns from `first`.
template <class Function>
void for_each_number(const Tensor& p, std::int64_t first, const Function& f) {
  const std::int64_t P = p.dim(0);
  const std::int64_t E = p.dim(1);
  const std::int64_t S = p.dim(2);
  for (std::int64_t part = 0; part < P; ++part) {
    for (std::int64_t lane = 0; lane < std::min(kLanes, E - first); ++lane) {
      for (std::int64_t s = 0; s < S; ++s) {
        f(p.f32()[(part * E + first + lane) * S + s],
          static_cast<std::size_t>((s * P + part) * kLanes + lane));
      }
    }
  }
}

Block make_block(const Tensor& a, const Tensor& c, std::int64_t first) {
  Block block(a.dim(2), a.dim(0));
  for_each_number(a, first, [&](float x, std::size_t at) { block.a[at] = x; });
  for_each_number(c, first, [&](float x, std::size_t at) { block.c[at] = x; });
  return block;
}

// y of x [N, E], both f32.
Tensor run(const Tensor& x, const Tensor& a, const Tensor& c, const Order& order) {
  const profile::Scope scope("scan");
  Tensor y = Tensor::zeros(x.shape());
  std::vector<float> xs(kSteps * kLanes, 0.0F);
  std::vector<float> ys(kSteps * kLanes);
  for (std::int64_t first = 0; first < x.dim(1); first += kLanes) {
    Block block = make_block(a, c, first);
    for (std::int64_t t = 0; t < order.steps(); t += kSteps) {
      const std::int64_t steps = std::min(kSteps, order.steps() - t);
      Columns{x, first, order}.read(t, steps, xs);
      std::fill(ys.begin(), ys.end(), 0.0F);
      run(block, {xs.data(), nullptr, ys.data(), steps}, wide_registers());
      Columns{y, first, order}.write(t + order.lag, steps, ys);
    }
  }
  return y;
}

// da and dc, overwritten, from x and dy.
void sum_slopes(const Tensor& x, const Tensor& dy, const Tensor& a, const Tensor& c,
                const Order& order, const Tensor& da, const Tensor& dc) {
  const profile::Scope scope("scan");
  std::vector<float> xs(kSteps * kLanes, 0.0F);
  std::vector<float> dys(kSteps * kLanes, 0.0F);
  for (std::int64_t first = 0; first < x.dim(1); first += kLanes) {
    Block block = make_block(a, c, first);
    for (std::int64_t t = 0; t < order.steps(); t += kSteps) {
      const std::int64_t steps = std::min(kSteps, order.steps() - t);
      Columns{x, first, order}.read(t, steps, xs);
      Columns{dy, first, order}.read(t + order.lag, steps, dys);
      sum(block, {xs.data(), dys.data(), nullptr, steps}, wide_registers());
    }
    const auto sign = a.dim(0) == 2 ? std::size_t{kLanes} : 0;  // y = c.re h.re - c.im h.im
    for_each_number(dc, first, [&](float& to, std::size_t at) {
      to = (at & sign) != 0 ? -block.sum_h[at] : block.sum_h[at];
    });
    for_each_number(da, first, [&](float& to, std::size_t at) {
      const float own = block.c[at] * block.sum_d[at];
      if (sign == 0) {
        to = own;
      } else if ((at & sign) == 0) {
        to = own - block.c[at + sign] * block.sum_d[at + sign];
      } else {
        to = -(block.c[at - sign] * block.sum_d[at] + block.c[at] * block.sum_d[at - sign]);
      }
    });
  }
}

}  // namespace

Value state_space(const Value& x, const Value& a, const Value& c, const StateSpaceOptions& o) {
  if (x.rank() != 2 || a.rank() != 3 || c.shape() != a.shape() || a.dim(1) != x.dim(1) ||
      a.dim(0) < 1 || a.dim(0) > 2 || a.dtype() != DType::f32 || c.dtype() != DType::f32 ||
      o.length < 1 || o.length > x.dim(0)) {
    fail(ErrorKind::shape,
         "state_space: got x {}, a {} {}, c {} {}, {} rows, expected [N, E], [1 or 2, E, S] in f32",
         x.shape().text(), a.shape().text(), dtype_name(a.dtype()), c.shape().text(),
         dtype_name(c.dtype()), o.length);
  }
  const Order order{o.length, o.exclusive ? 1 : 0, o.reverse};
  const Tensor tx = x.tensor();
  const Tensor ta = a.tensor();
  const Tensor tc = c.tensor();
  Tensor y = run(ops::cast(tx, DType::f32), ta, tc, order);
  return Tape::record(
      ops::cast(y, tx.dtype()), {&x, &a, &c},
      [=, gx = x.gradient(), ga = a.gradient(), gc = c.gradient()](const Tensor& dy) {
        const Tensor dyf = ops::cast(dy, DType::f32);
        if (gx) {
          const Order back{order.n, order.lag, !order.reverse};
          gx->add(ops::cast(run(dyf, ta, tc, back), tx.dtype()));
        }
        if (!ga && !gc) return;
        Tensor da(ta.shape(), DType::f32);
        Tensor dc(tc.shape(), DType::f32);
        sum_slopes(ops::cast(tx, DType::f32), dyf, ta, tc, order, da, dc);
        if (ga) ga->add(std::move(da));
        if (gc) gc->add(std::move(dc));
      });
}

}  // namespace lra::engine
