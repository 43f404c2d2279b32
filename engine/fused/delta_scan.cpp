#include "engine/fused/delta_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "engine/compute/fast_math.h"
#include "engine/compute/kernels/kernels.h"
#include "engine/compute/kernels/small_products.h"
#include "engine/compute/lanes.h"
#include "engine/compute/profile.h"
#include "engine/compute/simd.h"
#include "engine/fused/scan_rows.h"

namespace lra::engine {
namespace {

using kernels::Part;
using Lanes = Register<8>::Lanes;

constexpr std::int64_t kRows = 16;  // of a chunk
constexpr std::int64_t kKept = 4;   // chunks per kept state

enum class Gate { none, head, feature };

// Inputs of a scan. With one key (`read` undefined), that key reads, erases and is written; with
// two, beta is 1 and the values of `erase` are 0.
struct Operands {
  Tensor q, k, v, g, beta, read, erase;
  std::int64_t n = 0;
  bool reverse = false;

  [[nodiscard]] bool two_keys() const { return read.defined(); }
  [[nodiscard]] Gate gate() const {
    if (!g.defined()) return Gate::none;
    return g.dim(2) == 1 ? Gate::head : Gate::feature;
  }
  [[nodiscard]] std::int64_t chunks() const { return (n + kRows - 1) / kRows; }
  [[nodiscard]] std::int64_t kept() const { return (chunks() + kKept - 1) / kKept; }
  [[nodiscard]] std::int64_t state_size() const {
    return padded_columns(q.dim(2)) * padded_columns(v.dim(2));
  }
};

// A matrix in the cache.
class Block {
 public:
  Block() = default;
  Block(std::int64_t rows, std::int64_t columns)
      : tensor_(Tensor::zeros({rows, columns})),
        data_(tensor_.f32()),
        rows_(rows),
        columns_(columns) {}
  [[nodiscard]] float* data() const { return data_; }
  [[nodiscard]] float* row(std::int64_t i) const { return data_ + i * columns_; }
  [[nodiscard]] std::int64_t rows() const { return rows_; }
  [[nodiscard]] std::int64_t columns() const { return columns_; }
  [[nodiscard]] std::int64_t size() const { return rows_ * columns_; }

 private:
  Tensor tensor_;
  float* data_ = nullptr;
  std::int64_t rows_ = 0, columns_ = 0;
};

// c = a b.
void multiply(const Block& a, const Block& b, const Block& c, bool add = false,
              Part part = Part::all) {
  kernels::small_product({a.rows(), b.columns(), a.columns(), a.data(), a.columns(), 1, b.data(),
                          c.data(), add, part});
}
// c = a^T b.
void multiply_transposed(const Block& a, const Block& b, const Block& c, bool add = false,
                         Part part = Part::all) {
  kernels::small_product({a.columns(), b.columns(), a.rows(), a.data(), 1, a.columns(), b.data(),
                          c.data(), add, part});
}
void transpose_to(const Block& x, const Block& t) {
  kernels::small_transpose(x.data(), x.rows(), x.columns(), t.data());
}

LRA_SIMD void exponentials_of(float* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) x[i] = fast::exp(x[i]);
}

// up_i = the product of the decays of rows 0..i, down_i that of rows i+1...
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

// y = a b, a + b, a - b, element by element; y may be a or b.
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
// Copies rows of C between memory and cache, which have different strides.
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

// Rows of S [rows, P] times the entries of `by`.
LRA_SIMD void scale_rows(float* __restrict S, const float* __restrict by, std::int64_t rows,
                         std::int64_t columns) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) S[r * columns + c] *= by[r];
  }
}

