#include "attention/parts/positions.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lra::attention {

using engine::Tensor;

Angles angles(std::int64_t rows, std::int64_t length, double M) {
  struct Kept {
    std::int64_t rows = -1;
    std::int64_t length = -1;
    double M = 0;
    Angles angles;
  };
  thread_local Kept kept;
  if (kept.rows != rows || kept.length != length || kept.M != M) {
    const Angles tables{Tensor::zeros({rows}), Tensor::zeros({rows})};
    for (std::int64_t i = 0; i < std::min(rows, length); ++i) {
      const double angle = std::numbers::pi / 2 * static_cast<double>(i + 1) / M;
      tables.sin.f32()[i] = static_cast<float>(std::sin(angle));
      tables.cos.f32()[i] = static_cast<float>(std::cos(angle));
    }
    kept = {rows, length, M, tables};
  }
  return kept.angles;
}

}  // namespace lra::attention
