#include "engine/ops/reduce.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/error.h"
#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

// Folds an axis, which stays with size 1.
Definition folding(int axis, double start, const std::function<double(double, double)>& fold,
                   bool average = false) {
  return [=](const std::vector<Array>& in) {
    Shape shape = in[0].shape;
    shape.set(axis, 1);
    Array y(shape);
    std::fill(y.values.begin(), y.values.end(), start);
    for_each_index(in[0].shape, [&](const Index& i) { y.at(i) = fold(y.at(i), in[0].at(i)); });
    if (average) {
      for (double& value : y.values) value /= static_cast<double>(in[0].shape[axis]);
    }
    return y;
  };
}

Definition running_sum(int axis, bool reverse) {
  return [=](const std::vector<Array>& in) {
    Array y(in[0].shape);
    const auto position = static_cast<std::size_t>(in[0].shape.axis(axis));
    for_each_index(y.shape, [&](const Index& index) {
      const std::int64_t n = y.shape[axis];
      double sum = 0;
      for (std::int64_t i = reverse ? index[position] : 0; i < (reverse ? n : index[position] + 1);
           ++i) {
        Index from = index;
        from[position] = i;
        sum += in[0].at(from);
      }
      y.at(index) = sum;
    });
    return y;
  };
}

void add(const std::string& name, const Shape& shape, int axis, Value (*op)(const Value&, int),
         Definition definition, Bound bf16 = {6e-3, 1.2e-2}) {
  OpCase c;
  c.inputs = {{"x", shape}};
  c.op = [=](const std::vector<Value>& in) { return op(in[0], axis); };
  c.definition = std::move(definition);
  c.bf16 = bf16;
  op_cases().add(name + ": axis " + std::to_string(axis) + " of " + shape.text(), c);
}

bool register_all() {
  const auto plus = [](double a, double b) { return a + b; };
  const auto larger = [](double a, double b) { return std::max(a, b); };
  const std::vector<Shape> shapes{{7},     {5, 3}, {2, 3, 5}, {2, 3, 4, 5}, {1, 3}, {3, 1},
                                  {37, 5}, {3, 2}, {1},       {0, 3},       {3, 0}, {2, 0, 3}};
  for (const Shape& shape : shapes) {
    for (int axis = -1; axis < shape.rank(); ++axis) {
      if (axis == -1 && shape.rank() != 3) continue;
      add("sum", shape, axis, sum, folding(axis, 0, plus));
      add("sum_f32", shape, axis, sum_f32, folding(axis, 0, plus), {1e-6, 1.2e-2});
      for (const bool reverse : {false, true}) {
        OpCase c;
        c.inputs = {{"x", shape}};
        c.op = [=](const std::vector<Value>& in) { return cumulative_sum(in[0], axis, reverse); };
        c.definition = running_sum(axis, reverse);
        op_cases().add("cumulative_sum: axis " + std::to_string(axis) + " of " + shape.text() +
                           (reverse ? " from the end" : ""),
                       c);
      }
      if (shape[axis] == 0) continue;  // nothing to choose from or to divide by
      add("mean", shape, axis, mean, folding(axis, 0, plus, true));
      add("max", shape, axis, max, folding(axis, -std::numeric_limits<double>::infinity(), larger));
    }
  }
  return true;
}
const bool kRegistered = register_all();

}  // namespace

TEST_CASE("max: the gradient goes to the first largest entry", "[unit]") {
  Tape tape;
  const Value x = tape.leaf(Tensor::from({2, 4}, std::vector<float>{1, 3, 3, 2, -5, -5, -6, -5}));
  const Value rows = max(x, 1);
  tape.backward(rows, Tensor::from({2, 1}, std::vector<float>{10, 20}));
  CHECK(rows.tensor().to_floats() == std::vector<float>{3, -5});
  CHECK(x.gradient()->value().to_floats() == std::vector<float>{0, 10, 0, 0, 20, 0, 0, 0});
}

TEST_CASE("reductions: an axis that is not there, or has no largest entry, is an error", "[unit]") {
  const Value x(uniform({2, 3}, 1, -1, 1));
  for (const int axis : {2, -3}) {
    CHECK_THROWS_AS(sum(x, axis), Error);
    CHECK_THROWS_AS(sum_f32(x, axis), Error);
    CHECK_THROWS_AS(mean(x, axis), Error);
    CHECK_THROWS_AS(max(x, axis), Error);
    CHECK_THROWS_AS(cumulative_sum(x, axis), Error);
  }
  const Value empty(Tensor::zeros({2, 0}));
  CHECK_THROWS_AS(max(empty, 1), Error);
  CHECK_THROWS_AS(mean(empty, 1), Error);
}

TEST_CASE("sum_f32: bf16 values are summed in f32", "[unit]") {
  if (!bf16_works()) return;
  const std::int64_t n = 2003;  // bf16 has multiples of 8 there; a sum in bf16 would stop at 256
  const Value row(Tensor::full({1, n}, 1.0F, DType::bf16));
  const Value column(Tensor::full({n, 1}, 1.0F, DType::bf16));
  CHECK(sum_f32(row, 1).dtype() == DType::f32);
  CHECK(sum_f32(row, 1).tensor().to_floats()[0] == 2003);
  CHECK(sum_f32(column, 0).tensor().to_floats()[0] == 2003);
  CHECK(sum(row, 1).dtype() == DType::bf16);
  CHECK(sum(row, 1).tensor().to_floats()[0] == 2000);
  CHECK(sum(column, 0).tensor().to_floats()[0] == 2000);
}

TEST_CASE("cumulative_sum: bf16 values are summed in f32 and rounded once each", "[unit]") {
  const std::int64_t n = 600;
  const Value x(Tensor::full({n, 1}, 1.0F, DType::bf16));
  const std::vector<float> y = cumulative_sum(x, 0).tensor().to_floats();
  for (std::size_t i = 0; i < y.size(); ++i) {
    const auto exact = static_cast<float>(i + 1);
    CHECK(y[i] == to_float(to_bfloat16(exact)));
  }
}

}  // namespace lra::engine::testing