// x(i, j) = x(i, j) ratio(i, j) for j < limit(i), else 0; the limit is i + 1 with the diagonal.
LRA_SIMD void cut_pairs(float* __restrict x, const float* __restrict ratio, bool diagonal) {
  for (std::int64_t i = 0; i < kRows; ++i) {
    const std::int64_t end = diagonal ? i + 1 : i;
    for (std::int64_t j = 0; j < kRows; ++j) {
      const float y = x[i * kRows + j] * ratio[i * kRows + j];
      x[i * kRows + j] = j < end ? y : 0.0F;
    }
  }
}

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
LRA_SIMD void pair_products(const float* decay, const float* read, const float* q, std::int64_t D,
                            std::int64_t P, float* running, float* A, float* Q) {
  pair_rows<false>(decay, read, q, D, P, running, A, Q);
  pair_rows<true>(decay, read, q, D, P, running, A, Q);
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

// Gradients through the products of pair_products, for R registers of features:
//   dq_i += sum_(j<=i) dQ(i, j) e^{G_i - G_j} key_j, dread_i likewise with dA, and
//   dkey_j += sum_(i>=j) e^{G_i - G_j} (dQ(i, j) q_i + dA(i, j) read_i),
// both by Horner's rule.
struct PairSlopes {
  const float *decay, *read, *q, *key, *dA, *dQ;
  float *dread, *dq, *dkey;
  std::int64_t P;
};
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
LRA_SIMD void pair_slopes(const PairSlopes& x) {
  std::int64_t first = 0;
  for (; first + 32 <= x.P; first += 32) pair_slope_columns<4>(x, first);
  for (; first < x.P; first += 16) pair_slope_columns<2>(x, first);
}

// terms += sign a b.
LRA_SIMD void add_scaled_products(const float* a, const float* b, float sign, float* terms,
                                  std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) terms[i] += sign * (a[i] * b[i]);
}
// sums += terms, and the sums in f32 to `to`.
LRA_SIMD void add_to_sums(const float* terms, double* sums, float* to, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    sums[i] += static_cast<double>(terms[i]);
    to[i] = static_cast<float>(sums[i]);
  }
}

// x . y in eight sums; n a multiple of 8.
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

// Buffers reused by successive chunks.
struct Scratch {
  Scratch(std::int64_t P, std::int64_t Pv)
      : o(kRows, Pv),
        running(P, kRows),
        ones(1, P),
        S_t(Pv, P),
        dS(P, Pv),
        dS_t(Pv, P),
        u_t(Pv, kRows),
        dA(kRows, kRows),
        dQ(kRows, kRows),
        dA2(kRows, kRows),
        dQ2(kRows, kRows),
        dO(kRows, Pv),
        du(kRows, Pv),
        z(kRows, Pv),
        dv(kRows, Pv),
        dq(kRows, P),
        dread(kRows, P),
        derase(kRows, P),
        dk(kRows, P),
        terms(kRows, P) {
    std::fill_n(ones.data(), P, 1.0F);
  }
  Block o, running, ones, S_t, dS, dS_t, u_t, dA, dQ, dA2, dQ2, dO, du, z, dv, dq, dread, derase,
      dk, terms;
};

// Targets of the gradients of one head; undefined tensors are not wanted.
struct Gradients {
  Tensor q, k, v, g, beta, read, erase;
};

// Sixteen rows of one head in the order of the recurrence, zeros behind the last. With two keys
// `erase` is written with the values u, `k` with v; with one, `read` and `erase` are k.
class Chunk {
 public:
  Chunk(const Operands& in, std::int64_t P, std::int64_t Pv)
      : in_(in),
        gate_(in.gate()),
        two_(in.two_keys()),
        D_(in.q.dim(2)),
        q_(kRows, P),
        k_(kRows, P),
        read_(two_ ? Block(kRows, P) : k_),
        erase_(two_ ? Block(kRows, P) : k_),
        decay_(1, 1),
        qE_(q_),
        readE_(read_),
        eraseF_(erase_),
        kF_(k_),
        v_(kRows, Pv),
        rest_(kRows, Pv),
        u_(kRows, Pv),
        beta_(1, kRows),
        ratio_(kRows, kRows),
        A_(kRows, kRows),
        Q_(kRows, kRows),
        S_(P, Pv) {
    std::fill_n(beta_.data(), kRows, 1.0F);
    std::fill_n(ratio_.data(), ratio_.size(), 1.0F);
    if (two_) {
      A2_ = Block(kRows, kRows);
      Q2_ = Block(kRows, kRows);
    }
    if (gate_ == Gate::none) return;
    decay_ = Block(kRows, P);
    E_ = Block(kRows, P);
    F_ = Block(kRows, P);
    qE_ = Block(kRows, P);
    readE_ = Block(kRows, P);
    eraseF_ = Block(kRows, P);
    if (two_) kF_ = Block(kRows, P);
  }

