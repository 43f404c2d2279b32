#pragma once
// For tests of kernels and primitives: types, and comparisons of whole tensors.

#include <vector>

#include "engine/compute/primitives/primitives.h"
#include "engine/testing/testing.h"

namespace lra::engine::testing {

inline std::vector<DType> types() {
  return bf16_works() ? std::vector<DType>{DType::f32, DType::bf16}
                      : std::vector<DType>{DType::f32};
}

// The largest difference of two tensors, over the largest entry of the second.
inline double distance(const Tensor& a, const Tensor& b) {
  const std::vector<double> expected = to_array(b).values;
  return error(to_array(a).values, expected, largest(expected));
}

inline double error_of(const Tensor& actual, const Array& expected) {
  return error(to_array(actual).values, expected.values, largest(expected.values));
}

inline Tensor transpose_of(const Tensor& x) {
  const Tensor y({x.dim(1), x.dim(0)}, x.dtype());
  primitives::copy(primitives::transposed(primitives::view(x)), primitives::view(y));
  return y;
}

}  // namespace lra::engine::testing
