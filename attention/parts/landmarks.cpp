#include "attention/parts/landmarks.h"

namespace lra::attention {

Value group_sums(const Value& x, std::int64_t n, std::int64_t size, std::int64_t groups) {
  const std::int64_t H = x.dim(0);
  const std::int64_t N = x.dim(1);
  const std::int64_t D = x.dim(2);
  const Tensor group({H, N}, DType::i32);
  for (std::int64_t h = 0; h < H; ++h) {
    for (std::int64_t i = 0; i < N; ++i) {
      group.i32()[h * N + i] = static_cast<std::int32_t>(i < n ? h * groups + i / size : -1);
    }
  }
  const Value rows = reshape(cast(x, DType::f32), {H * N, D});
  return reshape(scatter_add_rows(rows, group, H * groups), {H, groups, D});
}

}  // namespace lra::attention
