#include <cstring>

#include "engine/compute/kernels/internal.h"
#include "engine/compute/kernels/kernels.h"
#include "engine/compute/profile.h"
#include "engine/compute/simd.h"

namespace lra::engine::kernels {
namespace {

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

}  // namespace

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

// Rows of `bytes` bytes, whose number the compiler knows unless it is 0.
template <std::size_t bytes>
void swap_axes_of(const std::byte* x, std::byte* y, std::int64_t A, std::int64_t B,
                  std::size_t row_bytes) {
  const std::size_t row = bytes > 0 ? bytes : row_bytes;
  const auto copy = [&](std::int64_t a, std::int64_t b) {
    std::memcpy(y + static_cast<std::size_t>(b * A + a) * row,
                x + static_cast<std::size_t>(a * B + b) * row, row);
  };
  // The longer axis is outside: the shorter one is a few streams that are read or written
  // alternately.
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

// Number of leading entries of `index` that count up (or are all negative), which form one copy.
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

}  // namespace lra::engine::kernels
