#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "engine/compute/fast_math.h"
#include "engine/compute/kernels/internal.h"
#include "engine/compute/kernels/kernels.h"
#include "engine/compute/profile.h"
#include "engine/compute/simd.h"

namespace lra::engine::kernels {
namespace {

LRA_SIMD void add_f32(const float* __restrict x, float* __restrict y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += x[i];
}

LRA_SIMD void add_bf16_f32(const BFloat16* __restrict x, float* __restrict y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += to_float(x[i]);
}

LRA_SIMD void add_bf16(const BFloat16* __restrict x, BFloat16* __restrict y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = to_bfloat16(to_float(y[i]) + to_float(x[i]));
}

}  // namespace

void add_row(const float* x, float* y, std::int64_t n) { add_f32(x, y, n); }
void add_row(const BFloat16* x, float* y, std::int64_t n) { add_bf16_f32(x, y, n); }
void add_row(const BFloat16* x, BFloat16* y, std::int64_t n) { add_bf16(x, y, n); }

void add_row(const float* x, BFloat16* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = to_bfloat16(to_float(y[i]) + x[i]);
}

void add_to(const Tensor& x, const Tensor& to) {
  with_type(x, [&](auto* from) { with_type(to, [&](auto* p) { add_row(from, p, x.numel()); }); });
}

namespace {

constexpr std::int64_t kSumRows = 64;  // rows of a partial sum: rounding grows with their number

// sum += the rows of x [rows, C], four at a time.
template <class T>
inline void add_rows(const T* x, float* sum, std::int64_t rows, std::int64_t C) {
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    const T* a = x + r * C;
    for (std::int64_t c = 0; c < C; ++c) {
      sum[c] +=
          (to_float(a[c]) + to_float(a[C + c])) + (to_float(a[2 * C + c]) + to_float(a[3 * C + c]));
    }
  }
  for (; r < rows; ++r) {
    for (std::int64_t c = 0; c < C; ++c) sum[c] += to_float(x[r * C + c]);
  }
}

LRA_SIMD void add_rows_f32(const float* __restrict x, float* __restrict sum, std::int64_t rows,
                           std::int64_t C) {
  add_rows(x, sum, rows, C);
}

LRA_SIMD void add_rows_bf16(const BFloat16* __restrict x, float* __restrict sum, std::int64_t rows,
                            std::int64_t C) {
  add_rows(x, sum, rows, C);
}

}  // namespace

void column_sums(const Tensor& x, bool accumulate, float* sum) {
  const profile::Scope scope("column sums");
  const std::int64_t C = x.dim(-1);
  const std::int64_t R = C > 0 ? x.numel() / C : 0;
  std::vector<float> part(static_cast<std::size_t>(C));
  if (!accumulate) std::fill_n(sum, C, 0.0F);
  for (std::int64_t r = 0; r < R; r += kSumRows) {
    std::fill(part.begin(), part.end(), 0.0F);
    const std::int64_t rows = std::min(kSumRows, R - r);
    if (x.dtype() == DType::bf16) {
      add_rows_bf16(x.bf16() + r * C, part.data(), rows, C);
    } else {
      add_rows_f32(x.f32() + r * C, part.data(), rows, C);
    }
    add_f32(part.data(), sum, C);
  }
}

namespace {

template <class F>
void map(const Tensor& x, const Tensor& y, F f) {
  with_type(x, [&](auto* in) {
    auto* out = reinterpret_cast<decltype(in)>(y.raw());
    for (std::int64_t i = 0; i < x.numel(); ++i) store(out + i, f(to_float(in[i])));
  });
}

}  // namespace

void sine(const Tensor& x, const Tensor& y) {
  const profile::Scope scope("sine, cosine");
  map(x, y, [](float v) { return std::sin(v); });
}

void cosine(const Tensor& x, const Tensor& y) {
  const profile::Scope scope("sine, cosine");
  map(x, y, [](float v) { return std::cos(v); });
}

namespace {

LRA_SIMD void difference(float* __restrict w, const float* __restrict d,
                         const float* __restrict mean, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) w[i] *= d[i] - mean[i];
}

LRA_SIMD void difference_bf16(BFloat16* __restrict w, const float* __restrict d,
                              const float* __restrict mean, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) w[i] = to_bfloat16(to_float(w[i]) * (d[i] - mean[i]));
}

}  // namespace

void weight_difference(const Tensor& w, const Tensor& d, const Tensor& mean) {
  const profile::Scope scope("softmax rows");
  const std::int64_t t = w.dim(2);
  for (std::int64_t r = 0; r < w.dim(0) * w.dim(1); ++r) {
    const float* from = mean.f32() + r / w.dim(1) * t;
    if (w.dtype() == DType::bf16) {
      difference_bf16(w.bf16() + r * t, d.f32() + r * t, from, t);
    } else {
      difference(w.f32() + r * t, d.f32() + r * t, from, t);
    }
  }
}

