#include "engine/compute/kernels/kernels.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <vector>

#include "engine/compute/fast_math.h"
#include "engine/compute/profile.h"
#include "engine/compute/simd.h"

namespace lra::engine::kernels {
namespace {

void store(float* p, float x) { *p = x; }
void store(BFloat16* p, float x) { *p = to_bfloat16(x); }

// Calls f with typed pointers for the tensors' element types (f32 or bf16).
template <class F>
void with_type(const Tensor& x, F f) {
  if (x.dtype() == DType::bf16) {
    f(x.bf16());
  } else {
    f(x.f32());
  }
}

LRA_SIMD void add_f32(const float* __restrict x, float* __restrict y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += x[i];
}
LRA_SIMD void add_bf16_f32(const BFloat16* __restrict x, float* __restrict y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += to_float(x[i]);
}
LRA_SIMD void add_bf16(const BFloat16* __restrict x, BFloat16* __restrict y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = to_bfloat16(to_float(y[i]) + to_float(x[i]));
}
LRA_SIMD void sum_to_f32(const float* __restrict a, const float* __restrict b, float* __restrict y,
                         std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = a[i] + b[i];
}
LRA_SIMD void sum_to_bf16(const float* __restrict a, const float* __restrict b,
                          BFloat16* __restrict y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = to_bfloat16(a[i] + b[i]);
}
LRA_SIMD void to_bf16(const float* __restrict a, BFloat16* __restrict y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = to_bfloat16(a[i]);
}

void add_row(const float* x, float* y, std::int64_t n) { add_f32(x, y, n); }
void add_row(const BFloat16* x, float* y, std::int64_t n) { add_bf16_f32(x, y, n); }
void add_row(const BFloat16* x, BFloat16* y, std::int64_t n) { add_bf16(x, y, n); }
void add_row(const float* x, BFloat16* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = to_bfloat16(to_float(y[i]) + x[i]);
}

// The draws of dropout: 32 generators xoshiro128++ side by side (Blackman and Vigna 2021,
// arXiv 1805.01407), whose states are the Philox blocks that a key and a counter give. A block of
// elements has states of its own, so that it depends on nothing before it.
constexpr std::size_t kDropoutLanes = 32;
constexpr std::int64_t kDropoutBlock = 8192;  // elements of one state
constexpr std::int64_t kDropoutDraws = 512;   // 16-bit draws made at once

using DropoutState = std::array<std::array<std::uint32_t, kDropoutLanes>, 4>;

DropoutState dropout_state(std::uint64_t key, std::uint64_t block) {
  DropoutState s;
  for (std::size_t i = 0; i < kDropoutLanes; ++i) {
    const std::uint64_t counter = block * kDropoutLanes + i;
    const auto words = philox(
        {static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32U), 0, 0},
        key);
    for (std::size_t w = 0; w < 4; ++w) s[w][i] = words[w];
  }
  return s;
}

LRA_SIMD void draw_16(DropoutState& state, std::uint16_t* out) {
  DropoutState s = state;
  for (std::int64_t j = 0; j < kDropoutDraws; j += 2 * kDropoutLanes) {
    for (std::size_t i = 0; i < kDropoutLanes; ++i) {
      const std::uint32_t r = std::rotl(s[0][i] + s[3][i], 7) + s[0][i];
      const std::uint32_t t = s[1][i] << 9U;
      s[2][i] ^= s[0][i];
      s[3][i] ^= s[1][i];
      s[1][i] ^= s[2][i];
      s[0][i] ^= s[3][i];
      s[2][i] ^= t;
      s[3][i] = std::rotl(s[3][i], 11);
      out[j + static_cast<std::int64_t>(i)] = static_cast<std::uint16_t>(r);
      out[j + static_cast<std::int64_t>(kDropoutLanes + i)] = static_cast<std::uint16_t>(r >> 16U);
    }
  }
  state = s;
}

LRA_SIMD void keep_f32(const float* x, float* y, const std::uint16_t* draw, std::uint16_t limit,
                       float scale, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = draw[i] >= limit ? x[i] * scale : 0.0F;
}
LRA_SIMD void keep_bf16(const BFloat16* x, BFloat16* y, const std::uint16_t* draw,
                        std::uint16_t limit, float scale, std::int64_t n) {
  // Two loops, of 32-bit and of 16-bit elements. A NaN needs no care in the rounding: the low half
  // of a product with a bf16 NaN is 0, so that no carry leaves it.
  std::array<std::uint16_t, kDropoutDraws> scaled;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(to_float(x[i]) * scale);
    scaled[static_cast<std::size_t>(i)] =
        static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U);
  }
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint16_t bits = scaled[static_cast<std::size_t>(i)];
    y[i].bits = draw[i] >= limit ? bits : std::uint16_t{0};
  }
}

