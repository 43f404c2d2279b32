#include "engine/fused/scan/selective_scan.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/compute/fast_math.h"
#include "engine/compute/lanes.h"
#include "engine/compute/profile.h"
#include "engine/compute/simd.h"
#include "engine/ops/internal.h"

namespace lra::engine {
namespace {

constexpr std::int64_t kLanes = 16;  // features side by side
constexpr std::int64_t kSteps = 32;  // of a chunk

std::vector<float> buffer(std::int64_t size) {
  return std::vector<float>(static_cast<std::size_t>(size), 0.0F);
}

// The steps of a chunk for a block of 16 features, in the order of the recurrence.
struct Steps {
  std::int64_t count, S;
  const float* A;       // [S, kLanes]
  const float *dt, *u;  // [count, kLanes], u = dt x
  const float *B, *C;   // [count, S]
  bool inclusive;
};

// h, the state before the first step, becomes the one after the last; y [count, kLanes].
template <bool kInclusive>
[[gnu::always_inline]] inline void run_steps(const Steps& x, float* __restrict h,
                                             float* __restrict y) {
  for (std::int64_t t = 0; t < x.count; ++t) {
    const float* __restrict dt = x.dt + t * kLanes;
    const float* __restrict u = x.u + t * kLanes;
    float sum[kLanes] = {};
    for (std::int64_t s = 0; s < x.S; ++s) {
      const float* __restrict A = x.A + s * kLanes;
      float* __restrict state = h + s * kLanes;
      const float b = x.B[t * x.S + s];
      const float c = x.C[t * x.S + s];
      for (std::int64_t l = 0; l < kLanes; ++l) {
        const float decayed = fast::exp(dt[l] * A[l]) * state[l];
        const float entered = decayed + u[l] * b;
        sum[l] += c * (kInclusive ? entered : decayed);
        state[l] = entered;
      }
    }
    for (std::int64_t l = 0; l < kLanes; ++l) y[t * kLanes + l] = sum[l];
  }
}

// Data of the backward for a chunk and a block: the states before each step and their factors,
// [count, S, kLanes]; sums over all blocks, [count, S, kLanes]; and sums over all chunks, [S,
// kLanes].
struct Sums {
  float *states, *factors;
  float *dB, *dC;
  float *dA, *g;     // g_t of the header
  float *du, *dlog;  // [count, kLanes]: d(dt x), sum_s A d(dt A)
};

LRA_SIMD void write_factors(const Steps& x, float* __restrict factors) {
  for (std::int64_t t = 0; t < x.count; ++t) {
    const float* dt = x.dt + t * kLanes;
    for (std::int64_t s = 0; s < x.S; ++s) {
      const float* A = x.A + s * kLanes;
      float* __restrict to = factors + (t * x.S + s) * kLanes;
      for (std::int64_t l = 0; l < kLanes; ++l) to[l] = fast::exp(dt[l] * A[l]);
    }
  }
}

// W of the 16 features at a time, from `lane`, in explicit registers, because the compiler cannot
// rule out aliasing of so many pointers.
template <int W>
[[gnu::always_inline]] inline void write_states(const Steps& x, const Sums& sums,
                                                std::int64_t lane) {
  using Lanes = typename Register<W>::Lanes;
  const std::int64_t size = x.S * kLanes;
  for (std::int64_t t = 0; t < x.count; ++t) {
    Lanes u;
    load(x.u + t * kLanes + lane, u);
    for (std::int64_t s = 0; s < x.S; ++s) {
      const std::int64_t at = t * size + s * kLanes + lane;
      Lanes state;
      Lanes factor;
      load(sums.states + at, state);
      load(sums.factors + at, factor);
      state = factor * state + u * x.B[t * x.S + s];
      store(state, sums.states + at + size);  // one more than there are steps
    }
  }
}

template <int W, bool kInclusive>
[[gnu::always_inline]] inline void sum_steps(const Steps& x, const float* dys, const Sums& sums,
                                             std::int64_t lane) {
  using Lanes = typename Register<W>::Lanes;
  const std::int64_t size = x.S * kLanes;
  for (std::int64_t t = x.count - 1; t >= 0; --t) {
    Lanes dt;
    Lanes u;
    Lanes dy;
    load(x.dt + t * kLanes + lane, dt);
    load(x.u + t * kLanes + lane, u);
    load(dys + t * kLanes + lane, dy);
    Lanes du{};
    Lanes dlog{};
    for (std::int64_t s = 0; s < x.S; ++s) {
      const std::int64_t at = s * kLanes + lane;
      const float b = x.B[t * x.S + s];
      Lanes A;
      Lanes decayed;
      Lanes factor;
      Lanes g;
      Lanes dA;
      Lanes dB;
      Lanes dC;
      load(x.A + at, A);
      load(sums.states + t * size + at, decayed);
      load(sums.factors + t * size + at, factor);
      load(sums.g + at, g);
      load(sums.dA + at, dA);
      load(sums.dB + t * size + at, dB);
      load(sums.dC + t * size + at, dC);
      decayed *= factor;
      const Lanes P = g + dy * x.C[t * x.S + s];
      const Lanes H = kInclusive ? P : g;
      const Lanes slope = P * decayed;
      if (kInclusive) {
        dC += dy * (decayed + u * b);
      } else {
        dC += dy * decayed;
      }
      dB += H * u;
      du += H * b;
      dA += dt * slope;
      dlog += A * slope;
      g = factor * P;
      store(g, sums.g + at);
      store(dA, sums.dA + at);
      store(dB, sums.dB + t * size + at);
      store(dC, sums.dC + t * size + at);
    }
    store(du, sums.du + t * kLanes + lane);
    store(dlog, sums.dlog + t * kLanes + lane);
  }
}

template <int W>
[[gnu::always_inline]] inline void sum_all(const Steps& x, const float* dy, const Sums& sums) {
  for (std::int64_t lane = 0; lane < kLanes; lane += W) {
    write_states<W>(x, sums, lane);
    x.inclusive ? sum_steps<W, true>(x, dy, sums, lane) : sum_steps<W, false>(x, dy, sums, lane);
  }
}

LRA_SIMD void run(const Steps& x, float* h, float* y) {
  x.inclusive ? run_steps<true>(x, h, y) : run_steps<false>(x, h, y);
}
LRA_SIMD void sum(const Steps& x, const float* dy, const Sums& sums, bool wide) {
  wide ? sum_all<16>(x, dy, sums) : sum_all<8>(x, dy, sums);
}

// The operation's tensors in f32, and which row enters at which step.
struct Scan {
  Tensor x, dt, A, B, C;
  SelectiveScanOptions o;

