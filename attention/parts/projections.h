#pragma once
// Random projections.

#include "engine/base/random.h"
#include "engine/tensor/tensor.h"

namespace lra::attention {

// [M, D] in f32: blocks of D orthonormal rows (Gram-Schmidt on a Gaussian matrix), each row scaled
// by the norm of a fresh Gaussian D-vector, so that a row is distributed as N(0, I) while the rows
// of a block stay orthogonal (Choromanski et al. 2020, section 2.4). A pure function of its
// arguments; the thread caches the last results.
[[nodiscard]] engine::Tensor orthogonal_projection(std::int64_t M, std::int64_t D, RandomKey key);

}  // namespace lra::attention
