#include "attention/positions.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lra::attention {
namespace {

using engine::BFloat16;
using engine::DType;
using engine::Tensor;

void fill_row(const Tensor& table, std::int64_t row, double value) {
  const std::int64_t D = table.dim(2);
  if (table.dtype() == DType::bf16) {
    std::fill_n(table.bf16() + row * D, D, engine::to_bfloat16(static_cast<float>(value)));
  } else {
    std::fill_n(table.f32() + row * D, D, static_cast<float>(value));
  }
}

}  // namespace

Angles angles(const engine::Shape& like, double M, DType dtype) {
  struct Kept {
    engine::Shape shape;
    double M = 0;
    DType dtype = DType::f32;
    Angles angles;
  };
  thread_local Kept kept;
  const engine::Shape shape{1, like[1], like[2]};
  if (!(kept.shape == shape && kept.M == M && kept.dtype == dtype)) {
    const Tensor sine(shape, dtype);
    const Tensor cosine(shape, dtype);
    for (std::int64_t i = 0; i < like[1]; ++i) {
      const double angle = std::numbers::pi / 2 * static_cast<double>(i + 1) / M;
      fill_row(sine, i, std::sin(angle));
      fill_row(cosine, i, std::cos(angle));
    }
    kept = {shape, M, dtype, {engine::Value(sine), engine::Value(cosine)}};
  }
  return kept.angles;
}

}  // namespace lra::attention