  [[nodiscard]] std::int64_t features() const { return x.dim(1); }
  [[nodiscard]] std::int64_t states() const { return A.dim(1); }
  [[nodiscard]] std::int64_t blocks() const { return (features() + kLanes - 1) / kLanes; }
  [[nodiscard]] std::int64_t block_size() const { return states() * kLanes; }
  [[nodiscard]] std::int64_t chunks() const { return (o.length + kSteps - 1) / kSteps; }
  [[nodiscard]] std::int64_t row(std::int64_t step) const {
    return o.reverse ? o.length - 1 - step : step;
  }
  [[nodiscard]] std::int64_t width(std::int64_t block) const {
    return std::min(kLanes, features() - block * kLanes);
  }
  // A as [blocks, S, kLanes].
  [[nodiscard]] std::vector<float> rates() const {
    std::vector<float> to = buffer(blocks() * block_size());
    for (std::int64_t i = 0; i < features(); ++i) {
      for (std::int64_t s = 0; s < states(); ++s) {
        to[static_cast<std::size_t>((i / kLanes * states() + s) * kLanes + i % kLanes)] =
            A.f32()[i * states() + s];
      }
    }
    return to;
  }
};

// A chunk's rows in the order of the recurrence.
class Chunk {
 public:
  explicit Chunk(const Scan& scan)
      : scan_(scan),
        rates_(scan.rates()),
        dt_(buffer(kSteps * kLanes)),
        u_(buffer(kSteps * kLanes)),
        B_(buffer(kSteps * scan.states())),
        C_(buffer(kSteps * scan.states())) {}

