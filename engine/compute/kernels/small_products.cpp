#include "engine/compute/kernels/small_products.h"

#include <algorithm>

#include "engine/compute/lanes.h"
#include "engine/compute/simd.h"

namespace lra::engine::kernels {
namespace {

// Four rows of c, R registers of columns.
template <int W, int R>
[[gnu::always_inline]] inline void product_tile(const SmallProduct& x, std::int64_t i,
                                                std::int64_t j, std::int64_t begin,
                                                std::int64_t end) {
  using Lanes = typename Register<W>::Lanes;
  const float* a = x.a + i * x.row + begin * x.column;
  const float* b = x.b + begin * x.n + j;
  float* c = x.c + i * x.n + j;
  Lanes sum[4][R]{};
  if (x.add) {
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
#pragma GCC unroll 2
      for (int s = 0; s < R; ++s) load(c + r * x.n + s * W, sum[r][s]);
    }
  }
  for (std::int64_t k = begin; k < end; ++k, a += x.column, b += x.n) {
    Lanes right[R];
#pragma GCC unroll 2
    for (int s = 0; s < R; ++s) load(b + s * W, right[s]);
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      const float left = a[r * x.row];
#pragma GCC unroll 2
      for (int s = 0; s < R; ++s) sum[r][s] += left * right[s];
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
#pragma GCC unroll 2
    for (int s = 0; s < R; ++s) store(sum[r][s], c + r * x.n + s * W);
  }
}

template <int W>
[[gnu::always_inline]] inline void product_tiles(const SmallProduct& x) {
  for (std::int64_t i = 0; i < x.m; i += 4) {
    const std::int64_t begin = x.part == Part::upper ? std::min(i, x.K) : 0;
    const std::int64_t end = x.part == Part::lower ? std::min(i + 4, x.K) : x.K;
    std::int64_t j = 0;
    for (; j + 2 * W <= x.n; j += 2 * W) product_tile<W, 2>(x, i, j, begin, end);
    for (; j < x.n; j += W) product_tile<W, 1>(x, i, j, begin, end);
  }
}

LRA_SIMD void product(const SmallProduct& x, bool wide) {
  wide ? product_tiles<16>(x) : product_tiles<8>(x);
}

// An 8 x 8 block in three rounds of exchanges: neighbours, pairs, halves.
[[gnu::always_inline]] inline void transpose_block(const float* x, std::int64_t ldx, float* t,
                                                   std::int64_t ldt) {
  using Lanes = Register<8>::Lanes;
  Lanes a[8];
  Lanes b[8];
#pragma GCC unroll 8
  for (int r = 0; r < 8; ++r) load(x + r * ldx, a[r]);
#pragma GCC unroll 4
  for (int r = 0; r < 8; r += 2) {
    b[r] = __builtin_shufflevector(a[r], a[r + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    b[r + 1] = __builtin_shufflevector(a[r], a[r + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
#pragma GCC unroll 2
  for (int r = 0; r < 8; r += 4) {
    a[r] = __builtin_shufflevector(b[r], b[r + 2], 0, 1, 8, 9, 4, 5, 12, 13);
    a[r + 1] = __builtin_shufflevector(b[r], b[r + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    a[r + 2] = __builtin_shufflevector(b[r + 1], b[r + 3], 0, 1, 8, 9, 4, 5, 12, 13);
    a[r + 3] = __builtin_shufflevector(b[r + 1], b[r + 3], 2, 3, 10, 11, 6, 7, 14, 15);
  }
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    b[r] = __builtin_shufflevector(a[r], a[r + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    b[r + 4] = __builtin_shufflevector(a[r], a[r + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
#pragma GCC unroll 8
  for (int r = 0; r < 8; ++r) store(b[r], t + r * ldt);
}

}  // namespace

void small_product(const SmallProduct& x) { product(x, wide_registers()); }

LRA_SIMD void small_transpose(const float* x, std::int64_t R, std::int64_t C, float* t) {
  for (std::int64_t r = 0; r < R; r += 8) {
    for (std::int64_t c = 0; c < C; c += 8) transpose_block(x + r * C + c, C, t + c * R + r, R);
  }
}

}  // namespace lra::engine::kernels
