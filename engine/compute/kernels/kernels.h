#pragma once
// The engine's hand-written loops, for operations that oneDNN lacks or has only as a reference
// kernel, as noted at each.

#include <cstdint>
#include <span>

#include "engine/base/random.h"
#include "engine/tensor/tensor.h"

namespace lra::engine::kernels {

// Below this many elements a call to a primitive costs more than the loop.
inline constexpr std::int64_t kSmall = 2048;

// to += x. oneDNN 2.6 has no fast binary for f32 += f32 of tiny size, nor for bf16 into f32 with
// other operand order; used for short tensors (biases, norm gains) and f32 sums.
void add_to(const Tensor& x, const Tensor& to);

// Zeroes rows n..N-1 of x [..., N, C].
void zero_rows(const Tensor& x, std::int64_t n);

// y[i] = table[ids[i]] + positions[i] for i < n, zero rows beyond (embedding gather; not in
// oneDNN). table [V, E], positions [>= n, E] or undefined, in f32; y [N, E] in f32 or bf16.
void embed(const Tensor& table, const Tensor& positions, std::span<const std::int32_t> ids,
           const Tensor& y);
// dtable[ids[i]] += dy[i], dpositions[i] += dy[i]; f32 sums, either may be undefined.
void embed_backward(const Tensor& dy, std::span<const std::int32_t> ids, const Tensor& dtable,
                    const Tensor& dpositions);

// y = x mask / (1 - p), the mask (1 or 0) drawn per element with 16 bits (p is rounded to 2^-16 and
// below 1) by xoshiro128++ from states that Philox derives from the key, new ones every 8192
// elements: Philox for every draw took a fifth of a step. Applying it to dy with the same key is
// the backward. y may be x. (oneDNN has dropout from 3.6.)
void dropout(const Tensor& x, const Tensor& y, double p, RandomKey key);
// The same mask without scaling: kept = x mask and, if defined, mask, both of x's type and without
// rounding; kept may be x. The caller divides by dropout_share(p), 1 - p after rounding, where that
// is cheaper than once per element.
void dropout_mask(const Tensor& x, const Tensor& kept, const Tensor& mask, double p, RandomKey key);
[[nodiscard]] double dropout_share(double p);

// y [B, A, D] = x [A, B, D] with the first two axes exchanged: a permutation of rows, which
// oneDNN's reorder makes in an order that reads the cache lines of long tensors several times.
void swap_axes(const Tensor& x, const Tensor& y);

// sum[c] (+)= the sum over the rows of x [R, C], in f32. oneDNN 2.6 has only a reference kernel,
// and a product with ones takes four times as long.
void column_sums(const Tensor& x, bool accumulate, float* sum);

// y = sin(x) or cos(x) in f32 (not in oneDNN).
void sine(const Tensor& x, const Tensor& y);
void cosine(const Tensor& x, const Tensor& y);

// y[g, i, :] = [a[i] x[g, i, :], b[i] x[g, i, :]] for x [G, N, D], y [G, N, 2 D], a and b [N] f32.
// oneDNN 2.6 writes into halves of rows by its reference kernel only.
void scale_rows_twice(const Tensor& x, const Tensor& a, const Tensor& b, const Tensor& y);
// dx[g, i, :] = a[i] dy[g, i, :D] + b[i] dy[g, i, D:].
void scale_rows_twice_backward(const Tensor& dy, const Tensor& a, const Tensor& b,
                               const Tensor& dx);

// y[i, :] = x[index[i], :]; index < 0 gives a zero row. x [R, C], y [I, C].
void gather_rows(const Tensor& x, std::span<const std::int32_t> index, const Tensor& y);
// y[index[i], :] += x[i, :]; index < 0 is skipped.
void scatter_add_rows(const Tensor& x, std::span<const std::int32_t> index, const Tensor& y);

// Inclusive sum along the middle axis of x [outer, n, inner], from the front or the back.
void cumulative_sum(const Tensor& x, std::int64_t outer, std::int64_t n, std::int64_t inner,
                    bool reverse, const Tensor& y);

// y[c] = max over the rows of x [R, C], in f32 (oneDNN reduces the last axis only, and slowly).
void column_maxima(const Tensor& x, const Tensor& y);

// y[index[i], :] = x[i, :], of one type; index < 0 is skipped.
void store_rows(const Tensor& x, std::span<const std::int32_t> index, const Tensor& y);

// w = w (d - mean[b, :]) in place on transposed weights w [B, K, t] (f32 or bf16), d f32: the end
// of a softmax's backward. As primitives these are two passes, and d would be rounded between them.
void weight_difference(const Tensor& w, const Tensor& d, const Tensor& mean);

// dx = y (dy - sum y dy) along the last axis, for a log-softmax dx = dy - e^y sum dy; all f32, dx
// may be dy. oneDNN compiles a softmax backward from AVX-512 on; below it has its reference only.
void softmax_backward(bool log, const Tensor& y, const Tensor& dy, const Tensor& dx);

// The functions up to the convolutions are f32 only and selected by ops::own_loops(): oneDNN has
// all of them, but its AVX2 kernels are slower. Figures: ns per element of oneDNN 2.6 and of these
// loops, forward plus backward, 1024 rows in cache on a core of a first-generation EPYC.

enum class Gelu { erf, tanh };
// y = gelu(x) and, if `slope` is defined, slope = gelu'(x), so that the backward is one product
// (5.5 and 2.3); slope may be x.
void gelu(Gelu form, const Tensor& x, const Tensor& y, const Tensor& slope);

// y = elu(x) + 1, dx = dy min(y, 1) (2.3 and 1.1); dx may be dy.
void elu_plus_one(const Tensor& x, const Tensor& y);
void elu_plus_one_backward(const Tensor& y, const Tensor& dy, const Tensor& dx);

// z = x y; z may be either.
void multiply(const Tensor& x, const Tensor& y, const Tensor& z);

// y = e^x for x up to 88, 0 below -86 (1.3 and 0.8, forward); y may be x.
void exponentiate(const Tensor& x, const Tensor& y);

// Layer norm over the last axis as primitives::layer_norm and its backward (2.4 and 1.2); rows at
// least 1 wide. dx may be dy.
void layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, float eps,
                const Tensor& y, const Tensor& mean, const Tensor& variance);
