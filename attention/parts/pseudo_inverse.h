#pragma once
// The iterative pseudo-inverse of Nystrom methods.

#include <cstdint>

#include "attention/definition/plain.h"
#include "engine/tape/tape.h"

namespace lra::attention {

// Z ~ A^+ for A [H, m, m] in f32 with nonnegative entries: Z_0 = A^T / c, c the largest column sum
// of each matrix, and `iterations` times Z <- Z (13 I - A Z (15 I - A Z (7 I - A Z))) / 4 (Razavi,
// Kerayechian, Gachpazan, Shateyi 2014, eq. (16); Xiong et al. 2021, eq. (11)). The gradient flows
// through all of it.
[[nodiscard]] engine::Value pseudo_inverse(const engine::Value& A, std::int64_t iterations);
[[nodiscard]] Plain pseudo_inverse(const Plain& A, std::int64_t iterations);

// a b for each head: [H, n, k] x [H, k, m].
[[nodiscard]] Plain product(const Plain& a, const Plain& b);

}  // namespace lra::attention
