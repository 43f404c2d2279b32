#include "engine/fused/scan/delta_kernels.h"

#include <algorithm>

#include "engine/compute/fast_math.h"
#include "engine/compute/lanes.h"
#include "engine/compute/simd.h"

namespace lra::engine::delta {
namespace {

using Lanes = Register<8>::Lanes;

// For rows i in [first, first + 8) the products read_i . e^{G_i - G_j} key_j (j < i) and q_i .
// e^{G_i - G_j} key_j (j <= i). `running` [P, 16] holds key_j in its columns and becomes e^{G_i -
// G_j} key_j row by row: eight columns at a time, of which those from i on do not decay yet.
template <bool kSecondHalf>
[[gnu::always_inline]] inline void pair_rows(const float* decay, const float* read, const float* q,
                                             std::int64_t D, std::int64_t P, float* running,
                                             float* A, float* Q) {
  using Bits __attribute__((vector_size(sizeof(Lanes)))) = std::int32_t;
  constexpr Bits kLane{0, 1, 2, 3, 4, 5, 6, 7};
  constexpr std::int64_t kFirst = kSecondHalf ? 8 : 0;
  for (std::int64_t i = kFirst; i < kFirst + 8; ++i) {
    const Bits earlier = kLane < static_cast<std::int32_t>(i - kFirst);
    const Lanes ones = Lanes{} + 1.0F;
    const Lanes later = (Lanes)(~earlier & (Bits)ones);
    Lanes a{};
    Lanes o{};
    Lanes a_before{};
    Lanes o_before{};
    for (std::int64_t d = 0; d < D; ++d) {
      const float f = decay[i * P + d];
      const float r = read[i * P + d];
      const float s = q[i * P + d];
      const Lanes all = Lanes{} + f;
      float* at = running + d * kRows;
      Lanes x;
      if (kSecondHalf) {
        load(at, x);
        x *= all;
        store(x, at);
        a_before += r * x;
        o_before += s * x;
      }
      load(at + kFirst, x);
      x *= (Lanes)((Bits)all & earlier) + later;
      store(x, at + kFirst);
      a += r * x;
      o += s * x;
    }
    const Bits up_to = earlier | (kLane == static_cast<std::int32_t>(i - kFirst));
    store((Lanes)((Bits)a & earlier), A + i * kRows + kFirst);
    store((Lanes)((Bits)o & up_to), Q + i * kRows + kFirst);
    store(a_before, A + i * kRows + 8 - kFirst);
    store(o_before, Q + i * kRows + 8 - kFirst);
  }
}

// rest_i -= sum_(j<i) A(i, j) u_j, u_i = beta_i rest_i, row after row.
template <int R>
[[gnu::always_inline]] inline void substitute_columns(const float* A, const float* beta,
                                                      float* rest, float* u, std::int64_t Pv) {
  for (std::int64_t i = 0; i < kRows; ++i) {
    Lanes sum[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) load(rest + i * Pv + 8 * r, sum[r]);
    for (std::int64_t j = 0; j < i; ++j) {
      const float a = A[i * kRows + j];
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        Lanes x;
        load(u + j * Pv + 8 * r, x);
        sum[r] -= a * x;
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      store(sum[r], rest + i * Pv + 8 * r);
      sum[r] *= beta[i];
      store(sum[r], u + i * Pv + 8 * r);
    }
  }
}

// The transpose: du_i += sum_(j>i) A(j, i) z_j, z_i = -beta_i du_i, from the last row on.
template <int R>
[[gnu::always_inline]] inline void substitute_columns_back(const float* A, const float* beta,
                                                           float* du, float* z, std::int64_t Pv) {
  for (std::int64_t i = kRows - 1; i >= 0; --i) {
    Lanes sum[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) load(du + i * Pv + 8 * r, sum[r]);
    for (std::int64_t j = kRows - 1; j > i; --j) {
      const float a = A[j * kRows + i];
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        Lanes x;
        load(z + j * Pv + 8 * r, x);
        sum[r] += a * x;
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      store(sum[r], du + i * Pv + 8 * r);
      sum[r] *= -beta[i];
      store(sum[r], z + i * Pv + 8 * r);
    }
  }
}

// pair_slopes() for R registers of features.
template <int R>
[[gnu::always_inline]] inline void pair_slope_columns(const PairSlopes& x, std::int64_t first) {
  for (std::int64_t i = 0; i < kRows; ++i) {
    Lanes q[R]{};
    Lanes read[R]{};
    for (std::int64_t j = 0; j <= i; ++j) {
      const float o = x.dQ[i * kRows + j];
      const float a = x.dA[i * kRows + j];
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        Lanes decay;
        Lanes key;
        load(x.decay + j * x.P + first + 8 * r, decay);
        load(x.key + j * x.P + first + 8 * r, key);
        q[r] = q[r] * decay + o * key;
        read[r] = read[r] * decay + a * key;
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const std::int64_t at = i * x.P + first + 8 * r;
      Lanes sum;
      load(x.dq + at, sum);
      store(sum + q[r], x.dq + at);
      load(x.dread + at, sum);
      store(sum + read[r], x.dread + at);
    }
  }
  for (std::int64_t j = 0; j < kRows; ++j) {
    Lanes key[R]{};
    for (std::int64_t i = kRows - 1; i >= j; --i) {
      const float o = x.dQ[i * kRows + j];
      const float a = x.dA[i * kRows + j];
      // At the last row nothing has been summed yet, so its successor does not matter.
      const float* decays = x.decay + std::min(i + 1, kRows - 1) * x.P + first;
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        const std::int64_t at = i * x.P + first + 8 * r;
        Lanes decay;
        Lanes q;
        Lanes read;
        load(decays + 8 * r, decay);
        load(x.q + at, q);
        load(x.read + at, read);
        const Lanes own = o * q + a * read;
        key[r] = key[r] * decay + own;
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const std::int64_t at = j * x.P + first + 8 * r;
      Lanes sum;
      load(x.dkey + at, sum);
      store(sum + key[r], x.dkey + at);
    }
  }
}

}  // namespace

LRA_SIMD void exponentials_of(float* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) x[i] = fast::exp(x[i]);
}

