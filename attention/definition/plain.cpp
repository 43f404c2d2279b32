#include "attention/definition/plain.h"

#include <algorithm>

namespace lra::attention {

Plain to_plain(const engine::Tensor& tensor) {
  Plain plain(tensor.shape());
  const std::vector<float> values = tensor.to_floats();
  std::copy(values.begin(), values.end(), plain.data.begin());
  return plain;
}

Plain first_rows(const engine::Tensor& tensor, std::int64_t n) {
  engine::Shape shape = tensor.shape();
  const std::int64_t all = shape[-2] * shape[-1];
  const std::int64_t kept = n * shape[-1];
  const std::int64_t parts = tensor.numel() / all;
  shape.set(-2, n);
  Plain plain(shape);
  const std::vector<float> values = tensor.to_floats();
  for (std::int64_t part = 0; part < parts; ++part) {
    std::copy_n(values.begin() + part * all, kept, plain.data.begin() + part * kept);
  }
  return plain;
}

}  // namespace lra::attention
