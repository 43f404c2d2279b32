#include "engine/ops/norm.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/error.h"
#include "engine/ops/shape.h"
#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

using lra::testing::Approx;

// Calls f(row) for every row along the last axis, which it may change.
Array row_wise(Array x, const std::function<void(std::span<double>)>& f) {
  const auto C = static_cast<std::size_t>(x.shape[-1]);
  for (std::size_t at = 0; at < x.values.size(); at += C) {
    f(std::span<double>(x.values).subspan(at, C));
  }
  return x;
}

void add_layer_norm(const Shape& shape, float eps) {
  OpCase c;
  c.inputs = {{"x", shape},
              {.name = "gamma", .shape = {shape[-1]}, .low = 0.5, .wide = true},
              {.name = "beta", .shape = {shape[-1]}, .wide = true}};
  c.op = [eps](const std::vector<Value>& in) { return layer_norm(in[0], in[1], in[2], eps); };
  c.definition = [eps](const std::vector<Array>& in) {
    return row_wise(in[0], [&](std::span<double> row) {
      const auto C = static_cast<double>(row.size());
      double mean = 0;
      for (const double x : row) mean += x / C;
      double variance = 0;
      for (const double x : row) variance += (x - mean) * (x - mean) / C;
      for (std::size_t i = 0; i < row.size(); ++i) {
        const double normal = (row[i] - mean) / std::sqrt(variance + static_cast<double>(eps));
        row[i] = normal * in[1].values[i] + in[2].values[i];
      }
    });
  };
  // The division by a deviation below 1 magnifies the rounding of x - mean.
  c.f32 = {3e-6, 6e-6};
  op_cases().add("layer_norm: " + shape.text() + " eps " + std::to_string(eps), c);
}

void softmax_row(std::span<double> row, bool logarithm) {
  const double top = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (const double x : row) sum += std::exp(x - top);
  for (double& x : row) x = logarithm ? x - top - std::log(sum) : std::exp(x - top) / sum;
}

void add_softmax(const Shape& shape, double range) {
  OpCase c;
  c.inputs = {{"x", shape, -range, range}};
  c.f32 = {2e-6, 4e-6};
  c.bf16 = {1.2e-2, 2e-2};  // the primitive keeps x - max in the result's type for a while
  if (range > 10) {         // a logit of 40 in f32 is good to 2e-6, in bf16 to 0.1
    c.f32 = {8e-6, 2e-5};
    c.bf16 = {0, 0};
  }
  const std::string what = shape.text() + " within " + std::to_string(range);
  c.op = [](const std::vector<Value>& in) { return softmax(in[0]); };
  c.definition = [](const std::vector<Array>& in) {
    return row_wise(in[0], [](std::span<double> row) { softmax_row(row, false); });
  };
  op_cases().add("softmax: " + what, c);
  c.op = [](const std::vector<Value>& in) { return log_softmax(in[0]); };
  c.definition = [](const std::vector<Array>& in) {
    return row_wise(in[0], [](std::span<double> row) { softmax_row(row, true); });
  };
  // The primitive's logarithm is wrong by up to 2e-6: seen where all results are 0.
  if (shape[-1] == 1) c.f32 = {4e-3, 4e-3};
  op_cases().add("log_softmax: " + what, c);
}

// Every third entry of the mask forbids, and all of its first row.
void add_masked(const Shape& shape, const Shape& mask_shape) {
  OpCase c;
  std::vector<float> mask(static_cast<std::size_t>(mask_shape.numel()));
  for (std::size_t i = 0; i < mask.size(); ++i) {
    const bool first_row = static_cast<std::int64_t>(i) < mask_shape[-1] && mask_shape.rank() > 1;
    mask[i] = i % 3 == 0 || first_row ? 0 : 1;
  }
  c.inputs = {{"x", shape, -4, 4}};
  c.op = [=](const std::vector<Value>& in) {
    return masked_softmax(in[0], Tensor::from(mask_shape, mask));
  };
  c.definition = [=](const std::vector<Array>& in) {
    Array allow(mask_shape);
    allow.values.assign(mask.begin(), mask.end());
    Array top(shape);
    Array sum(shape);
    Array y(shape);
    top.shape.set(-1, 1);
    sum.shape.set(-1, 1);
    std::fill(top.values.begin(), top.values.end(), -1e300);
    for_each_index(shape, [&](const Index& i) {
      if (allow.at(i) != 0) top.at(i) = std::max(top.at(i), in[0].at(i));
    });
    for_each_index(shape, [&](const Index& i) {
      if (allow.at(i) != 0) sum.at(i) += std::exp(in[0].at(i) - top.at(i));
    });
    for_each_index(shape, [&](const Index& i) {
      if (allow.at(i) != 0) y.at(i) = std::exp(in[0].at(i) - top.at(i)) / sum.at(i);
    });
    return y;
  };
  c.f32 = {2e-6, 4e-6};
  op_cases().add("masked_softmax: " + shape.text() + " by " + mask_shape.text(), c);
}

