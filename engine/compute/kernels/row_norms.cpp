#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/compute/kernels/kernels.h"
#include "engine/compute/lanes.h"
#include "engine/compute/profile.h"
#include "engine/compute/simd.h"

namespace lra::engine::kernels {
namespace {

using Lanes = Register<8>::Lanes;
constexpr std::int64_t kRowBlock = 64;  // rows of a partial sum: rounding grows with their number

// kRows rows side by side, so that the additions of one fill the waits of another. kC numbers each,
// whose count the compiler knows unless it is 0.
struct Norm {
  const float *x, *gamma, *beta;
  float *y, *mean, *variance;
  float eps;
};

template <int kRows, std::int64_t kC>
[[gnu::always_inline]] inline void norm_rows(const Norm& a, std::int64_t r, std::int64_t width) {
  const std::int64_t C = kC > 0 ? kC : width;
  const std::int64_t whole = C - C % 8;
  const float share = 1.0F / static_cast<float>(C);
  const float* x = a.x + r * C;
  float* y = a.y + r * C;
  Lanes v;
  Lanes sums[kRows]{};
  float middle[kRows];
  float scale[kRows];
  for (std::int64_t c = 0; c < whole; c += 8) {
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
      load(x + i * C + c, v);
      sums[i] += v;
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < kRows; ++i) {
    float sum = total(sums[i]);
    for (std::int64_t c = whole; c < C; ++c) sum += x[i * C + c];
    // Divided, so that the mean of equal numbers is exactly that number: a small eps would magnify
    // an error.
    a.mean[r + i] = middle[i] = sum / static_cast<float>(C);
    sums[i] = Lanes{};
  }
  for (std::int64_t c = 0; c < whole; c += 8) {
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
      load(x + i * C + c, v);
      v -= middle[i];
      sums[i] += v * v;
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < kRows; ++i) {
    float square = total(sums[i]);
    for (std::int64_t c = whole; c < C; ++c) {
      const float d = x[i * C + c] - middle[i];
      square += d * d;
    }
    a.variance[r + i] = square * share;
    scale[i] = 1.0F / std::sqrt(square * share + a.eps);
  }
  Lanes g;
  Lanes b;
  for (std::int64_t c = 0; c < whole; c += 8) {
    load(a.gamma + c, g);
    load(a.beta + c, b);
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
      load(x + i * C + c, v);
      v = (v - middle[i]) * scale[i] * g + b;
      store(v, y + i * C + c);
    }
  }
  for (std::int64_t c = whole; c < C; ++c) {
    for (int i = 0; i < kRows; ++i) {
      y[i * C + c] = (x[i * C + c] - middle[i]) * scale[i] * a.gamma[c] + a.beta[c];
    }
  }
}

template <std::int64_t kC>
[[gnu::always_inline]] inline void norm_all(const Norm& a, std::int64_t rows, std::int64_t C) {
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4) norm_rows<4, kC>(a, r, C);
  for (; r < rows; ++r) norm_rows<1, kC>(a, r, C);
}

LRA_SIMD void norm_f32(const Norm& a, std::int64_t rows, std::int64_t C) {
  C == 64 ? norm_all<64>(a, rows, C) : norm_all<0>(a, rows, C);
}

struct NormGradient {
  const float *x, *gamma, *mean, *variance, *dy;
  float *dx, *dgamma, *dbeta;
  float eps;
};

template <int kRows, std::int64_t kC>
[[gnu::always_inline]] inline void norm_rows_back(const NormGradient& a, std::int64_t r,
                                                  std::int64_t width) {
  const std::int64_t C = kC > 0 ? kC : width;
  const std::int64_t whole = C - C % 8;
  const float share = 1.0F / static_cast<float>(C);
  const float* x = a.x + r * C;
  const float* dy = a.dy + r * C;
  float* dx = a.dx + r * C;
  float middle[kRows];
  float scale[kRows];
  float first[kRows];
  float second[kRows];
#pragma GCC unroll 4
  for (int i = 0; i < kRows; ++i) {
    middle[i] = a.mean[r + i];
    scale[i] = 1.0F / std::sqrt(a.variance[r + i] + a.eps);
  }
  Lanes v, g, d, offset, gain;
  Lanes plain[kRows]{};   // dy gamma, stored in dx meanwhile
  Lanes turned[kRows]{};  // dy gamma (x - mean) / deviation
  for (std::int64_t c = 0; c < whole; c += 8) {
    load(a.gamma + c, g);
    load(a.dbeta + c, offset);
    load(a.dgamma + c, gain);
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
      load(x + i * C + c, v);
      load(dy + i * C + c, d);
      v = (v - middle[i]) * scale[i];
      offset += d;
      gain += d * v;
      d *= g;
      store(d, dx + i * C + c);
      plain[i] += d;
      turned[i] += d * v;
    }
    store(offset, a.dbeta + c);
    store(gain, a.dgamma + c);
  }