  void read(std::int64_t chunk) {
    begin_ = chunk * kSteps;
    count_ = std::min(kSteps, scan_.o.length - begin_);
    const std::int64_t S = scan_.states();
    for (std::int64_t t = 0; t < count_; ++t) {
      std::copy_n(scan_.B.f32() + row(t) * S, S, B_.begin() + t * S);
      std::copy_n(scan_.C.f32() + row(t) * S, S, C_.begin() + t * S);
    }
  }
  [[nodiscard]] Steps block(std::int64_t block) {
    const std::int64_t first = block * kLanes;
    const std::int64_t width = scan_.width(block);
    for (std::int64_t t = 0; t < count_; ++t) {
      const float* dt = scan_.dt.f32() + row(t) * scan_.features() + first;
      const float* x = scan_.x.f32() + row(t) * scan_.features() + first;
      for (std::int64_t l = 0; l < width; ++l) {
        dt_[static_cast<std::size_t>(t * kLanes + l)] = dt[l];
        u_[static_cast<std::size_t>(t * kLanes + l)] = dt[l] * x[l];
      }
      for (std::int64_t l = width; l < kLanes; ++l) {
        dt_[static_cast<std::size_t>(t * kLanes + l)] = 0;
        u_[static_cast<std::size_t>(t * kLanes + l)] = 0;
      }
    }
    return {count_,     scan_.states(),    rates_.data() + block * scan_.block_size(),
            dt_.data(), u_.data(),         B_.data(),
            C_.data(),  !scan_.o.exclusive};
  }
  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] std::int64_t row(std::int64_t t) const { return scan_.row(begin_ + t); }

 private:
  const Scan& scan_;
  std::vector<float> rates_, dt_, u_, B_, C_;
  std::int64_t begin_ = 0, count_ = 0;
};

// y [N, I]; the states at the beginnings of the chunks go to `kept` [chunks, blocks, S, kLanes], if
// that is defined.
Tensor forward(const Scan& scan, const Tensor& kept) {
  const profile::Scope scope("scan");
  const std::int64_t I = scan.features();
  Tensor y = Tensor::zeros(scan.x.shape());
  Chunk chunk(scan);
  std::vector<float> h = buffer(scan.blocks() * scan.block_size());
  std::vector<float> ys = buffer(kSteps * kLanes);
  for (std::int64_t c = 0; c < scan.chunks(); ++c) {
    if (kept.defined()) {
      std::copy(h.begin(), h.end(), kept.f32() + c * static_cast<std::int64_t>(h.size()));
    }
    chunk.read(c);
    for (std::int64_t b = 0; b < scan.blocks(); ++b) {
      run(chunk.block(b), h.data() + b * scan.block_size(), ys.data());
      for (std::int64_t t = 0; t < chunk.count(); ++t) {
        std::copy_n(ys.data() + t * kLanes, scan.width(b), y.f32() + chunk.row(t) * I + b * kLanes);
      }
    }
  }
  return y;
}

struct Gradients {
  Tensor x, dt, A, B, C;
};

// Sums of 16 lanes each, in a fixed order.
void add_lanes(const std::vector<float>& lanes, std::int64_t count, float* to) {
  for (std::int64_t i = 0; i < count; ++i) {
    float sum = 0;
    for (std::int64_t l = 0; l < kLanes; ++l) {
      sum += lanes[static_cast<std::size_t>(i * kLanes + l)];
    }
    to[i] = sum;
  }
}

Gradients backward(const Scan& scan, const Tensor& dy, const Tensor& kept) {
  const profile::Scope scope("scan");
  const std::int64_t I = scan.features();
  const std::int64_t S = scan.states();
  const std::int64_t all = scan.blocks() * scan.block_size();
  Gradients d{Tensor::zeros(scan.x.shape()), Tensor::zeros(scan.dt.shape()),
              Tensor::zeros(scan.A.shape()), Tensor::zeros(scan.B.shape()),
              Tensor::zeros(scan.C.shape())};
  Chunk chunk(scan);
  std::vector<float> states = buffer((kSteps + 1) * scan.block_size());
  std::vector<float> factors = buffer(kSteps * scan.block_size());
  std::vector<float> dB = buffer(kSteps * scan.block_size());
  std::vector<float> dC = buffer(kSteps * scan.block_size());
  std::vector<float> dA = buffer(all);
  std::vector<float> g = buffer(all);
  std::vector<float> du = buffer(kSteps * kLanes);
  std::vector<float> dlog = buffer(kSteps * kLanes);
  std::vector<float> dys = buffer(kSteps * kLanes);
  for (std::int64_t c = scan.chunks() - 1; c >= 0; --c) {
    chunk.read(c);
    std::fill(dB.begin(), dB.end(), 0.0F);
    std::fill(dC.begin(), dC.end(), 0.0F);
    for (std::int64_t b = 0; b < scan.blocks(); ++b) {
      const std::int64_t place = b * scan.block_size();
      const std::int64_t width = scan.width(b);
      std::fill(dys.begin(), dys.end(), 0.0F);
      for (std::int64_t t = 0; t < chunk.count(); ++t) {
        std::copy_n(dy.f32() + chunk.row(t) * I + b * kLanes, width, dys.data() + t * kLanes);
      }
      const Steps steps = chunk.block(b);
      std::copy_n(kept.f32() + c * all + place, scan.block_size(), states.begin());
      write_factors(steps, factors.data());
      sum(steps, dys.data(),
          {states.data(), factors.data(), dB.data(), dC.data(), dA.data() + place, g.data() + place,
           du.data(), dlog.data()},
          wide_registers());
      for (std::int64_t t = 0; t < chunk.count(); ++t) {
        const std::int64_t at = chunk.row(t) * I + b * kLanes;
        for (std::int64_t l = 0; l < width; ++l) {
          const float slope = du[static_cast<std::size_t>(t * kLanes + l)];
          d.x.f32()[at + l] = slope * scan.dt.f32()[at + l];
          d.dt.f32()[at + l] =
              dlog[static_cast<std::size_t>(t * kLanes + l)] + slope * scan.x.f32()[at + l];
        }
      }
    }
    std::vector<float> rows = buffer(chunk.count() * S);
    for (const auto& [lanes, to] : {std::pair{&dB, &d.B}, std::pair{&dC, &d.C}}) {
      add_lanes(*lanes, chunk.count() * S, rows.data());
      for (std::int64_t t = 0; t < chunk.count(); ++t) {
        std::copy_n(rows.data() + t * S, S, to->f32() + chunk.row(t) * S);
      }
    }
  }
  for (std::int64_t i = 0; i < I; ++i) {
    for (std::int64_t s = 0; s < S; ++s) {
      d.A.f32()[i * S + s] =
          dA[static_cast<std::size_t>((i / kLanes * S + s) * kLanes + i % kLanes)];
    }
  }
  return d;
}

}  // namespace

