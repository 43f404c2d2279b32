#include "attention/parts/blocks.h"

#include <algorithm>

#include "engine/ops.h"

namespace lra::attention {
namespace {

std::int64_t block_count(std::int64_t N, std::int64_t c) { return (N + c - 1) / c; }

}  // namespace

engine::Value cut_blocks(const engine::Value& x, std::int64_t n, std::int64_t c) {
  const std::int64_t C = block_count(x.dim(1), c);
  return reshape(pad(mask_rows(x, n), 1, 0, C * c - x.dim(1)), {x.dim(0) * C, c, x.dim(2)});
}

engine::Value join_blocks(const engine::Value& x, std::int64_t heads, std::int64_t N) {
  return slice(reshape(x, {heads, x.dim(0) / heads * x.dim(1), x.dim(2)}), 1, 0, N);
}

engine::Tensor block_admissible(std::int64_t N, std::int64_t n, std::int64_t c, bool causal) {
  const std::int64_t rows = block_count(N, c) * c;
  if (rows == n && !causal) return {};
  engine::Tensor allow = engine::Tensor::zeros({1, rows, c});
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t begin = i / c * c;
    std::fill_n(allow.f32() + i * c, std::min(causal ? i + 1 - begin : c, n - begin), 1.0F);
  }
  return allow;
}

}  // namespace lra::attention
