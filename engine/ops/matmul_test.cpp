#include "engine/ops/matmul.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/base/error.h"
#include "engine/ops/arithmetic.h"
#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

using lra::testing::ContainsSubstring;

// op(a) op(b) with sums in double.
Array product(const Array& a, const Array& b, bool transpose_a, bool transpose_b) {
  const std::int64_t inner = a.shape[transpose_a ? -2 : -1];
  Array c(broadcast_shape(a.shape, a.shape));
  for (int axis = 0; axis + 2 < a.shape.rank(); ++axis) {
    c.shape.set(axis, std::max(a.shape[axis], b.shape[axis]));
  }
  c.shape.set(-2, a.shape[transpose_a ? -1 : -2]);
  c.shape.set(-1, b.shape[transpose_b ? -2 : -1]);
  c = Array(c.shape);
  for_each_index(c.shape, [&](const Index& index) {
    const std::size_t row = index.size() - 2;
    const std::size_t column = index.size() - 1;
    double sum = 0;
    for (std::int64_t k = 0; k < inner; ++k) {
      Index left = index;
      Index right = index;
      left[row] = transpose_a ? k : index[row];
      left[column] = transpose_a ? index[row] : k;
      right[row] = transpose_b ? index[column] : k;
      right[column] = transpose_b ? k : index[column];
      sum += a.at(left) * b.at(right);
    }
    c.at(index) = sum;
  });
  return c;
}

Shape swapped(Shape shape, bool swap) {
  if (swap) {
    const std::int64_t last = shape[-1];
    shape.set(-1, shape[-2]);
    shape.set(-2, last);
  }
  return shape;
}

// a and b as they would be without transposition.
void add_matmul(const std::string& what, const Shape& a, const Shape& b, MatmulOptions o) {
  OpCase c;
  c.inputs = {{"a", swapped(a, o.transpose_a)}, {"b", swapped(b, o.transpose_b)}};
  c.op = [o](const std::vector<Value>& in) { return matmul(in[0], in[1], o); };
  c.definition = [o](const std::vector<Array>& in) {
    return product(in[0], in[1], o.transpose_a, o.transpose_b);
  };
  if (o.f32_result) c.bf16.output = 1e-6;  // products of bf16 are exact in f32
  op_cases().add(fmt::format("matmul: {}{}{}{}", what, o.transpose_a ? ", a^T" : "",
                             o.transpose_b ? ", b^T" : "", o.f32_result ? ", f32 result" : ""),
                 c);
}

bool register_matmul() {
  for (const bool transpose_a : {false, true}) {
    for (const bool transpose_b : {false, true}) {
      const MatmulOptions o{transpose_a, transpose_b, false};
      add_matmul("rank 2", {5, 7}, {7, 3}, o);
      add_matmul("rank 3", {2, 5, 7}, {2, 7, 3}, o);
      add_matmul("rank 4", {2, 3, 4, 5}, {2, 3, 5, 6}, o);
      add_matmul("a broadcast", {1, 5, 7}, {3, 7, 2}, o);
      add_matmul("b broadcast", {3, 5, 7}, {1, 7, 2}, o);
      add_matmul("both broadcast", {2, 1, 4, 5}, {1, 3, 5, 6}, o);
      add_matmul("f32", {3, 5, 7}, {1, 7, 2}, {transpose_a, transpose_b, true});
      add_matmul("one row", {1, 7}, {7, 3}, o);
      add_matmul("one column", {5, 7}, {7, 1}, o);
      add_matmul("outer product", {5, 1}, {1, 3}, o);
      add_matmul("one entry", {1, 1}, {1, 1}, o);
      add_matmul("no terms", {5, 0}, {0, 3}, o);
      add_matmul("no rows", {2, 0, 7}, {2, 7, 3}, o);
      add_matmul("no columns", {5, 7}, {7, 0}, o);
    }
  }
  add_matmul("longer than a vector register", {3, 37}, {37, 19}, {});
  OpCase square;
  square.inputs = {{"x", {5, 5}}};
  square.op = [](const std::vector<Value>& in) { return matmul(in[0], in[0]); };
  square.definition = [](const std::vector<Array>& in) {
    return product(in[0], in[0], false, false);
  };
  op_cases().add("matmul: x x", square);
  OpCase gram = square;
  gram.inputs = {{"x", {2, 5, 3}}};
  gram.op = [](const std::vector<Value>& in) {
    return matmul(in[0], in[0], {.transpose_b = true});
  };
  gram.definition = [](const std::vector<Array>& in) { return product(in[0], in[0], false, true); };
  return op_cases().add("matmul: x x^T", gram);
}
const bool kMatmulRegistered = register_matmul();