  void load(std::int64_t head, std::int64_t chunk) {
    head_ = head;
    begin_ = chunk * kRows;
    count_ = std::min(kRows, in_.n - begin_);
    read_rows(in_.q, q_);
    read_rows(in_.k, k_);
    read_rows(in_.v, v_);
    if (two_) {
      read_rows(in_.read, read_);
      read_rows(in_.erase, erase_);
    } else {
      for (std::int64_t i = 0; i < kRows; ++i) {
        beta_.data()[i] = i < count_ ? in_.beta.f32()[head * in_.beta.dim(1) + row(i)] : 0.0F;
      }
    }
    if (gate_ == Gate::none) return;
    read_rows(in_.g, decay_);
    // Padding columns contain values of the last chunk.
    for (std::int64_t i = 0; i < kRows; ++i) {
      float* g = decay_.row(i);
      std::fill(g + in_.g.dim(2), g + decay_.columns(), gate_ == Gate::head ? g[0] : 0.0F);
    }
    exponentials_of(decay_.data(), decay_.size());
    decay_products(decay_.data(), E_.data(), F_.data(), E_.columns());
    scale_by(q_.data(), E_.data(), qE_.data(), qE_.size());
    scale_by(read_.data(), E_.data(), readE_.data(), readE_.size());
    scale_by(erase_.data(), F_.data(), eraseF_.data(), eraseF_.size());
    if (two_) scale_by(k_.data(), F_.data(), kF_.data(), kF_.size());
    if (gate_ == Gate::head) set_ratios();
  }

  // The values written by the chunk, from the state S before it.
  void solve(const Block& S, const Scratch& w) {
    std::copy_n(S.data(), S.size(), S_.data());
    pairs(erase_, A_, Q_, w);
    multiply(readE_, S, rest_);
    if (two_) {
      pairs(k_, A2_, Q2_, w);
      multiply(A2_, v_, rest_, true, Part::lower);
    }
    if (two_) {
      negate(rest_.data(), rest_.data(), rest_.size());
    } else {
      subtract(v_.data(), rest_.data(), rest_.data(), rest_.size());
    }
    substitute(A_.data(), beta_.data(), rest_.data(), u_.data(), u_.columns());
  }

  // The outputs, from the result of solve().
  void write_outputs(const Tensor& o, const Scratch& w) const {
    multiply(qE_, S_, w.o);
    multiply(Q_, u_, w.o, true, Part::lower);
    if (two_) multiply(Q2_, v_, w.o, true, Part::lower);
    write_rows(w.o, o);
  }

  // The state behind the chunk.
  void advance(const Block& S) const {
    if (gate_ != Gate::none) scale_rows(S.data(), E_.row(kRows - 1), S.rows(), S.columns());
    multiply_transposed(eraseF_, u_, S, true);
    if (two_) multiply_transposed(kF_, v_, S, true);
  }

  // Writes the gradients of the chunk's rows; w.dS, the gradient of the state behind it, becomes
  // that of the state before it. `gates` [P]: sums over the rows that come after.
  void backward(const Tensor& dy, const Gradients& to, std::vector<double>& gates,
                const Scratch& w) const {
    read_rows(dy, w.dO);
    transpose_to(S_, w.S_t);
    transpose_to(w.dS, w.dS_t);
    multiply(eraseF_, w.dS, w.du);
    multiply_transposed(Q_, w.dO, w.du, true, Part::upper);
    substitute_back(A_.data(), beta_.data(), w.du.data(), w.z.data(), w.z.columns());
    if (two_) {
      multiply(kF_, w.dS, w.dv);
      multiply_transposed(Q2_, w.dO, w.dv, true, Part::upper);
      multiply_transposed(A2_, w.z, w.dv, true, Part::upper);
    } else {
      negate(w.z.data(), w.dv.data(), w.dv.size());
    }
    multiply(w.dO, w.S_t, w.dq);
    multiply(w.z, w.S_t, w.dread);
    multiply(u_, w.dS_t, w.derase);
    if (two_) multiply(v_, w.dS_t, w.dk);
    if (gate_ != Gate::none) {
      scale_rows(w.dS.data(), E_.row(kRows - 1), w.dS.rows(), w.dS.columns());
      scale_by(w.dq.data(), E_.data(), w.dq.data(), w.dq.size());
      scale_by(w.dread.data(), E_.data(), w.dread.data(), w.dread.size());
      scale_by(w.derase.data(), F_.data(), w.derase.data(), w.derase.size());
      if (two_) scale_by(w.dk.data(), F_.data(), w.dk.data(), w.dk.size());
    }
    multiply_transposed(qE_, w.dO, w.dS, true);
    multiply_transposed(readE_, w.z, w.dS, true);
    add_pair_slopes(erase_, u_, w.dA, w.dQ, w.derase, w);
    if (two_) add_pair_slopes(k_, v_, w.dA2, w.dQ2, w.dk, w);
    write_gradients(to, gates, w);
  }

