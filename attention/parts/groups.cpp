#include "attention/parts/groups.h"

#include <algorithm>

#include "engine/ops.h"

namespace lra::attention {

using engine::DType;
using engine::Shape;
using engine::Tensor;
using engine::Value;

namespace {

// [I I] or, transposed, [I; I]: repeats or adds pairs of rows when multiplied.
Value pair_matrix(std::int64_t C, bool adds, DType dtype) {
  const Tensor t = Tensor::zeros(adds ? Shape{2 * C, C} : Shape{C, 2 * C});
  for (std::int64_t i = 0; i < 2 * C; ++i) t.f32()[adds ? i * C + i % C : i % C * 2 * C + i] = 1;
  return cast(Value(t), dtype);
}
}  // namespace

Value coarsen(const Value& x) {
  const Value pairs = reshape(x, {x.dim(0) * x.dim(1) / 2, 2 * x.dim(2)});
  return reshape(matmul(pairs, pair_matrix(x.dim(2), true, x.dtype())),
                 {x.dim(0), x.dim(1) / 2, x.dim(2)});
}

Value refine(const Value& x) {
  const Shape twice{x.dim(0), 2 * x.dim(1), x.dim(2)};
  if (x.dim(2) == 1) return reshape(expand(x, {x.dim(0), x.dim(1), 2}), twice);
  const Value rows = reshape(x, {x.dim(0) * x.dim(1), x.dim(2)});
  return reshape(matmul(rows, pair_matrix(x.dim(2), false, x.dtype())), twice);
}

std::int64_t group_count(std::int64_t n, std::int64_t g, std::int64_t size) {
  return std::clamp<std::int64_t>(n - g * size, 0, size);
}

Value group_means(const Value& sums, std::int64_t n, std::int64_t size) {
  const Tensor inverse({1, sums.dim(1), 1}, DType::f32);
  for (std::int64_t g = 0; g < sums.dim(1); ++g) {
    const std::int64_t count = std::max<std::int64_t>(group_count(n, g, size), 1);
    inverse.f32()[g] = 1.0F / static_cast<float>(count);
  }
  return sums * Value(inverse);
}

}  // namespace lra::attention
