#include "engine/fused/scan/diagonal_scan.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/compute/profile.h"
#include "engine/compute/simd.h"

namespace lra::engine {
namespace {

// h = a h + x, for one step.
LRA_SIMD void step(const float* __restrict x, const float* __restrict a, float* __restrict h,
                   std::int64_t S) {
  for (std::int64_t s = 0; s < S; ++s) h[s] = a[s] * h[s] + x[s];
}
// The same on complex numbers, S real parts before S imaginary ones; `sign` = -1 conjugates a.
LRA_SIMD void complex_step(const float* __restrict x, const float* __restrict a,
                           float* __restrict h, std::int64_t S, float sign) {
  for (std::int64_t s = 0; s < S; ++s) {
    const float real = h[s];
    const float imaginary = h[S + s];
    const float turn = sign * a[S + s];
    h[s] = a[s] * real - turn * imaginary + x[s];
    h[S + s] = a[s] * imaginary + turn * real + x[S + s];
  }
}

// da += conj(h) g.
LRA_SIMD void slope(const float* __restrict h, const float* __restrict g, float* __restrict da,
                    std::int64_t S) {
  for (std::int64_t s = 0; s < S; ++s) da[s] += h[s] * g[s];
}
LRA_SIMD void complex_slope(const float* __restrict h, const float* __restrict g,
                            float* __restrict da, std::int64_t S) {
  for (std::int64_t s = 0; s < S; ++s) {
    da[s] += h[s] * g[s] + h[S + s] * g[S + s];
    da[S + s] += h[s] * g[S + s] - h[S + s] * g[s];
  }
}

// The factors of one sequence: one row for all steps, or one per step.
struct Factors {
  const float* rows;
  std::int64_t stride;     // S, or 0 for one row
  bool conjugate = false;  // of the backward,
  bool late = false;       // which takes those of the step before
};

// y of one sequence of T steps.
void scan(const float* x, const Factors& a, float* y, std::int64_t T, std::int64_t S,
          const DiagonalScanOptions& o) {
  std::vector<float> h(static_cast<std::size_t>(S), 0.0F);
  for (std::int64_t i = 0; i < T; ++i) {
    const auto row = [&](std::int64_t step) { return o.reverse ? T - 1 - step : step; };
    const std::int64_t t = row(i);
    // The first step has no previous state.
    const float* factors = a.rows + row(a.late ? std::max<std::int64_t>(0, i - 1) : i) * a.stride;
    if (o.exclusive) std::copy(h.begin(), h.end(), y + t * S);
    if (o.complex) {
      complex_step(x + t * S, factors, h.data(), S / 2, a.conjugate ? -1.0F : 1.0F);
    } else {
      step(x + t * S, factors, h.data(), S);
    }
    if (!o.exclusive) std::copy(h.begin(), h.end(), y + t * S);
  }
}

// Adds to da (one row, or one per step) of one sequence, from the states y and the gradients g of
// the states' inputs.
void slopes(const float* y, const float* g, float* da, std::int64_t stride, std::int64_t T,
            std::int64_t S, const DiagonalScanOptions& o) {
  for (std::int64_t t = 0; t < T; ++t) {
    const std::int64_t before = o.exclusive ? t : (o.reverse ? t + 1 : t - 1);
    if (before < 0 || before >= T) continue;
    if (o.complex) {
      complex_slope(y + before * S, g + t * S, da + t * stride, S / 2);
    } else {
      slope(y + before * S, g + t * S, da + t * stride, S);
    }
  }
}

// Elements of one sequence's factors; between its steps.
std::int64_t factor_size(const Tensor& a) { return a.numel() / a.dim(0); }
std::int64_t factor_stride(const Tensor& a) { return a.rank() == 3 ? a.dim(2) : 0; }

Tensor scan(const Tensor& x, const Tensor& a, const DiagonalScanOptions& o, bool back) {
  const profile::Scope scope("scan");
  const std::int64_t T = x.dim(1);
  const std::int64_t S = x.dim(2);
  Tensor y(x.shape(), DType::f32);
  for (std::int64_t b = 0; b < x.dim(0); ++b) {
    const Factors factors{a.f32() + b * factor_size(a), factor_stride(a), back,
                          back && !o.exclusive};
    scan(x.f32() + b * T * S, factors, y.f32() + b * T * S, T, S, o);
  }
  return y;
}

}  // namespace

Value diagonal_scan(const Value& x, const Value& a, const DiagonalScanOptions& o) {
  const bool fits = x.rank() == 3 && (a.rank() == 2 ? a.dim(0) == x.dim(0) && a.dim(1) == x.dim(2)
                                                    : a.shape() == x.shape());
  if (!fits || x.dtype() != DType::f32 || a.dtype() != DType::f32 ||
      (o.complex && x.dim(2) % 2 != 0)) {
    fail(ErrorKind::shape,
         "diagonal_scan: got x {} {}, a {} {}, expected [B, T, S], [B, S] or [B, T, S] in f32",
         x.shape().text(), dtype_name(x.dtype()), a.shape().text(), dtype_name(a.dtype()));
  }
  Tensor y = scan(x.tensor(), a.tensor(), o, false);
  const Tensor kept = a.gradient() ? y : Tensor();
  return Tape::record(std::move(y), {&x, &a},
                      [=, ta = a.tensor(), gx = x.gradient(), ga = a.gradient()](const Tensor& dy) {
                        DiagonalScanOptions back = o;
                        back.reverse = !o.reverse;
                        Tensor g = scan(dy, ta, back, true);
                        if (ga) {
                          const profile::Scope scope("scan");
                          const std::int64_t T = g.dim(1);
                          const std::int64_t S = g.dim(2);
                          Tensor da = Tensor::zeros(ta.shape());
                          for (std::int64_t b = 0; b < g.dim(0); ++b) {
                            slopes(kept.f32() + b * T * S, g.f32() + b * T * S,
                                   da.f32() + b * factor_size(ta), factor_stride(ta), T, S, o);
                          }
                          ga->add(std::move(da));
                        }
                        if (gx) gx->add(std::move(g));
                      });
}

}  // namespace lra::engine
