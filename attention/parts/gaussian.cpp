#include "attention/parts/gaussian.h"

#include <cmath>

#include "engine/fused/features/exp_product.h"
#include "engine/ops.h"

namespace lra::attention {

engine::Value half_squares(const engine::Value& x) {
  return sum_f32(square(cast(x, engine::DType::f32)), 2) * 0.5F;
}

engine::Value gaussian_kernel(const engine::Value& a, const engine::Value& b) {
  return exp_product(a, b, half_squares(a), half_squares(b));
}

double gaussian_kernel(const Plain& a, const Plain& b, std::int64_t h, std::int64_t i,
                       std::int64_t j, double scale) {
  double squared = 0;
  for (std::int64_t c = 0; c < a.dim(2); ++c) squared += std::pow(a(h, i, c) - b(h, j, c), 2);
  return std::exp(-scale * squared / 2);
}

}  // namespace lra::attention