Value selective_scan(const Value& x, const Value& dt, const Value& A, const Value& B,
                     const Value& C, const SelectiveScanOptions& o) {
  if (x.rank() != 2 || dt.shape() != x.shape() || A.rank() != 2 || A.dim(0) != x.dim(1) ||
      B.shape() != Shape{x.dim(0), A.dim(1)} || C.shape() != B.shape() ||
      dt.dtype() != DType::f32 || A.dtype() != DType::f32 || o.length < 0 || o.length > x.dim(0)) {
    fail(ErrorKind::shape,
         "selective_scan: got x {}, dt {} {}, A {} {}, B {}, C {}, {} rows, expected [N, I], "
         "[N, I] and [I, S] in f32, [N, S], [N, S]",
         x.shape().text(), dt.shape().text(), dtype_name(dt.dtype()), A.shape().text(),
         dtype_name(A.dtype()), B.shape().text(), C.shape().text(), o.length);
  }
  const auto in_f32 = [o, tx = x.tensor(), tdt = dt.tensor(), tA = A.tensor(), tB = B.tensor(),
                       tC = C.tensor()] {
    return Scan{ops::cast(tx, DType::f32), tdt, tA, ops::cast(tB, DType::f32),
                ops::cast(tC, DType::f32), o};
  };
  const Scan scan = in_f32();
  Tensor kept;
  for (const Value* value : {&x, &dt, &A, &B, &C}) {
    if (!value->gradient() || kept.defined()) continue;
    kept = Tensor({std::max<std::int64_t>(1, scan.chunks()), scan.blocks() * scan.block_size()},
                  DType::f32);
  }
  Tensor y = ops::cast(forward(scan, kept), x.dtype());
  return Tape::record(std::move(y), {&x, &dt, &A, &B, &C},
                      [=, gx = x.gradient(), gdt = dt.gradient(), gA = A.gradient(),
                       gB = B.gradient(), gC = C.gradient(), type = x.dtype(), type_B = B.dtype(),
                       type_C = C.dtype()](const Tensor& dy) {
                        Gradients d = backward(in_f32(), ops::cast(dy, DType::f32), kept);
                        if (gx) gx->add(ops::cast(d.x, type));
                        if (gdt) gdt->add(std::move(d.dt));
                        if (gA) gA->add(std::move(d.A));
                        if (gB) gB->add(ops::cast(d.B, type_B));
                        if (gC) gC->add(ops::cast(d.C, type_C));
                      });
}

}  // namespace lra::engine
