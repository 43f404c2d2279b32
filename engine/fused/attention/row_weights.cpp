#include "engine/fused/attention/row_weights.h"

#include <cmath>

#include "engine/compute/fast_math.h"
#include "engine/compute/simd.h"

namespace lra::engine::kernels {
namespace {

// Mean and sqrt(2) x width of the Laplace attention function (Ma et al. 2022, arXiv 2209.10655,
// eq. 14), with the digits of its authors' code.
constexpr float kLaplaceMean = 0.707107F;
constexpr float kLaplaceSpread = 0.282095F * 1.41421356F;
constexpr float kExactLog = 16;  // half a unit in the last place is 5e-7
constexpr float kInverseSqrtPi = 0.564189584F;

// x^p for p in 0..15 without a loop over p, which would not be vectorised.
inline float whole_power(float x, unsigned p) {
  const float x2 = x * x;
  const float x4 = x2 * x2;
  float y = (p & 1U) != 0 ? x : 1.0F;
  y = (p & 2U) != 0 ? y * x2 : y;
  y = (p & 4U) != 0 ? y * x4 : y;
  return (p & 8U) != 0 ? y * x4 * x4 : y;
}

LRA_SIMD void power(float* s, std::int64_t n, unsigned degree, float factor) {
  for (std::int64_t j = 0; j < n; ++j) s[j] = factor * whole_power(s[j], degree);
}
LRA_SIMD void power_backward(float* s, float* d, std::int64_t n, unsigned degree, float factor) {
  for (std::int64_t j = 0; j < n; ++j) {
    const float w = factor * whole_power(s[j], degree - 1);
    d[j] *= w * static_cast<float>(degree);
    s[j] *= w;
  }
}

LRA_SIMD void relu(float* s, std::int64_t n, float factor) {
  for (std::int64_t j = 0; j < n; ++j) s[j] = s[j] > 0 ? factor * s[j] : 0.0F;
}
LRA_SIMD void relu_backward(float* s, float* d, std::int64_t n, float factor) {
  for (std::int64_t j = 0; j < n; ++j) {
    d[j] = s[j] > 0 ? factor * d[j] : 0.0F;
    s[j] = s[j] > 0 ? factor * s[j] : 0.0F;
  }
}

LRA_SIMD void relu2(float* s, std::int64_t n, float factor) {
  for (std::int64_t j = 0; j < n; ++j) s[j] = s[j] > 0 ? factor * s[j] * s[j] : 0.0F;
}
LRA_SIMD void relu2_backward(float* s, float* d, std::int64_t n, float factor) {
  for (std::int64_t j = 0; j < n; ++j) {
    const float positive = s[j] > 0 ? factor * s[j] : 0.0F;
    d[j] *= 2.0F * positive;
    s[j] *= positive;
  }
}

LRA_SIMD void sigmoid(float* s, std::int64_t n, float factor) {
  for (std::int64_t j = 0; j < n; ++j) s[j] = factor / (1.0F + fast::exp(-s[j]));
}
LRA_SIMD void sigmoid_backward(float* s, float* d, std::int64_t n, float factor) {
  for (std::int64_t j = 0; j < n; ++j) {
    const float w = 1.0F / (1.0F + fast::exp(-s[j]));
    d[j] *= factor * w * (1.0F - w);
    s[j] = factor * w;
  }
}

LRA_SIMD void laplace(float* s, std::int64_t n, float factor) {
  for (std::int64_t j = 0; j < n; ++j) {
    s[j] = 0.5F * factor * fast::erfc((kLaplaceMean - s[j]) / kLaplaceSpread);
  }
}
LRA_SIMD void laplace_backward(float* s, float* d, std::int64_t n, float factor) {
  for (std::int64_t j = 0; j < n; ++j) {
    const float z = (kLaplaceMean - s[j]) / kLaplaceSpread;
    d[j] *= factor * kInverseSqrtPi / kLaplaceSpread * fast::exp(-z * z);
    s[j] = 0.5F * factor * fast::erfc(z);
  }
}

LRA_SIMD void bounded_exp(float* s, std::int64_t n, float factor) {
  for (std::int64_t j = 0; j < n; ++j) s[j] = factor * fast::exp(s[j] < 0 ? s[j] : 0.0F);
}
LRA_SIMD void bounded_exp_backward(float* s, float* d, std::int64_t n, float factor) {
  for (std::int64_t j = 0; j < n; ++j) {
    s[j] = factor * fast::exp(s[j] < 0 ? s[j] : 0.0F);
    d[j] *= s[j];
  }
}

LRA_SIMD float largest(const float* s, std::int64_t n) {
  float m = s[0];
#pragma omp simd reduction(max : m)
  for (std::int64_t j = 1; j < n; ++j) m = m > s[j] ? m : s[j];
  return m;
}

// s -> factor e^(s - m); returns the sum of e^(s - m).
LRA_SIMD float exponentials(float* s, std::int64_t n, float m, float factor) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t j = 0; j < n; ++j) {
    const float w = fast::exp(s[j] - m);
    sum += w;
    s[j] = factor * w;
  }
  return sum;
}