// y = residual + x w + bias, or relu(x w + bias).
Array linear_definition(const Array& x, const Array& w, const Array* bias, const Array* residual,
                        bool relu) {
  Shape shape = x.shape;
  shape.set(-1, w.shape[1]);
  Array y(shape);
  for_each_index(shape, [&](const Index& index) {
    double sum = bias != nullptr ? bias->at({index.back()}) : 0;
    for (std::int64_t k = 0; k < w.shape[0]; ++k) {
      Index from = index;
      from.back() = k;
      sum += x.at(from) * w.at({k, index.back()});
    }
    if (residual != nullptr) sum += residual->at(index);
    y.at(index) = relu ? std::max(0.0, sum) : sum;
  });
  return y;
}

void add_linear(const std::string& what, const Shape& x, std::int64_t F, bool with_bias,
                bool with_residual, bool with_relu) {
  OpCase c;
  Shape out = x;
  out.set(-1, F);
  c.inputs = {{"x", x}, {"w", {x[-1], F}}};
  if (with_bias) c.inputs.push_back({.name = "bias", .shape = {F}, .wide = true});
  if (with_residual) c.inputs.push_back({"residual", out});
  c.op = [=](const std::vector<Value>& in) {
    return linear(in[0], in[1], with_bias ? in[2] : Value(),
                  {with_relu, with_residual ? &in.back() : nullptr});
  };
  c.definition = [=](const std::vector<Array>& in) {
    return linear_definition(in[0], in[1], with_bias ? &in[2] : nullptr,
                             with_residual ? &in.back() : nullptr, with_relu);
  };
  op_cases().add(fmt::format("linear: {}{}{}{}", what, with_bias ? ", bias" : "",
                             with_residual ? ", residual" : "", with_relu ? ", relu" : ""),
                 c);
}

bool register_linear() {
  for (const bool bias : {false, true}) {
    for (const int extra : {0, 1, 2}) {
      const bool residual = extra == 1;
      const bool relu = extra == 2;
      add_linear("rank 1", {5}, 3, bias, residual, relu);
      add_linear("rank 2", {7, 5}, 3, bias, residual, relu);
      add_linear("rank 3", {2, 3, 5}, 6, bias, residual, relu);
      add_linear("one column", {7, 5}, 1, bias, residual, relu);
      add_linear("one feature", {7, 1}, 3, bias, residual, relu);
      add_linear("no rows", {0, 5}, 3, bias, residual, relu);
    }
  }
  add_linear("wide", {3, 33}, 19, true, false, true);
  OpCase self;
  self.inputs = {{"x", {3, 5}}, {"w", {5, 5}}, {.name = "bias", .shape = {5}, .wide = true}};
  self.op = [](const std::vector<Value>& in) {
    return linear(in[0], in[1], in[2], {.residual = &in[0]});
  };
  self.definition = [](const std::vector<Array>& in) {
    return linear_definition(in[0], in[1], &in[2], &in[0], false);
  };
  return op_cases().add("linear: x is the residual", self);
}
const bool kLinearRegistered = register_linear();

Value value(const Shape& shape, DType dtype = DType::f32) {
  return Value(uniform(shape, 1, -1, 1, dtype));
}

}  // namespace

TEST_CASE("matmul: operands that do not fit are shape errors", "[unit]") {
  CHECK_THROWS_AS(matmul(value({5, 7}), value({6, 3})), Error);
  CHECK_THROWS_AS(matmul(value({5, 7}), value({3, 7})), Error);
  CHECK_THROWS_AS(matmul(value({5, 7}), value({7, 3}), {.transpose_a = true}), Error);
  CHECK_THROWS_AS(matmul(value({2, 5, 7}), value({3, 7, 3})), Error);
  CHECK_THROWS_AS(matmul(value({2, 5, 7}), value({7, 3})), Error);
  CHECK_THROWS_AS(matmul(value({7}), value({7})), Error);
  CHECK_THROWS_WITH(matmul(value({5, 7}), value({6, 3})), ContainsSubstring("[5, 7]"));
}

TEST_CASE("matmul: mixed types are an error that names the operands", "[unit]") {
  const auto mixed = [] { return matmul(value({5, 7}, DType::bf16), value({7, 3})); };
  CHECK_THROWS_WITH(mixed(), ContainsSubstring("bf16"));
}

TEST_CASE("linear: operands that do not fit are shape errors", "[unit]") {
  const Value x = value({4, 5});
  const Value w = value({5, 3});
  const Value right = value({4, 3});
  CHECK_THROWS_AS(linear(x, value({4, 3}), Value()), Error);
  CHECK_THROWS_AS(linear(x, value({1, 5, 3}), Value()), Error);
  CHECK_THROWS_AS(linear(x, w, value({4})), Error);
  CHECK_THROWS_AS(linear(x, w, value({3, 2})), Error);
  CHECK_THROWS_AS(linear(x, w, Value(), {.relu = true, .residual = &right}), Error);
  for (const Shape& wrong : {Shape{4, 5}, Shape{3, 3}, Shape{3}, Shape{4, 3, 1}}) {
    const Value residual = value(wrong);
    CHECK_THROWS_AS(linear(x, w, Value(), {.residual = &residual}), Error);
  }
  CHECK_THROWS_AS(linear(value({4, 0}), value({0, 3}), Value()), Error);
}

}  // namespace lra::engine::testing