bool register_all() {
  for (const Shape& shape :
       {Shape{7}, Shape{5, 3}, Shape{2, 3, 17}, Shape{67, 33}, Shape{3, 1}, Shape{0, 5}}) {
    add_layer_norm(shape, 1e-5F);
    add_layer_norm(shape, 0.1F);
  }
  for (const Shape& shape : {Shape{7}, Shape{5, 3}, Shape{2, 3, 17}, Shape{5, 67}, Shape{3, 1},
                             Shape{0, 5}, Shape{5, 0}}) {
    add_softmax(shape, 2);
    add_softmax(shape, 40);
  }
  add_masked({4, 7}, {4, 7});
  add_masked({4, 7}, {7});
  add_masked({2, 3, 7}, {3, 7});
  add_masked({2, 3, 7}, {2, 1, 7});
  add_masked({2, 3, 7}, {2, 3, 1});
  return true;
}
const bool kRegistered = register_all();

Value value(const Shape& shape, DType dtype = DType::f32) {
  return Value(uniform(shape, 1, -1, 1, dtype));
}

}  // namespace

TEST_CASE("softmax: logits of thousands and single minus infinities", "[unit]") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Tape tape;
  const Value x = tape.leaf(Tensor::from(
      {3, 3}, std::vector<float>{5000, 4999, -5000, -kInfinity, 1, 1, -9000, -9000, -9000}));
  const Value y = softmax(x);
  const std::vector<float> p = y.tensor().to_floats();
  CHECK(p[0] == Approx(1 / (1 + std::exp(-1))));
  CHECK(p[2] == 0);
  CHECK(p[3] == 0);
  CHECK(p[4] == Approx(0.5));
  CHECK(p[8] == Approx(1.0 / 3));
  tape.backward(y, uniform({3, 3}, 1, -1, 1));
  for (const float d : x.gradient()->value().to_floats()) CHECK(std::isfinite(d));
  CHECK(x.gradient()->value().to_floats()[3] == 0);
}

TEST_CASE("masked_softmax: forbidden entries and rows are exactly 0, forward and backward",
          "[unit]") {
  for (const DType type : {DType::f32, DType::bf16}) {
    if (type == DType::bf16 && !bf16_works()) continue;
    Tape tape;
    const Value x = tape.leaf(uniform({2, 4}, 3, -50, 50, type));
    const Tensor allow = Tensor::from({2, 4}, std::vector<float>{1, 0, 1, 0, 0, 0, 0, 0});
    const Value y = masked_softmax(x, allow);
    tape.backward(y, uniform({2, 4}, 4, -1, 1, type));
    const std::vector<float> p = y.tensor().to_floats();
    const std::vector<float> d = x.gradient()->value().to_floats();
    CHECK(p[0] + p[2] == Approx(1).epsilon(0.01));
    for (const std::size_t i : {1U, 3U, 4U, 5U, 6U, 7U}) {
      CHECK(p[i] == 0);
      CHECK(d[i] == 0);
    }
  }
}

TEST_CASE("layer_norm: a constant row gives beta, not NaN", "[unit]") {
  Tape tape;
  const Value x = tape.leaf(Tensor::full({2, 5}, 3));
  const Value y = layer_norm(x, value({5}), value({5}), 1e-5F);
  tape.backward(y, uniform({2, 5}, 2, -1, 1));
  CHECK(error(to_array(y.tensor()).values,
              to_array(expand_tensor(value({5}).tensor(), {2, 5})).values, 1) < 1e-6);
  for (const float d : x.gradient()->value().to_floats()) CHECK(std::isfinite(d));
}

TEST_CASE("layer_norm: gains and offsets of another size or type are shape errors", "[unit]") {
  CHECK_THROWS_AS(layer_norm(value({2, 5}), value({4}), value({5}), 1e-5F), Error);
  CHECK_THROWS_AS(layer_norm(value({2, 5}), value({5}), value({6}), 1e-5F), Error);
  CHECK_THROWS_AS(layer_norm(value({2, 5}), value({5}, DType::bf16), value({5}), 1e-5F), Error);
  CHECK_THROWS_AS(layer_norm(value({2, 5}), value({5}), value({5}, DType::bf16), 1e-5F), Error);
  CHECK_THROWS_AS(layer_norm(value({2, 0}), value({0}), value({0}), 1e-5F), Error);
}

TEST_CASE("masked_softmax: a mask that does not broadcast is a shape error", "[unit]") {
  CHECK_THROWS_AS(masked_softmax(value({2, 5}), Tensor::full({2, 4}, 1)), Error);
  CHECK_THROWS_AS(masked_softmax(value({2, 5}), Tensor::full({3, 2, 5}, 1)), Error);
}

}  // namespace lra::engine::testing