// kept = x mask, mask = 1 or 0 (may be null).
LRA_SIMD void mask_f32(const float* x, float* kept, float* mask, const std::uint16_t* draw,
                       std::uint16_t limit, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) kept[i] = draw[i] >= limit ? x[i] : 0.0F;
  if (mask == nullptr) return;
  for (std::int64_t i = 0; i < n; ++i) mask[i] = draw[i] >= limit ? 1.0F : 0.0F;
}
LRA_SIMD void mask_bf16(const BFloat16* x, BFloat16* kept, BFloat16* mask,
                        const std::uint16_t* draw, std::uint16_t limit, std::int64_t n) {
  constexpr std::uint16_t kOne = 0x3F80;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint16_t bits = x[i].bits;
    kept[i].bits = draw[i] >= limit ? bits : std::uint16_t{0};
  }
  if (mask == nullptr) return;
  for (std::int64_t i = 0; i < n; ++i) mask[i].bits = draw[i] >= limit ? kOne : std::uint16_t{0};
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

void add_to(const Tensor& x, const Tensor& to) {
  with_type(x, [&](auto* from) { with_type(to, [&](auto* p) { add_row(from, p, x.numel()); }); });
}

void zero_rows(const Tensor& x, std::int64_t n) {
  const std::int64_t rows = x.dim(-2);
  if (n >= rows || x.numel() == 0) return;
  const std::size_t row_bytes = static_cast<std::size_t>(x.dim(-1)) * size_of(x.dtype());
  const std::int64_t groups = x.numel() / (rows * x.dim(-1));
  for (std::int64_t g = 0; g < groups; ++g) {
    std::memset(x.raw() + static_cast<std::size_t>(g * rows + n) * row_bytes, 0,
                static_cast<std::size_t>(rows - n) * row_bytes);
  }
}

void embed(const Tensor& table, const Tensor& positions, std::span<const std::int32_t> ids,
           const Tensor& y) {
  const profile::Scope scope("embedding");
  const std::int64_t E = table.dim(1);
  const auto n = static_cast<std::int64_t>(ids.size());
  for (std::int64_t i = 0; i < n; ++i) {
    const float* row = table.f32() + ids[static_cast<std::size_t>(i)] * E;
    const float* position = positions.defined() ? positions.f32() + i * E : nullptr;
    if (y.dtype() == DType::bf16) {
      BFloat16* out = y.bf16() + i * E;
      position != nullptr ? sum_to_bf16(row, position, out, E) : to_bf16(row, out, E);
    } else {
      float* out = y.f32() + i * E;
      if (position != nullptr) {
        sum_to_f32(row, position, out, E);
      } else {
        std::memcpy(out, row, static_cast<std::size_t>(E) * sizeof(float));
      }
    }
  }
  zero_rows(y, n);
}

void embed_backward(const Tensor& dy, std::span<const std::int32_t> ids, const Tensor& dtable,
                    const Tensor& dpositions) {
  const profile::Scope scope("embedding backward");
  const std::int64_t E = dy.dim(-1);
  with_type(dy, [&](auto* row) {
    if (dpositions.defined()) {
      add_row(row, dpositions.f32(), static_cast<std::int64_t>(ids.size()) * E);
    }
    if (!dtable.defined()) return;
    for (const std::int32_t id : ids) {
      add_row(row, dtable.f32() + id * E, E);
      row += E;
    }
  });
}