void layer_norm_backward(const Tensor& x, const Tensor& gamma, const Tensor& mean,
                         const Tensor& variance, float eps, const Tensor& dy, const Tensor& dx,
                         const Tensor& dgamma, const Tensor& dbeta);

// y = x / d with a divisor for each row of x [..., C]; from this y, dx = dy / d and dd = -(dy . y)
// / d (2.1 and 0.5); dx may be dy.
void divide_rows(const Tensor& x, const Tensor& d, const Tensor& y);
void divide_rows_backward(const Tensor& y, const Tensor& d, const Tensor& dy, const Tensor& dx,
                          const Tensor& dd);

// Depthwise convolution along the tokens of x [H, N, D] with w [H, K], zeros outside, all in f32
// (oneDNN's convolutions have other layouts): y_i = sum_t w_t x_{i + t - [K/2]}, or with `reverse`
// the transposed map. Overwrites y.
void convolve_tokens(const Tensor& x, const Tensor& w, bool reverse, const Tensor& y);
// dw[h, t] = sum_i dy_i . x_{i + t - [K/2]}; overwrites dw [H, K].
void correlate_tokens(const Tensor& dy, const Tensor& x, const Tensor& dw);

// Depthwise convolution along the tokens with a kernel for each feature: y_i = sum_t w_t x_{i + t -
// before} over rows 0..n-1 of x [G, N, C], zeros outside, w [G or 1, T, C], or with `reverse` the
// transposed map; all in f32. Overwrites rows 0..n-1 of y.
void convolve_features(const Tensor& x, const Tensor& w, std::int64_t n, std::int64_t before,
                       bool reverse, const Tensor& y);
// dw_t = sum_i dy_i x_{i + t - before}; overwrites dw [G or 1, T, C].
void correlate_features(const Tensor& dy, const Tensor& x, std::int64_t n, std::int64_t before,
                        const Tensor& dw);

// The largest Euclidean norm of a row of x [..., C]; NaN if there is one.
[[nodiscard]] double largest_row_norm(const Tensor& x);

// Sum of the squares of all elements, in double.
[[nodiscard]] double sum_of_squares(const Tensor& x);
// True if an element is NaN or infinite.
[[nodiscard]] bool has_nonfinite(const Tensor& x);

}  // namespace lra::engine::kernels