#pragma GCC unroll 4
  for (int i = 0; i < kRows; ++i) {
    first[i] = total(plain[i]);
    second[i] = total(turned[i]);
    for (std::int64_t c = whole; c < C; ++c) {
      const float n = (x[i * C + c] - middle[i]) * scale[i];
      const float e = dy[i * C + c];
      a.dbeta[c] += e;
      a.dgamma[c] += e * n;
      dx[i * C + c] = e * a.gamma[c];
      first[i] += dx[i * C + c];
      second[i] += dx[i * C + c] * n;
    }
    first[i] *= share;
    second[i] *= share;
  }
  for (std::int64_t c = 0; c < whole; c += 8) {
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
      load(x + i * C + c, v);
      load(dx + i * C + c, d);
      v = (v - middle[i]) * scale[i];
      v = (d - first[i] - v * second[i]) * scale[i];
      store(v, dx + i * C + c);
    }
  }
  for (std::int64_t c = whole; c < C; ++c) {
    for (int i = 0; i < kRows; ++i) {
      const float n = (x[i * C + c] - middle[i]) * scale[i];
      dx[i * C + c] = (dx[i * C + c] - first[i] - n * second[i]) * scale[i];
    }
  }
}

template <std::int64_t kC>
[[gnu::always_inline]] inline void norm_back_all(const NormGradient& a, std::int64_t r,
                                                 std::int64_t end, std::int64_t C) {
  for (; r + 4 <= end; r += 4) norm_rows_back<4, kC>(a, r, C);
  for (; r < end; ++r) norm_rows_back<1, kC>(a, r, C);
}

LRA_SIMD void norm_back_f32(const NormGradient& a, std::int64_t begin, std::int64_t end,
                            std::int64_t C) {
  C == 64 ? norm_back_all<64>(a, begin, end, C) : norm_back_all<0>(a, begin, end, C);
}

LRA_SIMD void divide_rows_f32(const float* x, const float* d, float* y, std::int64_t rows,
                              std::int64_t C) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const float inverse = 1.0F / d[r];
    for (std::int64_t c = 0; c < C; ++c) y[r * C + c] = x[r * C + c] * inverse;
  }
}

LRA_SIMD void divide_rows_back_f32(const float* y, const float* d, const float* dy, float* dx,
                                   float* dd, std::int64_t rows, std::int64_t C) {
  const std::int64_t whole = C - C % 8;
  for (std::int64_t r = 0; r < rows; ++r, y += C, dy += C, dx += C) {
    const float inverse = 1.0F / d[r];
    Lanes u, v;
    Lanes products{};
    for (std::int64_t c = 0; c < whole; c += 8) {
      load(dy + c, u);
      load(y + c, v);
      products += u * v;
      u *= inverse;
      store(u, dx + c);
    }
    float sum = total(products);
    for (std::int64_t c = whole; c < C; ++c) {
      sum += dy[c] * y[c];
      dx[c] = dy[c] * inverse;
    }
    dd[r] = -sum * inverse;
  }
}

}  // namespace

void layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, float eps,
                const Tensor& y, const Tensor& mean, const Tensor& variance) {
  const profile::Scope scope("layer norm");
  const std::int64_t C = x.dim(-1);
  norm_f32({x.f32(), gamma.f32(), beta.f32(), y.f32(), mean.f32(), variance.f32(), eps},
           x.numel() / C, C);
}

void layer_norm_backward(const Tensor& x, const Tensor& gamma, const Tensor& mean,
                         const Tensor& variance, float eps, const Tensor& dy, const Tensor& dx,
                         const Tensor& dgamma, const Tensor& dbeta) {
  const profile::Scope scope("layer norm backward");
  const std::int64_t C = x.dim(-1);
  const std::int64_t rows = x.numel() / C;
  dgamma.zero();
  dbeta.zero();
  const Tensor part({2, C}, DType::f32);
  NormGradient a{x.f32(),    gamma.f32(),    mean.f32(), variance.f32(), dy.f32(), dx.f32(),
                 part.f32(), part.f32() + C, eps};
  for (std::int64_t begin = 0; begin < rows; begin += kRowBlock) {
    part.zero();
    norm_back_f32(a, begin, std::min(begin + kRowBlock, rows), C);
    add_to(part.slice(0, 1), dgamma);
    add_to(part.slice(1, 1), dbeta);
  }
}

void divide_rows(const Tensor& x, const Tensor& d, const Tensor& y) {
  const profile::Scope scope("division of rows");
  divide_rows_f32(x.f32(), d.f32(), y.f32(), d.numel(), x.dim(-1));
}

void divide_rows_backward(const Tensor& y, const Tensor& d, const Tensor& dy, const Tensor& dx,
                          const Tensor& dd) {
  const profile::Scope scope("division of rows");
  divide_rows_back_f32(y.f32(), d.f32(), dy.f32(), dx.f32(), dd.f32(), d.numel(), y.dim(-1));
}

}  // namespace lra::engine::kernels