namespace {

// Draws below it are dropped: p 2^16, at most 2^16 - 1, so that something is kept.
std::uint16_t dropout_limit(double p) {
  return static_cast<std::uint16_t>(std::min(std::lround(p * 65536.0), 65535L));
}

// Calls f(begin, count, draws) for pieces of n elements.
template <class F>
void for_draws(std::int64_t n, RandomKey key, F f) {
  std::array<std::uint16_t, kDropoutDraws> draw;
  DropoutState state;
  for (std::int64_t begin = 0; begin < n; begin += kDropoutDraws) {
    if (begin % kDropoutBlock == 0) {
      state = dropout_state(key.value(), static_cast<std::uint64_t>(begin / kDropoutBlock));
    }
    draw_16(state, draw.data());
    f(begin, std::min(kDropoutDraws, n - begin), draw.data());
  }
}

}  // namespace

double dropout_share(double p) { return 1.0 - dropout_limit(p) / 65536.0; }

void dropout(const Tensor& x, const Tensor& y, double p, RandomKey key) {
  const profile::Scope scope("dropout");
  const std::uint16_t limit = dropout_limit(p);
  const auto scale = static_cast<float>(1.0 / dropout_share(p));
  for_draws(x.numel(), key, [&](std::int64_t begin, std::int64_t count, const std::uint16_t* draw) {
    if (x.dtype() == DType::bf16) {
      keep_bf16(x.bf16() + begin, y.bf16() + begin, draw, limit, scale, count);
    } else {
      keep_f32(x.f32() + begin, y.f32() + begin, draw, limit, scale, count);
    }
  });
}

void dropout_mask(const Tensor& x, const Tensor& kept, const Tensor& mask, double p,
                  RandomKey key) {
  const profile::Scope scope("dropout");
  const std::uint16_t limit = dropout_limit(p);
  for_draws(x.numel(), key, [&](std::int64_t begin, std::int64_t count, const std::uint16_t* draw) {
    if (x.dtype() == DType::bf16) {
      mask_bf16(x.bf16() + begin, kept.bf16() + begin,
                mask.defined() ? mask.bf16() + begin : nullptr, draw, limit, count);
    } else {
      mask_f32(x.f32() + begin, kept.f32() + begin, mask.defined() ? mask.f32() + begin : nullptr,
               draw, limit, count);
    }
  });
}

namespace {

// Rows of `bytes` bytes, whose number the compiler knows unless it is 0.
template <std::size_t bytes>
void swap_axes_of(const std::byte* x, std::byte* y, std::int64_t A, std::int64_t B,
                  std::size_t row_bytes) {
  const std::size_t row = bytes > 0 ? bytes : row_bytes;
  const auto copy = [&](std::int64_t a, std::int64_t b) {
    std::memcpy(y + static_cast<std::size_t>(b * A + a) * row,
                x + static_cast<std::size_t>(a * B + b) * row, row);
  };
  // The longer axis outside: the shorter one is a few streams that are read or written in turns.
  if (A >= B) {
    for (std::int64_t a = 0; a < A; ++a) {
      for (std::int64_t b = 0; b < B; ++b) copy(a, b);
    }
  } else {
    for (std::int64_t b = 0; b < B; ++b) {
      for (std::int64_t a = 0; a < A; ++a) copy(a, b);
    }
  }
}

}  // namespace

