#include "attention/parts/kernel_attention.h"

#include "attention/parts/masks.h"

namespace lra::attention {
namespace {

constexpr std::int64_t kChunk = 64;

// Sums over j <= i: within a chunk by the masked products, before it by the running state
// S_c = sum_{j < chunk c} k_j v_j^T.
KernelSums causal_sums(const Value& qf, const Value& kf, const Value& v) {
  const std::int64_t H = qf.dim(0);
  const std::int64_t N = qf.dim(1);
  if (kf.dim(1) != N) {
    fail(ErrorKind::shape, "causal attention: got {} queries and {} keys, expected equal numbers",
         N, kf.dim(1));
  }
  const std::int64_t c = std::min(kChunk, N);
  const std::int64_t chunks = (N + c - 1) / c;
  const auto cut = [&](const Value& x) {  // [H C, c, *]
    return reshape(pad(x, 1, 0, chunks * c - N), {H * chunks, c, x.dim(2)});
  };
  const auto before = [&](const Value& state) {  // exclusive running sum over the chunks
    const Value s = reshape(state, {H, chunks, state.dim(1) * state.dim(2)});
    return reshape(cumulative_sum(s, 1) - s, state.shape());
  };
  const Value q = cut(qf);
  const Value k = cut(kf);
  const Value values = cut(v);
  const Value weights = matmul(q, k, {.transpose_b = true}) *
                        cast(Value(admissible(c, c, c, true)), qf.dtype());  // [H C, c, c]
  const Value S = before(matmul(k, values, {.transpose_a = true}));          // [H C, M, Dv]
  const Value z = before(sum(k, 1));                                         // [H C, 1, M]
  const Value num = matmul(weights, values) + matmul(q, S);                  // [H C, c, Dv]
  const Value den =
      sum_f32(weights, 2) + matmul(q, z, {.transpose_b = true, .f32_result = true});  // [H C, c, 1]
  const auto join = [&](const Value& x) {
    return slice(reshape(x, {H, chunks * c, x.dim(2)}), 1, 0, N);
  };
  return {join(num), join(den)};
}

}  // namespace

KernelSums kernel_sums(const Value& qf, const Value& kf, const Value& v, bool causal) {
  if (causal) return causal_sums(qf, kf, v);
  const Value S = matmul(kf, v, {.transpose_a = true});  // [H, M, Dv]  sum_j phi(k_j) v_j^T
  const Value z = sum(kf, 1);                            // [H, 1, M]   sum_j phi(k_j)
  return {matmul(qf, S), matmul(qf, z, {.transpose_b = true, .f32_result = true})};
}

}  // namespace lra::attention