LRA_SIMD void scale(float* s, std::int64_t n, float factor) {
  for (std::int64_t j = 0; j < n; ++j) s[j] *= factor;
}

// w: weights; d: dw -> ds = w (dw - sum of w dw / factor).
LRA_SIMD void softmax_backward(const float* w, float* d, std::int64_t n, float factor) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t j = 0; j < n; ++j) sum += w[j] * d[j];
  sum /= factor;
  for (std::int64_t j = 0; j < n; ++j) d[j] = w[j] * (d[j] - sum);
}

// Number and sum of the entries above tau; the sum is taken of s - reference.
LRA_SIMD float above(const float* s, std::int64_t n, float tau, float reference, float& sum) {
  float count = 0;
  float total = 0;
#pragma omp simd reduction(+ : count, total)
  for (std::int64_t j = 0; j < n; ++j) {
    const bool in = s[j] > tau;
    count += in ? 1.0F : 0.0F;
    total += in ? s[j] - reference : 0.0F;
  }
  sum = total;
  return count;
}

// The threshold by Michelot's iteration (1986): the support shrinks to the final one in a few
// steps, each a pass over the row, without sorting. tau is at least max - 1.
float threshold(const float* s, std::int64_t n) {
  const float m = largest(s, n);
  float tau = m - 1.0F;
  float support = static_cast<float>(n) + 1.0F;
  for (;;) {
    float sum = 0;
    const float count = above(s, n, tau, m, sum);
    if (count >= support || count == 0.0F) return tau;
    support = count;
    tau = m + (sum - 1.0F) / count;
  }
}

LRA_SIMD void cut(float* s, std::int64_t n, float tau, float factor) {
  for (std::int64_t j = 0; j < n; ++j) s[j] = s[j] > tau ? factor * (s[j] - tau) : 0.0F;
}

// s: logits -> weights; d: dw -> dw - its mean over the support, 0 elsewhere.
LRA_SIMD void sparsemax_backward(float* s, float* d, std::int64_t n, float tau, float factor) {
  float count = 0;
  float total = 0;
#pragma omp simd reduction(+ : count, total)
  for (std::int64_t j = 0; j < n; ++j) {
    const bool in = s[j] > tau;
    count += in ? 1.0F : 0.0F;
    total += in ? d[j] : 0.0F;
  }
  const float mean = count > 0 ? total / count : 0.0F;
  for (std::int64_t j = 0; j < n; ++j) {
    d[j] = s[j] > tau ? factor * (d[j] - mean) : 0.0F;
    s[j] = s[j] > tau ? factor * (s[j] - tau) : 0.0F;
  }
}

// Sums of p = max((s - m) / 2 - tau, 0) and of p^2.
LRA_SIMD float half_above(const float* s, std::int64_t n, float m, float tau, float& squares) {
  float sum = 0;
  float total = 0;
#pragma omp simd reduction(+ : sum, total)
  for (std::int64_t j = 0; j < n; ++j) {
    const float x = 0.5F * (s[j] - m) - tau;
    const float p = x > 0 ? x : 0.0F;
    sum += p;
    total += p * p;
  }
  squares = total;
  return sum;
}

// tau with sum of max((s - m) / 2 - tau, 0)^2 = 1, by Newton's method from m's own weight of 1
// downwards: the sum is convex and falls with tau, so that every step stays on one side and the
// last ones converge quadratically; no sorting.
float entmax_threshold(const float* s, std::int64_t n, float m) {
  constexpr int kSteps = 40;
  constexpr float kPrecision = 1e-7F;
  float tau = -1.0F;
  for (int i = 0; i < kSteps; ++i) {
    float squares = 0;
    const float sum = half_above(s, n, m, tau, squares);
    const float step = 0.5F * (squares - 1.0F) / sum;
    tau += step;
    if (step <= kPrecision) break;
  }
  return tau;
}

LRA_SIMD void entmax(float* s, std::int64_t n, float m, float tau, float factor) {
  for (std::int64_t j = 0; j < n; ++j) {
    const float x = 0.5F * (s[j] - m) - tau;
    const float p = x > 0 ? x : 0.0F;
    s[j] = factor * p * p;
  }
}

// s: logits -> weights; d: dw -> p (dw - sum of p dw / sum of p), p the root of the weight.
LRA_SIMD void entmax_backward(float* s, float* d, std::int64_t n, float m, float tau,
                              float factor) {
  float sum = 0;
  float total = 0;
#pragma omp simd reduction(+ : sum, total)
  for (std::int64_t j = 0; j < n; ++j) {
    const float x = 0.5F * (s[j] - m) - tau;
    const float p = x > 0 ? x : 0.0F;
    sum += p;
    total += p * d[j];
  }
  const float mean = total / sum;
  for (std::int64_t j = 0; j < n; ++j) {
    const float x = 0.5F * (s[j] - m) - tau;
    const float p = x > 0 ? x : 0.0F;
    d[j] = factor * p * (d[j] - mean);
    s[j] = factor * p * p;
  }
}

constexpr float kSoftpickEps = 1e-8F;  // added to the denominator after the factor e^-m