void swap_axes(const Tensor& x, const Tensor& y) {
  const profile::Scope scope("row permutation");
  const std::size_t row = static_cast<std::size_t>(x.dim(2)) * size_of(x.dtype());
  const auto swap = row == 16    ? swap_axes_of<16>
                    : row == 32  ? swap_axes_of<32>
                    : row == 64  ? swap_axes_of<64>
                    : row == 128 ? swap_axes_of<128>
                                 : swap_axes_of<0>;
  swap(x.raw(), y.raw(), x.dim(0), x.dim(1), row);
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

// Rows of `kD` numbers, whose count the compiler knows unless it is 0.
template <std::int64_t kD, class T>
[[gnu::always_inline]] inline void twice_of(const T* __restrict x, const float* a, const float* b,
                                            T* __restrict y, std::int64_t N, std::int64_t width) {
  const std::int64_t D = kD > 0 ? kD : width;
  for (std::int64_t i = 0; i < N; ++i, x += D, y += 2 * D) {
    for (std::int64_t c = 0; c < D; ++c) store(y + c, a[i] * to_float(x[c]));
    for (std::int64_t c = 0; c < D; ++c) store(y + D + c, b[i] * to_float(x[c]));
  }
}
template <std::int64_t kD, class T>
[[gnu::always_inline]] inline void fold_of(const T* __restrict dy, const float* a, const float* b,
                                           T* __restrict dx, std::int64_t N, std::int64_t width) {
  const std::int64_t D = kD > 0 ? kD : width;
  for (std::int64_t i = 0; i < N; ++i, dy += 2 * D, dx += D) {
    for (std::int64_t c = 0; c < D; ++c) {
      store(dx + c, a[i] * to_float(dy[c]) + b[i] * to_float(dy[D + c]));
    }
  }
}
LRA_SIMD void twice_f32(const float* x, const float* a, const float* b, float* y, std::int64_t N,
                        std::int64_t D) {
  D == 32 ? twice_of<32>(x, a, b, y, N, D) : twice_of<0>(x, a, b, y, N, D);
}
LRA_SIMD void twice_bf16(const BFloat16* x, const float* a, const float* b, BFloat16* y,
                         std::int64_t N, std::int64_t D) {
  D == 32 ? twice_of<32>(x, a, b, y, N, D) : twice_of<0>(x, a, b, y, N, D);
}
LRA_SIMD void fold_f32(const float* dy, const float* a, const float* b, float* dx, std::int64_t N,
                       std::int64_t D) {
  D == 32 ? fold_of<32>(dy, a, b, dx, N, D) : fold_of<0>(dy, a, b, dx, N, D);
}
LRA_SIMD void fold_bf16(const BFloat16* dy, const float* a, const float* b, BFloat16* dx,
                        std::int64_t N, std::int64_t D) {
  D == 32 ? fold_of<32>(dy, a, b, dx, N, D) : fold_of<0>(dy, a, b, dx, N, D);
}

}  // namespace

void scale_rows_twice(const Tensor& x, const Tensor& a, const Tensor& b, const Tensor& y) {
  const profile::Scope scope("row scaling");
  const std::int64_t N = x.dim(1);
  const std::int64_t D = x.dim(2);
  for (std::int64_t g = 0; g < x.dim(0); ++g) {
    const std::int64_t at = g * N * D;
    if (x.dtype() == DType::bf16) {
      twice_bf16(x.bf16() + at, a.f32(), b.f32(), y.bf16() + 2 * at, N, D);
    } else {
      twice_f32(x.f32() + at, a.f32(), b.f32(), y.f32() + 2 * at, N, D);
    }
  }
}

void scale_rows_twice_backward(const Tensor& dy, const Tensor& a, const Tensor& b,
                               const Tensor& dx) {
  const profile::Scope scope("row scaling");
  const std::int64_t N = dx.dim(1);
  const std::int64_t D = dx.dim(2);
  for (std::int64_t g = 0; g < dx.dim(0); ++g) {
    const std::int64_t at = g * N * D;
    if (dx.dtype() == DType::bf16) {
      fold_bf16(dy.bf16() + 2 * at, a.f32(), b.f32(), dx.bf16() + at, N, D);
    } else {
      fold_f32(dy.f32() + 2 * at, a.f32(), b.f32(), dx.f32() + at, N, D);
    }
  }
}

namespace {

// How many of the first entries of `index` count up (or are all negative): they are one copy.
std::size_t run_length(std::span<const std::int32_t> index) {
  std::size_t n = 1;
  if (index[0] < 0) {
    while (n < index.size() && index[n] < 0) ++n;
  } else {
    while (n < index.size() && index[n] == index[n - 1] + 1) ++n;
  }
  return n;
}
}  // namespace

