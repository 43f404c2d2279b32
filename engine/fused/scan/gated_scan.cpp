#include "engine/fused/scan/gated_scan.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/compute/fast_math.h"
#include "engine/compute/lanes.h"
#include "engine/compute/profile.h"
#include "engine/compute/simd.h"
#include "engine/fused/scan/scan_rows.h"
#include "engine/ops/internal.h"

namespace lra::engine {
namespace {

constexpr std::int64_t kChunk = 64;  // rows that are in the first-level cache with the state

// Steps in the order of the recurrence, rows of `left` and `right` floats:
//   S = diag(decay) S + left right^T, read before or after the sum.
struct Steps {
  std::int64_t count = 0;
  std::int64_t D = 0, Dv = 0;  // rows and columns of S
  std::int64_t P = 0, Pv = 0;  // the same, padded: lengths of the rows below
  bool inclusive = true;
  const float *decay = nullptr, *left = nullptr, *right = nullptr;  // [count, P], P, Pv
  const float* reader = nullptr;                                    // [count, P] or [count, Pv]
  float* out = nullptr;                                             // [count, Pv] or [count, P]
};

// out = S^T reader for R registers of columns from `first`; S [D, Pv].
template <int W, int R, bool kInclusive>
[[gnu::always_inline]] inline void read_columns(float* __restrict S, const Steps& x,
                                                std::int64_t first) {
  using Lanes = typename Register<W>::Lanes;
  for (std::int64_t t = 0; t < x.count; ++t) {
    Lanes right[R];
    Lanes out[R]{};
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) load(x.right + t * x.Pv + first + r * W, right[r]);
    for (std::int64_t d = 0; d < x.D; ++d) {
      const float decay = x.decay[t * x.P + d];
      const float left = x.left[t * x.P + d];
      const float reader = x.reader[t * x.P + d];
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        float* at = S + d * x.Pv + first + r * W;
        Lanes s;
        load(at, s);
        s *= decay;
        if (!kInclusive) out[r] += reader * s;
        s += left * right[r];
        if (kInclusive) out[r] += reader * s;
        store(s, at);
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) store(out[r], x.out + t * x.Pv + first + r * W);
  }
}

// out = S reader for R registers of rows from `first`; the state is transposed, [Dv, P].
template <int W, int R, bool kInclusive>
[[gnu::always_inline]] inline void read_rows(float* __restrict S, const Steps& x,
                                             std::int64_t first) {
  using Lanes = typename Register<W>::Lanes;
  for (std::int64_t t = 0; t < x.count; ++t) {
    Lanes decay[R];
    Lanes left[R];
    Lanes out[R]{};
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      load(x.decay + t * x.P + first + r * W, decay[r]);
      load(x.left + t * x.P + first + r * W, left[r]);
    }
    for (std::int64_t c = 0; c < x.Dv; ++c) {
      const float right = x.right[t * x.Pv + c];
      const float reader = x.reader[t * x.Pv + c];
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        float* at = S + c * x.P + first + r * W;
        Lanes s;
        load(at, s);
        s *= decay[r];
        if (!kInclusive) out[r] += reader * s;
        s += right * left[r];
        if (kInclusive) out[r] += reader * s;
        store(s, at);
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) store(out[r], x.out + t * x.P + first + r * W);
  }
}

// 32 columns (rows) at a time, and 16 at the end.
template <int W, bool kInclusive>
[[gnu::always_inline]] inline void all_columns(float* S, const Steps& x) {
  std::int64_t first = 0;
  for (; first + 32 <= x.Pv; first += 32) read_columns<W, 32 / W, kInclusive>(S, x, first);
  if (first < x.Pv) read_columns<W, 16 / W, kInclusive>(S, x, first);
}
template <int W, bool kInclusive>
[[gnu::always_inline]] inline void all_rows(float* S, const Steps& x) {
  std::int64_t first = 0;
  for (; first + 32 <= x.P; first += 32) read_rows<W, 32 / W, kInclusive>(S, x, first);
  if (first < x.P) read_rows<W, 16 / W, kInclusive>(S, x, first);
}

LRA_SIMD void columns(float* S, const Steps& x, bool wide) {
  if (wide) return x.inclusive ? all_columns<16, true>(S, x) : all_columns<16, false>(S, x);
  x.inclusive ? all_columns<8, true>(S, x) : all_columns<8, false>(S, x);
}
LRA_SIMD void rows(float* S, const Steps& x, bool wide) {
  if (wide) return x.inclusive ? all_rows<16, true>(S, x) : all_rows<16, false>(S, x);
  x.inclusive ? all_rows<8, true>(S, x) : all_rows<8, false>(S, x);
}

LRA_SIMD void exponentials(float* g, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) g[i] = fast::exp(g[i]);
}

// Inputs of a recurrence: decay e^g of the step's row, or of the previous step's row.
struct Recurrence {
  HeadRows g, left, right, reader;
  bool inclusive = true;
  bool late_decay = false;
};

