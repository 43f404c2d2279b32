#include "attention/parts/masks.h"

#include <algorithm>

namespace lra::attention {

engine::Tensor admissible(std::int64_t N, std::int64_t M, std::int64_t m, bool causal) {
  engine::Tensor allow = engine::Tensor::zeros({1, N, M});
  for (std::int64_t i = 0; i < N; ++i) {
    std::fill_n(allow.f32() + i * M, causal ? std::min(i + 1, m) : m, 1.0F);
  }
  return allow;
}

}  // namespace lra::attention