void gather_rows(const Tensor& x, std::span<const std::int32_t> index, const Tensor& y) {
  const profile::Scope scope("gather");
  const std::size_t row = static_cast<std::size_t>(x.dim(-1)) * size_of(x.dtype());
  for (std::size_t i = 0; i < index.size();) {
    const std::size_t n = run_length(index.subspan(i));
    if (index[i] < 0) {
      std::memset(y.raw() + i * row, 0, n * row);
    } else {
      std::memcpy(y.raw() + i * row, x.raw() + static_cast<std::size_t>(index[i]) * row, n * row);
    }
    i += n;
  }
}

void store_rows(const Tensor& x, std::span<const std::int32_t> index, const Tensor& y) {
  const profile::Scope scope("scatter");
  const std::size_t row = static_cast<std::size_t>(x.dim(-1)) * size_of(x.dtype());
  for (std::size_t i = 0; i < index.size();) {
    const std::size_t n = run_length(index.subspan(i));
    if (index[i] >= 0) {
      std::memcpy(y.raw() + static_cast<std::size_t>(index[i]) * row, x.raw() + i * row, n * row);
    }
    i += n;
  }
}

void scatter_add_rows(const Tensor& x, std::span<const std::int32_t> index, const Tensor& y) {
  const profile::Scope scope("scatter");
  const std::int64_t C = x.dim(-1);
  with_type(x, [&](auto* from) {
    with_type(y, [&](auto* to) {
      for (std::size_t i = 0; i < index.size();) {
        const std::size_t n = run_length(index.subspan(i));
        if (index[i] >= 0) {
          add_row(from + static_cast<std::int64_t>(i) * C, to + index[i] * C,
                  static_cast<std::int64_t>(n) * C);
        }
        i += n;
      }
    });
  });
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

constexpr std::int64_t kConvolutionTile = 64;  // tokens whose sums stay in the cache for all taps

LRA_SIMD void add_scaled(float w, const float* __restrict x, float* __restrict y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += w * x[i];
}

LRA_SIMD float inner_product(const float* a, const float* b, std::int64_t n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// Calls f(tap, first, end, shift) for tiles of tokens [first, end), whose neighbours at distance
// `shift` exist.
template <class F>
void for_taps(std::int64_t N, std::int64_t K, F f) {
  for (std::int64_t begin = 0; begin < N; begin += kConvolutionTile) {
    for (std::int64_t t = 0; t < K; ++t) {
      const std::int64_t shift = t - K / 2;
      const std::int64_t first = std::max(begin, -shift);
      const std::int64_t end = std::min({begin + kConvolutionTile, N, N - shift});
      if (first < end) f(t, first, end, shift);
    }
  }
}

}  // namespace

void convolve_tokens(const Tensor& x, const Tensor& w, bool reverse, const Tensor& y) {
  const profile::Scope scope("convolution");
  const std::int64_t N = x.dim(1);
  const std::int64_t C = x.dim(2);
  const std::int64_t K = w.dim(1);
  y.zero();
  for (std::int64_t h = 0; h < x.dim(0); ++h) {
    const float* from = x.f32() + h * N * C;
    float* to = y.f32() + h * N * C;
    for_taps(N, K, [&](std::int64_t t, std::int64_t first, std::int64_t end, std::int64_t shift) {
      const float weight = w.f32()[h * K + t];
      const std::int64_t n = (end - first) * C;
      if (reverse) {
        add_scaled(weight, from + first * C, to + (first + shift) * C, n);
      } else {
        add_scaled(weight, from + (first + shift) * C, to + first * C, n);
      }
    });
  }
}

void correlate_tokens(const Tensor& dy, const Tensor& x, const Tensor& dw) {
  const profile::Scope scope("convolution");
  const std::int64_t N = x.dim(1);
  const std::int64_t C = x.dim(2);
  const std::int64_t K = dw.dim(1);
  dw.zero();
  for (std::int64_t h = 0; h < x.dim(0); ++h) {
    const float* left = dy.f32() + h * N * C;
    const float* right = x.f32() + h * N * C;
    for_taps(N, K, [&](std::int64_t t, std::int64_t first, std::int64_t end, std::int64_t shift) {
      dw.f32()[h * K + t] +=
          inner_product(left + first * C, right + (first + shift) * C, (end - first) * C);
    });
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