namespace {

// The largest sum of squares of the rows of x [rows, C].
template <class T>
inline double largest_square(const T* x, std::int64_t rows, std::int64_t C) {
  float largest = 0;
  for (std::int64_t i = 0; i < rows; ++i, x += C) {
    std::array<float, 16> sums{};
    std::int64_t c = 0;
    for (; c + 16 <= C; c += 16) {
      for (std::size_t j = 0; j < 16; ++j) {
        const float v = to_float(x[c + static_cast<std::int64_t>(j)]);
        sums[j] += v * v;
      }
    }
    for (; c < C; ++c) sums[0] += to_float(x[c]) * to_float(x[c]);
    float sum = 0;
    for (const float s : sums) sum += s;
    largest = sum > largest || std::isnan(sum) ? sum : largest;
  }
  return largest;
}

LRA_SIMD double largest_square_f32(const float* x, std::int64_t rows, std::int64_t C) {
  return largest_square(x, rows, C);
}

LRA_SIMD double largest_square_bf16(const BFloat16* x, std::int64_t rows, std::int64_t C) {
  return largest_square(x, rows, C);
}

}  // namespace

double largest_row_norm(const Tensor& x) {
  const profile::Scope scope("norm");
  const std::int64_t rows = x.numel() / x.dim(-1);
  return std::sqrt(x.dtype() == DType::bf16 ? largest_square_bf16(x.bf16(), rows, x.dim(-1))
                                            : largest_square_f32(x.f32(), rows, x.dim(-1)));
}

void cumulative_sum(const Tensor& x, std::int64_t outer, std::int64_t n, std::int64_t inner,
                    bool reverse, const Tensor& y) {
  const profile::Scope scope("cumulative sum");
  std::vector<float> sum(static_cast<std::size_t>(inner));
  with_type(x, [&](auto* in) {
    auto* out = reinterpret_cast<decltype(in)>(y.raw());
    for (std::int64_t o = 0; o < outer; ++o) {
      std::fill(sum.begin(), sum.end(), 0.0F);
      for (std::int64_t step = 0; step < n; ++step) {
        const std::int64_t at = (o * n + (reverse ? n - 1 - step : step)) * inner;
        for (std::int64_t c = 0; c < inner; ++c) {
          sum[static_cast<std::size_t>(c)] += to_float(in[at + c]);
          store(out + at + c, sum[static_cast<std::size_t>(c)]);
        }
      }
    }
  });
}

namespace {

LRA_SIMD void keep_larger(const float* __restrict x, float* __restrict y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] > y[i] ? x[i] : y[i];
}

LRA_SIMD void softmax_row_backward(const float* y, const float* dy, float* dx, std::int64_t n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t j = 0; j < n; ++j) sum += y[j] * dy[j];
  for (std::int64_t j = 0; j < n; ++j) dx[j] = y[j] * (dy[j] - sum);
}

LRA_SIMD void log_softmax_row_backward(const float* y, const float* dy, float* dx, std::int64_t n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t j = 0; j < n; ++j) sum += dy[j];
  for (std::int64_t j = 0; j < n; ++j) dx[j] = dy[j] - fast::exp(y[j]) * sum;
}

}  // namespace

void softmax_backward(bool log, const Tensor& y, const Tensor& dy, const Tensor& dx) {
  const profile::Scope scope("softmax backward");
  const std::int64_t n = y.dim(-1);
  const std::int64_t rows = y.numel() / std::max<std::int64_t>(n, 1);
  const auto row = log ? log_softmax_row_backward : softmax_row_backward;
  for (std::int64_t r = 0; r < rows; ++r) {
    row(y.f32() + r * n, dy.f32() + r * n, dx.f32() + r * n, n);
  }
}

void column_maxima(const Tensor& x, const Tensor& y) {
  const profile::Scope scope("maximum");
  const std::int64_t C = x.dim(1);
  std::copy_n(x.f32(), C, y.f32());
  for (std::int64_t i = 1; i < x.dim(0); ++i) keep_larger(x.f32() + i * C, y.f32(), C);
}

namespace {

LRA_SIMD double squares(const float* x, std::int64_t n) {
  std::array<double, 16> sums{};
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    for (std::int64_t j = 0; j < 16; ++j) {
      const double v = x[i + j];
      sums[static_cast<std::size_t>(j)] += v * v;
    }
  }
  for (; i < n; ++i) sums[0] += static_cast<double>(x[i]) * x[i];
  double total = 0;
  for (const double s : sums) total += s;
  return total;
}

}  // namespace

double sum_of_squares(const Tensor& x) {
  if (x.dtype() == DType::f32) return squares(x.f32(), x.numel());
  double total = 0;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const double v = to_float(x.bf16()[i]);
    total += v * v;
  }
  return total;
}

bool has_nonfinite(const Tensor& x) {
  bool found = false;
  with_type(x, [&](auto* p) {
    for (std::int64_t i = 0; i < x.numel() && !found; ++i) found = !std::isfinite(to_float(p[i]));
  });
  return found;
}

}  // namespace lra::engine::kernels
