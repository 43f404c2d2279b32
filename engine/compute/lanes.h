#pragma once
// Registers of several floats for loops that compilers do not keep in registers. Functions that use
// them are compiled under LRA_SIMD and take no register by value. Not installed.

#include <cstdint>
#include <cstring>

namespace lra::engine {

// A register of W floats, or as many machine registers as needed.
template <int W>
struct Register {
  using Lanes __attribute__((vector_size(W * sizeof(float)))) = float;
  using Bits __attribute__((vector_size(W * sizeof(float)))) = std::uint32_t;
};

template <class Lanes>
[[gnu::always_inline]] inline void load(const float* from, Lanes& to) {
  std::memcpy(&to, from, sizeof(Lanes));
}
template <class Lanes>
[[gnu::always_inline]] inline void store(const Lanes& from, float* to) {
  std::memcpy(to, &from, sizeof(Lanes));
}

// True if the machine has 32 registers of 16 floats (AVX-512).
[[nodiscard]] inline bool wide_registers() {
  static const bool found = __builtin_cpu_supports("avx512f") != 0;
  return found;
}

// The sum of a register's numbers.
[[gnu::always_inline]] inline float total(const Register<8>::Lanes& x) {
  const Register<8>::Lanes a = x + __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3);
  const Register<8>::Lanes b = a + __builtin_shufflevector(a, a, 2, 3, 0, 1, 6, 7, 4, 5);
  return b[0] + b[1];
}

// Several registers side by side: the steps of one fill the waits of another.
template <int U>
using Bundle = Register<8>::Lanes[U];

// y = c[0] x^(N-1) + ... + c[N-1], by Horner's rule.
template <int U, int N>
[[gnu::always_inline]] inline void polynomial(const float (&c)[N], const Bundle<U>& x,
                                              Bundle<U>& y) {
#pragma GCC unroll 4
  for (int i = 0; i < U; ++i) y[i] = Register<8>::Lanes{} + c[0];
#pragma GCC unroll 6
  for (int k = 1; k < N; ++k) {
#pragma GCC unroll 4
    for (int i = 0; i < U; ++i) y[i] = y[i] * x[i] + c[k];
  }
}

// y = e^x to 2 ulp for x in [-86, 88]; 0 below, anything above; NaN stays NaN. 2^k e^r with
// |r| <= ln(2)/2, ln(2) in two parts (Cody, Waite 1980) and a minimax polynomial of degree 6.
template <int U>
[[gnu::always_inline]] inline void exp_of(const Bundle<U>& from, Bundle<U>& y) {
  using Lanes = Register<8>::Lanes;
  using Bits = Register<8>::Bits;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer
  constexpr float kPolynomial[]{
      1.381432055e-3F, 8.368851617e-3F, 4.166840017e-2F, 0.1666651964F, 0.4999999404F, 1.0F, 1.0F};
  Lanes shifted[U];
  Lanes r[U];
  Lanes p[U];
#pragma GCC unroll 4
  for (int i = 0; i < U; ++i) shifted[i] = from[i] * 1.44269504F + kRound;
#pragma GCC unroll 4
  for (int i = 0; i < U; ++i) p[i] = shifted[i] - kRound;
#pragma GCC unroll 4
  for (int i = 0; i < U; ++i) r[i] = from[i] - p[i] * 0.693359375F;
#pragma GCC unroll 4
  for (int i = 0; i < U; ++i) r[i] = r[i] + p[i] * 2.12194440e-4F;
  polynomial<U>(kPolynomial, r, p);
  // k is in the low bits of `shifted` and is added to the exponent.
#pragma GCC unroll 4
  for (int i = 0; i < U; ++i) {
    Bits power;  // unsigned: far arguments wrap
    Bits bits;
    std::memcpy(&power, &shifted[i], sizeof power);
    std::memcpy(&bits, &p[i], sizeof bits);
    bits += power << 23;
    bits = from[i] < -86.0F ? Bits{} : bits;
    std::memcpy(&y[i], &bits, sizeof bits);
  }
}

}  // namespace lra::engine
