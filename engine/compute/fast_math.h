#pragma once
// exp and erfc in f32 as straight-line code that compilers vectorise. Not installed.

#include <bit>
#include <cstdint>

namespace lra::engine::fast {

// e^x to 2 ulp for x in [-87, 88], clamped outside: 2^k e^r with |r| <= ln(2)/2, ln(2) in two parts
// (Cody, Waite 1980) and the Taylor polynomial of degree 7.
inline float exp(float x) {
  x = x > -87.0F ? x : -87.0F;
  x = x < 88.0F ? x : 88.0F;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = x * 1.44269504F + kRound;
  const float k = shifted - kRound;
  const float r = (x - k * 0.693359375F) + k * 2.12194440e-4F;
  float p = 1.98412698e-4F;
  p = p * r + 1.38888889e-3F;
  p = p * r + 8.33333333e-3F;
  p = p * r + 4.16666667e-2F;
  p = p * r + 1.66666667e-1F;
  p = p * r + 0.5F;
  p = p * r * r + r + 1.0F;
  const auto power = static_cast<std::int32_t>(k) + 127;
  return p * std::bit_cast<float>(power << 23);
}

// 1 - erf(x) to a relative error of about 2e-7 while it is above 1e-38: the rational Chebyshev fit
// of Press, Teukolsky, Vetterling, Flannery, "Numerical Recipes", section 6.2 (erfcc).
inline float erfc(float x) {
  const float z = x < 0 ? -x : x;
  const float t = 1.0F / (1.0F + 0.5F * z);
  float p = 0.17087277F;
  p = p * t - 0.82215223F;
  p = p * t + 1.48851587F;
  p = p * t - 1.13520398F;
  p = p * t + 0.27886807F;
  p = p * t - 0.18628806F;
  p = p * t + 0.09678418F;
  p = p * t + 0.37409196F;
  p = p * t + 1.00002368F;
  p = p * t - 1.26551223F;
  const float tail = t * exp(p - z * z);
  return x < 0 ? 2.0F - tail : tail;
}

}  // namespace lra::engine::fast
