#pragma once
// The table of operations for the generic test op_cases_test.cpp: each ops/*_test.cpp adds its
// operations, with every option and pattern of shapes, and their definitions in doubles. Cases are
// named "operation: special feature"; a test asserts that every operation of ops/*.h has a case.

#include <functional>
#include <string>
#include <vector>

#include "engine/base/registry.h"
#include "engine/testing/testing.h"

namespace lra::engine::testing {

// Values of an input of a case: uniform in [low, high], or given.
struct Draw {
  std::string name;
  Shape shape;
  double low = -1.5;
  double high = 1.5;
  bool fixed = false;  // has no gradient
  bool wide = false;   // stays f32 when the case runs in bf16 (biases, gains, tables)
  std::vector<float> values{};
};

// Largest errors allowed, in the metric of error().
struct Bound {
  double output;
  double gradient;
};

struct OpCase {
  std::vector<Draw> inputs;
  Function op;
  Definition definition;
  // Sums of a few f32 products: a few ulps (6e-8) of the largest entry.
  Bound f32{1e-6, 2e-6};
  // One rounding to 8 bits (at most 2^-8 = 0.004) and a small second one in the result, up to three
  // in the gradient. Zero: the operation is offered in f32 only.
  Bound bf16{6e-3, 1.2e-2};
};

[[nodiscard]] Registry<OpCase>& op_cases();
// The inputs of a case, all in `dtype` except the wide ones.
[[nodiscard]] std::vector<Input> draw_inputs(const std::string& name, const OpCase& op_case,
                                             DType dtype);

// Definitions shared by many cases.
[[nodiscard]] Definition pointwise(std::function<double(double)> f);
[[nodiscard]] Definition pointwise(std::function<double(double, double)> f);  // broadcasts
[[nodiscard]] Shape broadcast_shape(const Shape& a, const Shape& b);

}  // namespace lra::engine::testing