 private:
  [[nodiscard]] std::int64_t row(std::int64_t i) const {
    return ScanOrder{in_.n, in_.reverse}.row(begin_ + i);
  }
  void read_rows(const Tensor& from, const Block& to) const {
    const HeadRows rows{&from, head_};
    if (from.dtype() == DType::f32) {
      const std::int64_t C = rows.columns();
      copy_rows(from.f32() + rows.offset(row(0)), in_.reverse ? -C : C, to.data(), to.columns(),
                count_, C);
    } else {
      for (std::int64_t i = 0; i < count_; ++i) rows.read(row(i), to.row(i));
    }
    std::fill(to.row(count_), to.data() + to.size(), 0.0F);
  }
  void write_rows(const Block& from, const Tensor& to) const {
    const HeadRows rows{&to, head_};
    if (to.dtype() == DType::f32) {
      const std::int64_t C = rows.columns();
      copy_rows(from.data(), from.columns(), to.f32() + rows.offset(row(0)), in_.reverse ? -C : C,
                count_, C);
    } else {
      for (std::int64_t i = 0; i < count_; ++i) rows.write(row(i), from.row(i));
    }
  }

  // e^{G_i - G_j} of a gate shared by all features.
  void set_ratios() const {
    for (std::int64_t i = 0; i < kRows; ++i) {
      for (std::int64_t j = 0; j < i; ++j) {
        ratio_.row(i)[j] = ratio_.row(i - 1)[j] * decay_.row(i)[0];
      }
      ratio_.row(i)[i] = 1;
    }
  }

  // A(i, j) = read_i . e^{G_i - G_j} key_j for j < i, Q(i, j) = q_i . e^{G_i - G_j} key_j for j <=
  // i.
  void pairs(const Block& key, const Block& A, const Block& Q, const Scratch& w) const {
    transpose_to(key, w.running);
    if (gate_ == Gate::feature) {
      pair_products(decay_.data(), read_.data(), q_.data(), D_, key.columns(), w.running.data(),
                    A.data(), Q.data());
      return;
    }
    multiply(read_, w.running, A);
    multiply(q_, w.running, Q);
    cut_pairs(A.data(), ratio_.data(), false);
    cut_pairs(Q.data(), ratio_.data(), true);
  }

  // Gradients through the products of pairs, for keys written with the values `value`.
  void add_pair_slopes(const Block& key, const Block& value, const Block& dA, const Block& dQ,
                       const Block& dkey, const Scratch& w) const {
    transpose_to(value, w.u_t);
    multiply(w.z, w.u_t, dA);
    multiply(w.dO, w.u_t, dQ);
    cut_pairs(dA.data(), ratio_.data(), false);
    cut_pairs(dQ.data(), ratio_.data(), true);
    if (gate_ == Gate::feature) {
      pair_slopes({decay_.data(), read_.data(), q_.data(), key.data(), dA.data(), dQ.data(),
                   w.dread.data(), w.dq.data(), dkey.data(), key.columns()});
      return;
    }
    multiply(dQ, key, w.dq, true, Part::lower);
    multiply(dA, key, w.dread, true, Part::lower);
    multiply_transposed(dQ, q_, dkey, true, Part::upper);
    multiply_transposed(dA, read_, dkey, true, Part::upper);
  }

  void write_gradients(const Gradients& to, std::vector<double>& gates, const Scratch& w) const {
    if (to.g.defined()) sum_gates(to.g, gates, w);
    if (to.q.defined()) write_rows(w.dq, to.q);
    if (to.v.defined()) write_rows(w.dv, to.v);
    if (two_) {
      if (to.read.defined()) write_rows(w.dread, to.read);
      if (to.erase.defined()) write_rows(w.derase, to.erase);
      if (to.k.defined()) write_rows(w.dk, to.k);
      return;
    }
    for (std::int64_t i = 0; to.beta.defined() && i < count_; ++i) {
      to.beta.f32()[head_ * to.beta.dim(1) + row(i)] =
          dot_of(w.du.row(i), rest_.row(i), rest_.columns());
    }
    if (!to.k.defined()) return;
    add_up(w.dread.data(), w.derase.data(), w.dk.data(), w.dk.size());
    write_rows(w.dk, to.k);
  }

