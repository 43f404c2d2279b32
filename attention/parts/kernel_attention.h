#pragma once
// Attention with a product kernel, w_ij = phi(q_i) . phi(k_j), in time linear in the length:
// the sums over keys are computed once.

#include "attention/attention.h"

namespace lra::attention {

// sum_j w_ij v_j and sum_j w_ij, the latter in f32.
struct KernelSums {
  Value numerator;    // [H, N, Dv]
  Value denominator;  // [H, N, 1] f32
};

// qf [H, N, M] and kf [H, L, M] are features, kf with padded rows 0; v [H, L, Dv].
// Causal: sums over j <= i (needs N = L).
[[nodiscard]] KernelSums kernel_sums(const Value& qf, const Value& kf, const Value& v, bool causal);

}  // namespace lra::attention
