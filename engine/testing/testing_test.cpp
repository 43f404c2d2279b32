// The checks themselves: they pass what is right and see what is wrong.

#include "engine/testing/testing.h"

#include <cmath>
#include <limits>

#include "engine/ops.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

const std::vector<Input>& inputs() {
  static const std::vector<Input> list{{"x", uniform({3, 4}, 1, -1, 1)},
                                       {"w", uniform({4, 2}, 2, -1, 1)},
                                       {"bias", uniform({2}, 3, -1, 1)}};
  return list;
}

Value right(const std::vector<Value>& in) { return tanh(linear(in[0], in[1], in[2])); }

Array definition(const std::vector<Array>& in) {
  Array y(Shape{3, 2});
  for_each_index(y.shape, [&](const Index& i) {
    double sum = in[2].at(i);
    for (std::int64_t k = 0; k < 4; ++k) sum += in[0].at({i[0], k}) * in[1].at({k, i[1]});
    y.at(i) = std::tanh(sum);
  });
  return y;
}

// x times `forward`, with the gradient of x times `backward`.
Value crooked(const Value& x, float forward, float backward) {
  Tensor y = x.tensor().clone();
  for (std::int64_t i = 0; i < y.numel(); ++i) y.f32()[i] *= forward;
  return Tape::record(y, {&x}, [=, gx = x.gradient()](const Tensor& dy) {
    Tensor dx = dy.clone();
    for (std::int64_t i = 0; i < dx.numel(); ++i) dx.f32()[i] *= backward;
    gx->add(dx);
  });
}

}  // namespace

TEST_CASE("testing: indices run in row-major order, arrays broadcast", "[unit]") {
  std::vector<Index> seen;
  for_each_index({2, 1, 2}, [&](const Index& i) { seen.push_back(i); });
  CHECK(seen == std::vector<Index>{{0, 0, 0}, {0, 0, 1}, {1, 0, 0}, {1, 0, 1}});
  for_each_index({2, 0}, [](const Index&) { FAIL("no entries"); });
  int scalars = 0;
  for_each_index({}, [&](const Index& i) { scalars += i.empty() ? 1 : 10; });
  CHECK(scalars == 1);
  Array a(Shape{3, 1});
  a.values = {1, 2, 3};
  CHECK(a.at({2, 0}) == 3);
  CHECK(a.at({7, 1, 5}) == 2);
  a.at({1, 0}) = 9;
  CHECK(a.values[1] == 9);
}

TEST_CASE("testing: drawn tensors depend on their seed alone and keep their range", "[unit]") {
  CHECK(identical(uniform({50}, 1, -2, 3), uniform({50}, 1, -2, 3)));
  CHECK(!identical(uniform({50}, 1, -2, 3), uniform({50}, 2, -2, 3)));
  for (const float x : uniform({1000}, 1, -2, 3).to_floats()) {
    CHECK(x >= -2);
    CHECK(x < 3);
  }
  CHECK(largest(to_array(normal({1000}, 1, 0.1)).values) < 0.5);
  const Tensor half = uniform({50}, 1, -2, 3, DType::bf16);
  CHECK(half.dtype() == DType::bf16);
  CHECK(identical(half, cast_tensor(uniform({50}, 1, -2, 3), DType::bf16)));
  CHECK(identical(to_tensor(to_array(half), DType::bf16), half));
}

TEST_CASE("testing: the metric is relative to the scale, NaN and lost entries are infinite",
          "[unit]") {
  const std::vector<double> expected{1, -4};
  CHECK(error(std::vector<double>{1, -4}, expected, 4) == 0);
  CHECK(error(std::vector<double>{1.5, -4}, expected, 4) == 0.125);
  CHECK(error(std::vector<double>{1.5, -4}, expected, 0) == 500);
  CHECK(std::isinf(error(std::vector<double>{1, std::nan("")}, expected, 4)));
  CHECK(std::isinf(error(std::vector<double>{1}, expected, 4)));
  CHECK(largest(expected) == 4);
}

TEST_CASE("testing: a right function passes both checks", "[grad]") {
  const Errors defined = check_definition(right, definition, inputs());
  INFO(defined.worst);
  CHECK(defined.output < 1e-6);
  CHECK(defined.gradient < 1e-6);
  const Errors differences = check_differences(right, inputs());
  INFO(differences.worst);
  CHECK(differences.gradient < 1e-3);
}

TEST_CASE("testing: wrong results and gradients are seen and named", "[grad]") {
  const auto with = [](float forward, float backward) {
    return [=](const std::vector<Value>& in) {
      return right({in[0], crooked(in[1], forward, backward), in[2]});
    };
  };
  const Errors output = check_definition(with(1.01F, 1), definition, inputs());
  CHECK(output.output > 1e-3);
  const Errors gradient = check_definition(with(1, 1.01F), definition, inputs());
  CHECK(gradient.output < 1e-6);
  CHECK(gradient.gradient > 5e-3);
  CHECK(gradient.worst.find("gradient of w") == 0);
  CHECK(check_differences(with(1, 1.01F), inputs()).gradient > 5e-3);
  CHECK(check_differences(with(1, -1), inputs()).gradient > 0.5);
  CHECK(check_differences(with(1, std::nanf("")), inputs()).gradient > 1e9);
  const DifferenceOptions directions_only{.max_entries = 0};
  CHECK(check_differences(right, inputs(), directions_only).gradient < 1e-3);
  CHECK(check_differences(with(1, 1.1F), inputs(), directions_only).gradient > 5e-3);
}

TEST_CASE("testing: a gradient that is not there counts as zero, a fixed input has none",
          "[grad]") {
  const auto lost = [](const std::vector<Value>& in) {
    return right({in[0], stop_gradient(in[1]), in[2]});
  };
  CHECK(check_definition(lost, definition, inputs()).gradient > 0.5);
  CHECK(check_differences(lost, inputs()).gradient > 0.5);
  std::vector<Input> fixed = inputs();
  fixed[1].differentiable = false;
  CHECK(check_definition(lost, definition, fixed).gradient < 1e-6);
  CHECK(check_differences(lost, fixed).gradient < 1e-3);
  const Array wrong_shape(Shape{6});
  CHECK(std::isinf(check_definition(
                       right, [&](const std::vector<Array>&) { return wrong_shape; }, inputs())
                       .output));
}

}  // namespace lra::engine::testing
