#pragma once
// Hand-written loops of the delta rule over the rows of one chunk in the first-level cache,
// [kRows, P] with P padded features or columns; letters as in delta_scan.h. Not installed.

#include <cstdint>

namespace lra::engine::delta {

inline constexpr std::int64_t kRows = 16;  // of a chunk

// x = e^x.
void exponentials_of(float* x, std::int64_t n);

// up_i = the product of the decays of rows 0..i, down_i that of rows i+1...
void decay_products(const float* __restrict decay, float* __restrict up, float* __restrict down,
                    std::int64_t P);

// y = a b, a + b, a - b, element by element; y may be a or b.
void scale_by(const float* a, const float* b, float* y, std::int64_t n);
void add_up(const float* a, const float* b, float* y, std::int64_t n);
void subtract(const float* a, const float* b, float* y, std::int64_t n);
// y = -x.
void negate(const float* x, float* y, std::int64_t n);

// Copies rows of C between memory and cache, which have different strides.
void copy_rows(const float* from, std::int64_t from_step, float* to, std::int64_t to_step,
               std::int64_t count, std::int64_t C);

// Rows of S [rows, P] times the entries of `by`.
void scale_rows(float* __restrict S, const float* __restrict by, std::int64_t rows,
                std::int64_t columns);

// x(i, j) = x(i, j) ratio(i, j) for j < limit(i), else 0; the limit is i + 1 with the diagonal.
void cut_pairs(float* __restrict x, const float* __restrict ratio, bool diagonal);

// The products A(i, j) = read_i . e^{G_i - G_j} key_j (j < i) and Q(i, j) = q_i . e^{G_i - G_j}
// key_j (j <= i) of D features. `running` [P, 16] holds key_j in its columns and is overwritten.
void pair_products(const float* decay, const float* read, const float* q, std::int64_t D,
                   std::int64_t P, float* running, float* A, float* Q);

// rest_i -= sum_(j<i) A(i, j) u_j, u_i = beta_i rest_i, row after row.
void substitute(const float* A, const float* beta, float* rest, float* u, std::int64_t Pv);
// The transpose: du_i += sum_(j>i) A(j, i) z_j, z_i = -beta_i du_i, from the last row on.
void substitute_back(const float* A, const float* beta, float* du, float* z, std::int64_t Pv);

// Gradients through the products of pair_products:
//   dq_i += sum_(j<=i) dQ(i, j) e^{G_i - G_j} key_j, dread_i likewise with dA, and
//   dkey_j += sum_(i>=j) e^{G_i - G_j} (dQ(i, j) q_i + dA(i, j) read_i),
// both by Horner's rule.
struct PairSlopes {
  const float *decay, *read, *q, *key, *dA, *dQ;
  float *dread, *dq, *dkey;
  std::int64_t P;
};
void pair_slopes(const PairSlopes& x);

// terms += sign a b.
void add_scaled_products(const float* a, const float* b, float sign, float* terms, std::int64_t n);
// sums += terms, and the sums in f32 to `to`.
void add_to_sums(const float* terms, double* sums, float* to, std::int64_t n);

// x . y in eight sums; n a multiple of 8.
[[nodiscard]] float dot_of(const float* x, const float* y, std::int64_t n);

}  // namespace lra::engine::delta