// e^-m (e^s - 1), by its series where the difference would cancel.
inline float shifted_expm1(float s, float m, float at_zero) {
  constexpr float kSmall = 0.5F;
  const float tail = 1.0F / 120 + s * (1.0F / 720 + s * (1.0F / 5040));
  const float series = s * (1 + s * (0.5F + s * (1.0F / 6 + s * (1.0F / 24 + s * tail))));
  const float difference = fast::exp(s - m) - at_zero;
  return s < kSmall && s > -kSmall ? at_zero * series : difference;
}

// s: logits -> e^-m (e^s - 1), m = max(0, max s); returns the sum of their magnitudes.
LRA_SIMD float softpick_terms(float* s, std::int64_t n, float m, float at_zero) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t j = 0; j < n; ++j) {
    const float u = shifted_expm1(s[j], m, at_zero);
    sum += u > 0 ? u : -u;
    s[j] = u;
  }
  return sum;
}

LRA_SIMD void picked(float* s, std::int64_t n, float factor) {
  for (std::int64_t j = 0; j < n; ++j) s[j] = s[j] > 0 ? factor * s[j] : 0.0F;
}

// s: logits -> weights; d: dw -> e^(s - m) / denominator (dw [s > 0] - sign(s) sum of w dw).
LRA_SIMD void softpick_backward(float* s, float* d, std::int64_t n, float m, float at_zero,
                                float denominator, float factor) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t j = 0; j < n; ++j) {
    const float u = shifted_expm1(s[j], m, at_zero);
    sum += u > 0 ? u * d[j] : 0.0F;
    s[j] = u;
  }
  sum /= denominator;
  const float scaled = factor / denominator;
  for (std::int64_t j = 0; j < n; ++j) {
    const float u = s[j];
    const float above = d[j] - sum;
    const float below = u < 0 ? sum : 0.0F;
    d[j] = scaled * (u + at_zero) * (u > 0 ? above : below);  // e^(s - m) = u + e^-m
    s[j] = u > 0 ? scaled * u : 0.0F;
  }
}

// m and e^-m of softpick.
float softpick_shift(const float* s, std::int64_t n, float& at_zero) {
  const float m = largest(s, n);
  const float shift = m > 0 ? m : 0.0F;
  at_zero = std::exp(-shift);
  return shift;
}

}  // namespace

void row_weights(const RowWeights& w, float* s, std::int64_t n, float& state) {
  if (n == 0) return;
  switch (w.rule) {
    case RowRule::power:
      return power(s, n, w.degree, w.factor);
    case RowRule::relu:
      return relu(s, n, w.factor);
    case RowRule::relu2:
      return relu2(s, n, w.factor);
    case RowRule::sigmoid:
      return sigmoid(s, n, w.factor);
    case RowRule::laplace:
      return laplace(s, n, w.factor);
    case RowRule::exp:
      return bounded_exp(s, n, w.factor);
    case RowRule::softmax: {
      const float m = largest(s, n);
      const float sum = exponentials(s, n, m, 1.0F);
      scale(s, n, w.factor / sum);
      state = m + std::log(sum);
      return;
    }
    case RowRule::sparsemax:
      state = threshold(s, n);
      return cut(s, n, state, w.factor);
    case RowRule::entmax15: {
      const float m = largest(s, n);
      state = entmax_threshold(s, n, m);
      return entmax(s, n, m, state, w.factor);
    }
    case RowRule::softpick: {
      float at_zero = 1;
      const float m = softpick_shift(s, n, at_zero);
      state = softpick_terms(s, n, m, at_zero) + kSoftpickEps;
      return picked(s, n, w.factor / state);
    }
  }
}

void row_weights_backward(const RowWeights& w, float* s, float* dw, std::int64_t n, float state) {
  if (n == 0) return;
  switch (w.rule) {
    case RowRule::power:
      return power_backward(s, dw, n, w.degree, w.factor);
    case RowRule::relu:
      return relu_backward(s, dw, n, w.factor);
    case RowRule::relu2:
      return relu2_backward(s, dw, n, w.factor);
    case RowRule::sigmoid:
      return sigmoid_backward(s, dw, n, w.factor);
    case RowRule::laplace:
      return laplace_backward(s, dw, n, w.factor);
    case RowRule::exp:
      return bounded_exp_backward(s, dw, n, w.factor);
    case RowRule::softmax: {
      const float sum = exponentials(s, n, state, w.factor);
      // The sum is 1 but for the rounding of its log in f32, an error of all weights by the same
      // factor: 1 + 1e-4 near 3,000. Below the bound it is no larger than that of e^x itself.
      if (std::abs(state) > kExactLog) scale(s, n, 1.0F / sum);
      return softmax_backward(s, dw, n, w.factor);
    }
    case RowRule::sparsemax:
      return sparsemax_backward(s, dw, n, state, w.factor);
    case RowRule::entmax15:
      return entmax_backward(s, dw, n, largest(s, n), state, w.factor);
    case RowRule::softpick: {
      float at_zero = 1;
      const float m = softpick_shift(s, n, at_zero);
      return softpick_backward(s, dw, n, m, at_zero, state, w.factor);
    }
  }
}

}  // namespace lra::engine::kernels