LRA_SIMD void decay_products(const float* __restrict decay, float* __restrict up,
                             float* __restrict down, std::int64_t P) {
  std::copy_n(decay, P, up);
  std::fill_n(down + (kRows - 1) * P, P, 1.0F);
  for (std::int64_t i = 1; i < kRows; ++i) {
    for (std::int64_t d = 0; d < P; ++d) up[i * P + d] = up[(i - 1) * P + d] * decay[i * P + d];
  }
  for (std::int64_t i = kRows - 1; i > 0; --i) {
    for (std::int64_t d = 0; d < P; ++d) {
      down[(i - 1) * P + d] = down[i * P + d] * decay[i * P + d];
    }
  }
}

LRA_SIMD void scale_by(const float* a, const float* b, float* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = a[i] * b[i];
}

LRA_SIMD void add_up(const float* a, const float* b, float* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = a[i] + b[i];
}

LRA_SIMD void subtract(const float* a, const float* b, float* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = a[i] - b[i];
}

LRA_SIMD void negate(const float* x, float* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = -x[i];
}

LRA_SIMD void copy_rows(const float* from, std::int64_t from_step, float* to, std::int64_t to_step,
                        std::int64_t count, std::int64_t C) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float* x = from + i * from_step;
    float* y = to + i * to_step;
    std::int64_t c = 0;
    for (; c + 8 <= C; c += 8) {
      Lanes eight;
      load(x + c, eight);
      store(eight, y + c);
    }
    for (; c < C; ++c) y[c] = x[c];
  }
}

LRA_SIMD void scale_rows(float* __restrict S, const float* __restrict by, std::int64_t rows,
                         std::int64_t columns) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) S[r * columns + c] *= by[r];
  }
}

LRA_SIMD void cut_pairs(float* __restrict x, const float* __restrict ratio, bool diagonal) {
  for (std::int64_t i = 0; i < kRows; ++i) {
    const std::int64_t end = diagonal ? i + 1 : i;
    for (std::int64_t j = 0; j < kRows; ++j) {
      const float y = x[i * kRows + j] * ratio[i * kRows + j];
      x[i * kRows + j] = j < end ? y : 0.0F;
    }
  }
}

LRA_SIMD void pair_products(const float* decay, const float* read, const float* q, std::int64_t D,
                            std::int64_t P, float* running, float* A, float* Q) {
  pair_rows<false>(decay, read, q, D, P, running, A, Q);
  pair_rows<true>(decay, read, q, D, P, running, A, Q);
}

LRA_SIMD void substitute(const float* A, const float* beta, float* rest, float* u,
                         std::int64_t Pv) {
  std::int64_t c = 0;
  for (; c + 32 <= Pv; c += 32) substitute_columns<4>(A, beta, rest + c, u + c, Pv);
  for (; c < Pv; c += 16) substitute_columns<2>(A, beta, rest + c, u + c, Pv);
}

LRA_SIMD void substitute_back(const float* A, const float* beta, float* du, float* z,
                              std::int64_t Pv) {
  std::int64_t c = 0;
  for (; c + 32 <= Pv; c += 32) substitute_columns_back<4>(A, beta, du + c, z + c, Pv);
  for (; c < Pv; c += 16) substitute_columns_back<2>(A, beta, du + c, z + c, Pv);
}

LRA_SIMD void pair_slopes(const PairSlopes& x) {
  std::int64_t first = 0;
  for (; first + 32 <= x.P; first += 32) pair_slope_columns<4>(x, first);
  for (; first < x.P; first += 16) pair_slope_columns<2>(x, first);
}

LRA_SIMD void add_scaled_products(const float* a, const float* b, float sign, float* terms,
                                  std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) terms[i] += sign * (a[i] * b[i]);
}

LRA_SIMD void add_to_sums(const float* terms, double* sums, float* to, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    sums[i] += static_cast<double>(terms[i]);
    to[i] = static_cast<float>(sums[i]);
  }
}

LRA_SIMD float dot_of(const float* x, const float* y, std::int64_t n) {
  Lanes sum{};
  for (std::int64_t i = 0; i < n; i += 8) {
    Lanes a;
    Lanes b;
    load(x + i, a);
    load(y + i, b);
    sum += a * b;
  }
  return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
}

}  // namespace lra::engine::delta
