#include "engine/fused/features/rotary.h"

#include <algorithm>
#include <cmath>

#include "engine/base/error.h"
#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

// Pairs of `width` features from `begin`, turned by position base^(-2m/width).
void turn(const Array& x, Array& y, std::int64_t row, double position, std::int64_t begin,
          std::int64_t width, double base, RotaryPairs pairs) {
  for (std::int64_t h = 0; h < x.shape[0]; ++h) {
    for (std::int64_t m = 0; m < width / 2; ++m) {
      const bool half = pairs == RotaryPairs::half;
      const std::int64_t a = begin + (half ? m : 2 * m);
      const std::int64_t b = begin + (half ? m + width / 2 : 2 * m + 1);
      const double angle =
          position * std::pow(base, -2 * static_cast<double>(m) / static_cast<double>(width));
      const double u = x.at({h, row, a});
      const double v = x.at({h, row, b});
      y.at({h, row, a}) = u * std::cos(angle) - v * std::sin(angle);
      y.at({h, row, b}) = u * std::sin(angle) + v * std::cos(angle);
    }
  }
}

void add(const std::string& name, const Shape& shape, std::int64_t length, RotaryPairs pairs) {
  OpCase c;
  c.inputs = {{"x", shape}};
  c.op = [=](const std::vector<Value>& in) {
    return rotate(in[0], rotation(length, shape[2], 100, pairs));
  };
  c.definition = [=](const std::vector<Array>& in) {
    Array y = in[0];
    for (std::int64_t i = 0; i < std::min(length, shape[1]); ++i) {
      turn(in[0], y, i, static_cast<double>(i), 0, shape[2], 100, pairs);
    }
    return y;
  };
  op_cases().add("rotate: " + name, c);
}

void add_image(const std::string& name, std::int64_t side, std::int64_t D, RotaryPairs pairs) {
  OpCase c;
  c.inputs = {{"x", {2, side * side, D}}};
  c.op = [=](const std::vector<Value>& in) {
    return rotate(in[0], rotation_2d(side, D, 100, pairs));
  };
  c.definition = [=](const std::vector<Array>& in) {
    Array y = in[0];
    for (std::int64_t i = 0; i < side * side; ++i) {
      turn(in[0], y, i, static_cast<double>(i / side), 0, D / 2, 100, pairs);
      turn(in[0], y, i, static_cast<double>(i % side), D / 2, D / 2, 100, pairs);
    }
    return y;
  };
  op_cases().add("rotate: " + name, c);
}

const bool registered = [] {
  add("interleaved", {2, 5, 6}, 5, RotaryPairs::interleaved);
  add("half", {2, 5, 6}, 8, RotaryPairs::half);
  add("an odd feature stays", {2, 4, 5}, 4, RotaryPairs::interleaved);
  add("rows beyond the table stay", {2, 6, 4}, 3, RotaryPairs::half);
  add_image("image, interleaved", 3, 8, RotaryPairs::interleaved);
  add_image("image, half", 2, 8, RotaryPairs::half);
  return true;
}();

}  // namespace

TEST_CASE("rotate: tables that do not fit are shape errors", "[unit]") {
  const Value x(Tensor::zeros({2, 4, 4}));
  CHECK_NOTHROW(rotate(x, rotation(4, 4, 100, RotaryPairs::half)));
  CHECK_THROWS_AS(rotate(x, rotation(4, 6, 100, RotaryPairs::half)), Error);
  CHECK_THROWS_AS(rotation_2d(2, 6, 100, RotaryPairs::half), Error);
}

}  // namespace lra::engine::testing