  // dg_t: g_t weighs what is read from t on of what was written before t.
  void sum_gates(const Tensor& to, std::vector<double>& sums, const Scratch& w) const {
    const std::int64_t P = q_.columns();
    std::fill_n(w.terms.data(), w.terms.size(), 0.0F);
    const auto add = [&](const Block& x, const Block& dx, float sign) {
      add_scaled_products(x.data(), dx.data(), sign, w.terms.data(), w.terms.size());
    };
    add(q_, w.dq, 1);
    add(read_, w.dread, 1);
    add(erase_, w.derase, -1);
    if (two_) add(k_, w.dk, -1);
    for (std::int64_t i = count_ - 1; i >= 0; --i) {
      float* terms = w.terms.row(i);
      if (gate_ == Gate::feature) {
        add_to_sums(terms, sums.data(), terms, P);
      } else {
        sums[0] += static_cast<double>(dot_of(terms, w.ones.data(), P));
        terms[0] = static_cast<float>(sums[0]);
      }
    }
    write_rows(w.terms, to);
  }

  const Operands& in_;
  Gate gate_;
  bool two_;
  std::int64_t D_;
  std::int64_t head_ = 0, begin_ = 0, count_ = 0;
  Block q_, k_, read_, erase_, decay_, E_, F_;
  Block qE_, readE_, eraseF_, kF_;  // with the decays since the chunk's beginning, up to its end
  Block v_, rest_, u_, beta_, ratio_, A_, Q_, A2_, Q2_;
  Block S_;  // before the chunk
};

// o of all heads; `kept`, if defined, gets the states [H, kept, size].
void scan_forward(const Operands& in, const Tensor& o, const Tensor& kept) {
  const profile::Scope scope("scan");
  const std::int64_t P = padded_columns(in.q.dim(2));
  const std::int64_t Pv = padded_columns(in.v.dim(2));
  Chunk chunk(in, P, Pv);
  const Scratch scratch(P, Pv);
  const Block S(P, Pv);
  for (std::int64_t h = 0; h < o.dim(0); ++h) {
    std::fill_n(S.data(), S.size(), 0.0F);
    for (std::int64_t c = 0; c < in.chunks(); ++c) {
      if (kept.defined() && c % kKept == 0) {
        std::copy_n(S.data(), S.size(), kept.f32() + (h * in.kept() + c / kKept) * S.size());
      }
      chunk.load(h, c);
      chunk.solve(S, scratch);
      chunk.write_outputs(o, scratch);
      chunk.advance(S);
    }
  }
}

void scan_backward(const Operands& in, const Tensor& kept, const Tensor& dy, const Gradients& to) {
  const profile::Scope scope("scan");
  const std::int64_t P = padded_columns(in.q.dim(2));
  const std::int64_t Pv = padded_columns(in.v.dim(2));
  std::vector<Chunk> chunks;
  chunks.reserve(static_cast<std::size_t>(kKept));
  for (std::int64_t c = 0; c < kKept; ++c) chunks.emplace_back(in, P, Pv);
  const Scratch scratch(P, Pv);
  const Block S(P, Pv);
  std::vector<double> gates(static_cast<std::size_t>(P));
  for (std::int64_t h = 0; h < dy.dim(0); ++h) {
    std::fill_n(scratch.dS.data(), scratch.dS.size(), 0.0F);
    std::fill(gates.begin(), gates.end(), 0.0);
    for (std::int64_t b = in.kept() - 1; b >= 0; --b) {
      const std::int64_t first = b * kKept;
      const std::int64_t count = std::min(kKept, in.chunks() - first);
      std::copy_n(kept.f32() + (h * in.kept() + b) * S.size(), S.size(), S.data());
      for (std::int64_t c = 0; c < count; ++c) {
        Chunk& chunk = chunks[static_cast<std::size_t>(c)];
        chunk.load(h, first + c);
        chunk.solve(S, scratch);
        if (c + 1 < count) chunk.advance(S);
      }
      for (std::int64_t c = count - 1; c >= 0; --c) {
        chunks[static_cast<std::size_t>(c)].backward(dy, to, gates, scratch);
      }
    }
  }
}

// A tensor like x with zeros in the rows from n on; the other rows are uninitialised.
Tensor with_zeros_behind(const Tensor& x, std::int64_t n) {
  Tensor y(x.shape(), x.dtype());
  kernels::zero_rows(y, n);
  return y;
}

