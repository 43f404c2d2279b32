#include "attention/parts/positions.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lra::attention {

using engine::Tensor;

constexpr double kRotaryBase = 10000;

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

void OptionalRotary::build(const Dimensions& d) {
  if (!on_) return;
  rotation_ =
      engine::rotation(d.max_length, d.head_dim, kRotaryBase, engine::RotaryPairs::interleaved);
}

// The angles of two tokens' pairs differ by (i - j) theta.
double OptionalRotary::product(const Plain& q, const Plain& k, std::int64_t h, std::int64_t i,
                               std::int64_t j) const {
  double sum = dot(q, k, h, i, j);
  if (!on_) return sum;
  for (std::int64_t m = 0; m < q.dim(2) / 2; ++m) {
    const double theta =
        std::pow(kRotaryBase, -2 * static_cast<double>(m) / static_cast<double>(q.dim(2)));
    const double angle = static_cast<double>(i - j) * theta;
    const double a = q(h, i, 2 * m);
    const double b = q(h, i, 2 * m + 1);
    const double c = k(h, j, 2 * m);
    const double d = k(h, j, 2 * m + 1);
    sum += (std::cos(angle) - 1) * (a * c + b * d) + std::sin(angle) * (a * d - b * c);
  }
  return sum;
}

}  // namespace lra::attention
