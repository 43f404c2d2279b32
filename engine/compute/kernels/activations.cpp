#include <cstdint>
#include <cstring>

#include "engine/compute/kernels/kernels.h"
#include "engine/compute/lanes.h"
#include "engine/compute/profile.h"
#include "engine/compute/simd.h"

namespace lra::engine::kernels {
namespace {

using Lanes = Register<8>::Lanes;

// x Phi(x) and Phi(x) + x phi(x). Phi(-|x|) = (1 - erf(|x| / sqrt 2)) / 2 by the fit 7.1.26 of
// Abramowitz, Stegun 1964, "Handbook of Mathematical Functions" (1.5e-7), whose e^(-x^2/2) is also
// phi's; its coefficients are halved here.
struct GeluErf {
  template <int U>
  [[gnu::always_inline]] static void at(const Bundle<U>& x, Bundle<U>& y, Bundle<U>& slope) {
    constexpr float kFit[]{0.5307027145F, -0.7265760135F, 0.7107068705F, -0.142248368F,
                           0.127414796F};
    Lanes e[U];
    Lanes t[U];
    Lanes p[U];
#pragma GCC unroll 4
    for (int i = 0; i < U; ++i) t[i] = x[i] * x[i] * -0.5F;
    exp_of<U>(t, e);
#pragma GCC unroll 4
    for (int i = 0; i < U; ++i) t[i] = (x[i] < 0.0F ? -x[i] : x[i]) * 0.231641888F + 1.0F;
#pragma GCC unroll 4
    for (int i = 0; i < U; ++i) t[i] = 1.0F / t[i];
    polynomial<U>(kFit, t, p);
#pragma GCC unroll 4
    for (int i = 0; i < U; ++i) {
      const Lanes tail = p[i] * t[i] * e[i];
      const Lanes phi = x[i] < 0.0F ? tail : 1.0F - tail;
      y[i] = x[i] * phi;
      slope[i] = x[i] * e[i] * 0.398942280F + phi;
    }
  }
};

// x s(2 u) with u = sqrt(2/pi) (x + 0.044715 x^3), which is x (1 + tanh u) / 2.
struct GeluTanh {
  template <int U>
  [[gnu::always_inline]] static void at(const Bundle<U>& x, Bundle<U>& y, Bundle<U>& slope) {
    constexpr float kRoot = 1.595769122F;  // 2 sqrt(2/pi)
    Lanes e[U];
    Lanes t[U];
#pragma GCC unroll 4
    for (int i = 0; i < U; ++i) {
      const Lanes u = x[i] * (x[i] * x[i] * 0.044715F + 1.0F) * -kRoot;
      t[i] = u > 80.0F ? Lanes{} + 80.0F : u;
    }
    exp_of<U>(t, e);
#pragma GCC unroll 4
    for (int i = 0; i < U; ++i) {
      const Lanes s = 1.0F / (e[i] + 1.0F);
      y[i] = x[i] * s;
      slope[i] = s + y[i] * (e[i] * s) * (x[i] * x[i] * (0.134145F * kRoot) + kRoot);
    }
  }
};

struct EluPlusOne {
  template <int U>
  [[gnu::always_inline]] static void at(const Bundle<U>& x, Bundle<U>& y, Bundle<U>&) {
    Lanes below[U];
    exp_of<U>(x, below);
#pragma GCC unroll 4
    for (int i = 0; i < U; ++i) y[i] = x[i] > 0.0F ? x[i] + 1.0F : below[i];
  }
};

struct Exp {
  template <int U>
  [[gnu::always_inline]] static void at(const Bundle<U>& x, Bundle<U>& y, Bundle<U>&) {
    exp_of<U>(x, y);
  }
};

template <class F, int U>
[[gnu::always_inline]] inline void step(const float* x, float* y, float* slope) {
  Lanes v[U];
  Lanes value[U];
  Lanes gradient[U]{};
#pragma GCC unroll 4
  for (std::int64_t i = 0; i < U; ++i) load(x + 8 * i, v[i]);
  F::template at<U>(v, value, gradient);
#pragma GCC unroll 4
  for (std::int64_t i = 0; i < U; ++i) store(value[i], y + 8 * i);
  if (slope == nullptr) return;
#pragma GCC unroll 4
  for (std::int64_t i = 0; i < U; ++i) store(gradient[i], slope + 8 * i);
}

// f of n numbers and its slope unless null; both may be x.
template <class F>
[[gnu::always_inline]] inline void map(const float* x, float* y, float* slope, std::int64_t n) {
  constexpr int kRegisters = 4;
  constexpr std::int64_t kStep = 8 * kRegisters;
  std::int64_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    step<F, kRegisters>(x + i, y + i, slope == nullptr ? nullptr : slope + i);
  }
  for (; i < n; i += 8) {
    const std::size_t bytes = static_cast<std::size_t>(n - i < 8 ? n - i : 8) * sizeof(float);
    float in[8]{};
    float out[8];
    float gradient[8];
    std::memcpy(in, x + i, bytes);
    step<F, 1>(in, out, gradient);
    std::memcpy(y + i, out, bytes);
    if (slope != nullptr) std::memcpy(slope + i, gradient, bytes);
  }
}

LRA_SIMD void gelu_erf_f32(const float* x, float* y, float* slope, std::int64_t n) {
  map<GeluErf>(x, y, slope, n);
}

LRA_SIMD void gelu_tanh_f32(const float* x, float* y, float* slope, std::int64_t n) {
  map<GeluTanh>(x, y, slope, n);
}

LRA_SIMD void elu_plus_one_f32(const float* x, float* y, std::int64_t n) {
  map<EluPlusOne>(x, y, nullptr, n);
}

LRA_SIMD void exp_f32(const float* x, float* y, std::int64_t n) { map<Exp>(x, y, nullptr, n); }

LRA_SIMD void elu_plus_one_slope(const float* y, const float* dy, float* dx, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) dx[i] = dy[i] * (y[i] < 1.0F ? y[i] : 1.0F);
}

LRA_SIMD void product(const float* x, const float* y, float* z, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) z[i] = x[i] * y[i];
}

}  // namespace

void gelu(Gelu form, const Tensor& x, const Tensor& y, const Tensor& slope) {
  const profile::Scope scope("gelu");
  const auto f = form == Gelu::erf ? gelu_erf_f32 : gelu_tanh_f32;
  f(x.f32(), y.f32(), slope.defined() ? slope.f32() : nullptr, x.numel());
}

void elu_plus_one(const Tensor& x, const Tensor& y) {
  const profile::Scope scope("elu");
  elu_plus_one_f32(x.f32(), y.f32(), x.numel());
}

void elu_plus_one_backward(const Tensor& y, const Tensor& dy, const Tensor& dx) {
  const profile::Scope scope("elu backward");
  elu_plus_one_slope(y.f32(), dy.f32(), dx.f32(), y.numel());
}

void multiply(const Tensor& x, const Tensor& y, const Tensor& z) {
  const profile::Scope scope("product of entries");
  product(x.f32(), y.f32(), z.f32(), x.numel());
}

void exponentiate(const Tensor& x, const Tensor& y) {
  const profile::Scope scope("exp");
  exp_f32(x.f32(), y.f32(), x.numel());
}

}  // namespace lra::engine::kernels