Value scan(const Operands& in, const std::vector<const Value*>& inputs) {
  if (in.n == 0) return Value(Tensor::zeros(in.v.shape(), in.v.dtype()));
  Tensor o = with_zeros_behind(in.v, in.n);
  const bool recorded = std::any_of(inputs.begin(), inputs.end(),
                                    [](const Value* x) { return x->gradient() != nullptr; });
  Tensor kept;
  if (recorded) kept = Tensor({o.dim(0), in.kept(), in.state_size()}, DType::f32);
  scan_forward(in, o, kept);
  std::vector<Gradient> gradients;
  for (const Value* x : inputs) gradients.push_back(x->gradient());
  // q, k, v, g, then beta or read and erase.
  const Value none;
  const Value& last = inputs.size() > 5 ? *inputs[5] : none;
  return Tape::record(std::move(o), {inputs[0], inputs[1], inputs[2], inputs[3], inputs[4], &last},
                      [in, kept, gradients](const Tensor& dy) {
                        const auto place = [&](std::size_t i, const Tensor& x) {
                          return gradients[i] ? with_zeros_behind(x, in.n) : Tensor();
                        };
                        const bool two = in.two_keys();
                        Gradients to{place(0, in.q),
                                     place(1, in.k),
                                     place(2, in.v),
                                     place(3, in.g),
                                     two ? Tensor() : place(4, in.beta),
                                     two ? place(4, in.read) : Tensor(),
                                     two ? place(5, in.erase) : Tensor()};
                        scan_backward(in, kept, dy, to);
                        const auto give = [&](std::size_t i, Tensor& gradient) {
                          if (gradient.defined()) gradients[i]->add(std::move(gradient));
                        };
                        give(0, to.q);
                        give(1, to.k);
                        give(2, to.v);
                        give(3, to.g);
                        give(4, two ? to.read : to.beta);
                        if (two) give(5, to.erase);
                      });
}

bool fits(const Value& q, const Value& k, const Value& v, const Value& g, std::int64_t n) {
  const Shape one{q.dim(0), q.dim(1), 1};
  return q.rank() == 3 && k.shape() == q.shape() && k.dtype() == q.dtype() && v.rank() == 3 &&
         v.dim(0) == q.dim(0) && v.dim(1) == q.dim(1) && n <= q.dim(1) &&
         (!g.defined() ||
          (g.dtype() == DType::f32 && (g.shape() == q.shape() || g.shape() == one)));
}

std::string shape_of(const Value& x) {
  return x.defined() ? fmt::format("{} {}", x.shape().text(), dtype_name(x.dtype())) : "none";
}

}  // namespace

Value delta_scan(const Value& q, const Value& k, const Value& v, const Value& g, const Value& beta,
                 std::int64_t n, bool reverse) {
  if (q.rank() != 3 || !fits(q, k, v, g, n) || beta.dtype() != DType::f32 ||
      beta.shape() != Shape{q.dim(0), q.dim(1), 1}) {
    fail(ErrorKind::shape,
         "delta_scan: got q {}, k {}, v {}, g {}, beta {}, {} rows; expected q, k [H, N, D], v [H, "
         "N, Dv], g [H, N, D or 1] and beta [H, N, 1] in f32, rows up to N",
         shape_of(q), shape_of(k), shape_of(v), shape_of(g), shape_of(beta), n);
  }
  Operands in;
  in.q = q.tensor();
  in.k = k.tensor();
  in.v = v.tensor();
  in.g = g.tensor();
  in.beta = beta.tensor();
  in.n = n;
  in.reverse = reverse;
  return scan(in, {&q, &k, &v, &g, &beta});
}

Value generalised_delta_scan(const Value& q, const Value& k, const Value& v, const Value& g,
                             const Value& read, const Value& erase, std::int64_t n, bool reverse) {
  if (q.rank() != 3 || !fits(q, k, v, g, n) || read.shape() != q.shape() ||
      erase.shape() != q.shape() || read.dtype() != q.dtype() || erase.dtype() != q.dtype()) {
    fail(ErrorKind::shape,
         "generalised_delta_scan: got q {}, k {}, v {}, g {}, read {}, erase {}, {} rows; expected "
         "q, k, read, erase [H, N, D], v [H, N, Dv], g [H, N, D or 1] in f32, rows up to N",
         shape_of(q), shape_of(k), shape_of(v), shape_of(g), shape_of(read), shape_of(erase), n);
  }
  Operands in;
  in.q = q.tensor();
  in.k = k.tensor();
  in.v = v.tensor();
  in.g = g.tensor();
  in.read = read.tensor();
  in.erase = erase.tensor();
  in.n = n;
  in.reverse = reverse;
  return scan(in, {&q, &k, &v, &g, &read, &erase});
}

}  // namespace lra::engine