// S^T reader (`transposed`: S reader) of each step, written to `to` in the row of the step.
void scan(const Recurrence& r, const ScanOrder& order, bool transposed, const HeadRows& to) {
  Steps x;
  x.D = r.left.columns();
  x.Dv = r.right.columns();
  x.P = padded_columns(x.D);
  x.Pv = padded_columns(x.Dv);
  x.inclusive = r.inclusive;
  const auto buffer = [](std::int64_t size) {
    return std::vector<float>(static_cast<std::size_t>(size), 0.0F);
  };
  const std::int64_t reader_length = transposed ? x.Pv : x.P;
  const std::int64_t out_length = transposed ? x.P : x.Pv;
  std::vector<float> S = buffer(transposed ? x.Dv * x.P : x.D * x.Pv);
  std::vector<float> decay = buffer(kChunk * x.P);
  std::vector<float> left = buffer(kChunk * x.P);
  std::vector<float> right = buffer(kChunk * x.Pv);
  std::vector<float> reader = buffer(kChunk * reader_length);
  std::vector<float> out = buffer(kChunk * out_length);
  x.decay = decay.data();
  x.left = left.data();
  x.right = right.data();
  x.reader = reader.data();
  x.out = out.data();
  for (std::int64_t begin = 0; begin < order.n; begin += kChunk) {
    x.count = std::min(kChunk, order.n - begin);
    for (std::int64_t i = 0; i < x.count; ++i) {
      const std::int64_t row = order.row(begin + i);
      // The first step has no state to decay.
      r.g.read(order.row(std::max<std::int64_t>(0, begin + i - (r.late_decay ? 1 : 0))),
               decay.data() + i * x.P);
      r.left.read(row, left.data() + i * x.P);
      r.right.read(row, right.data() + i * x.Pv);
      r.reader.read(row, reader.data() + i * reader_length);
    }
    exponentials(decay.data(), x.count * x.P);
    transposed ? rows(S.data(), x, wide_registers()) : columns(S.data(), x, wide_registers());
    for (std::int64_t i = 0; i < x.count; ++i) {
      to.write(order.row(begin + i), out.data() + i * out_length);
    }
  }
}

// dg_t = sum of q dq - k dk over row t and those that come after it: g_t weighs the products of
// queries from t on with keys before t, and what keys from t on add cancels. Summed in double.
void sum_gates(const HeadRows& q, const HeadRows& dq, const HeadRows& k, const HeadRows& dk,
               const ScanOrder& order, const Tensor& dg, std::int64_t head) {
  const std::int64_t D = q.columns();
  std::vector<double> sum(static_cast<std::size_t>(D), 0.0);
  std::vector<float> row(static_cast<std::size_t>(4 * D));
  for (std::int64_t step = order.n - 1; step >= 0; --step) {
    const std::int64_t t = order.row(step);
    float* to = dg.f32() + (head * dg.dim(1) + t) * D;
    q.read(t, row.data());
    dq.read(t, row.data() + D);
    k.read(t, row.data() + 2 * D);
    dk.read(t, row.data() + 3 * D);
    for (std::int64_t d = 0; d < D; ++d) {
      const float* x = row.data() + d;
      double& s = sum[static_cast<std::size_t>(d)];
      s += static_cast<double>(x[0]) * static_cast<double>(x[D]) -
           static_cast<double>(x[2 * D]) * static_cast<double>(x[3 * D]);
      to[d] = static_cast<float>(s);
    }
  }
}

}  // namespace

Value gated_scan(const Value& q, const Value& k, const Value& v, const Value& g, std::int64_t n,
                 bool reverse) {
  if (q.rank() != 3 || k.shape() != q.shape() || g.shape() != q.shape() || v.rank() != 3 ||
      v.dim(0) != q.dim(0) || v.dim(1) != q.dim(1) || g.dtype() != DType::f32 || n > q.dim(1)) {
    fail(ErrorKind::shape, "gated_scan: got q {}, k {}, v {}, g {} {}, {} rows", q.shape().text(),
         k.shape().text(), v.shape().text(), g.shape().text(), dtype_name(g.dtype()), n);
  }
  const Tensor tq = q.tensor();
  const Tensor tk = k.tensor();
  const Tensor tv = v.tensor();
  const Tensor tg = g.tensor();
  const ScanOrder order{n, reverse};
  Tensor o = Tensor::zeros(tv.shape(), tv.dtype());
  {
    const profile::Scope scope("scan");
    for (std::int64_t h = 0; h < o.dim(0); ++h) {
      scan({{&tg, h}, {&tk, h}, {&tv, h}, {&tq, h}, !reverse}, order, false, {&o, h});
    }
  }
  return Tape::record(
      std::move(o), {&q, &k, &v, &g},
      [=, gq = q.gradient(), gk = k.gradient(), gv = v.gradient(),
       gg = g.gradient()](const Tensor& dy) {
        const profile::Scope scope("scan");
        const ScanOrder back{order.n, !order.backward};
        const Tensor dq = Tensor::zeros(tq.shape());  // f32: dg is computed from their differences
        const Tensor dk = Tensor::zeros(tk.shape());
        Tensor dv = Tensor::zeros(tv.shape(), tv.dtype());
        Tensor dg = Tensor::zeros(tg.shape());
        for (std::int64_t h = 0; h < tq.dim(0); ++h) {
          const HeadRows gates{&tg, h};
          const HeadRows own{&dy, h};
          scan({gates, {&tk, h}, {&tv, h}, own, !reverse}, order, true, {&dq, h});
          scan({gates, {&tq, h}, own, {&tv, h}, !reverse, true}, back, true, {&dk, h});
          scan({gates, {&tq, h}, own, {&tk, h}, !reverse, true}, back, false, {&dv, h});
          sum_gates({&tq, h}, {&dq, h}, {&tk, h}, {&dk, h}, order, dg, h);
        }
        if (gq) gq->add(ops::cast(dq, tq.dtype()));
        if (gk) gk->add(ops::cast(dk, tk.dtype()));
        if (gv) gv->add(std::move(dv));
        if (gg) gg->add(std::move(dg));
      });
}

}  // namespace lra::engine
