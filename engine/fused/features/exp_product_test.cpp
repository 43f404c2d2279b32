#include "engine/fused/features/exp_product.h"

#include <algorithm>
#include <cmath>

#include "engine/base/error.h"
#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

constexpr std::int64_t D = 5;

// exp(min(a_i . b_j - r_i - c_j, 0)) + offset.
Array exp_product_definition(const Array& a, const Array& b, const Array* r, const Array* c,
                             double offset) {
  Array y(Shape{std::max(a.shape[0], b.shape[0]), a.shape[1], b.shape[1]});
  for_each_index(y.shape, [&](const Index& at) {
    const std::int64_t of_a = a.shape[0] == 1 ? 0 : at[0];
    const std::int64_t of_b = b.shape[0] == 1 ? 0 : at[0];
    double s = 0;
    for (std::int64_t d = 0; d < D; ++d) s += a.at({of_a, at[1], d}) * b.at({of_b, at[2], d});
    if (r != nullptr) s -= r->at({of_a, at[1], 0});
    if (c != nullptr) s -= c->at({of_b, at[2], 0});
    y.at(at) = std::exp(std::min(s, 0.0)) + offset;
  });
  return y;
}

// B and C are the batches of a and b. The exponents stay below 0, where the definition has slopes.
void add_exp_product(const std::string& name, std::int64_t B, std::int64_t C, std::int64_t n,
                     std::int64_t m, bool has_r, bool has_c, float offset) {
  OpCase c;
  const bool subtracted = has_r || has_c;
  c.inputs = {{"a", {B, n, D}, subtracted ? -1.0 : 0.05, 1.0},
              {"b", {C, m, D}, -1.0, subtracted ? 1.0 : -0.05}};
  if (has_r)
    c.inputs.push_back({.name = "r", .shape = {B, n, 1}, .low = 5, .high = 6, .wide = true});
  if (has_c) {
    const double low = has_r ? -0.5 : 5;
    c.inputs.push_back(
        {.name = "c", .shape = {C, m, 1}, .low = low + 0.5, .high = low + 1, .wide = true});
  }
  c.op = [has_r, has_c, offset](const std::vector<Value>& in) {
    return exp_product(in[0], in[1], has_r ? in[2] : Value(), has_c ? in.back() : Value(), offset);
  };
  c.definition = [has_r, has_c, offset](const std::vector<Array>& in) {
    return exp_product_definition(in[0], in[1], has_r ? &in[2] : nullptr,
                                  has_c ? &in.back() : nullptr, double{offset});
  };
  c.f32 = {4e-6, 8e-6};
  c.bf16 = {2e-2, 4e-2};
  op_cases().add("exp_product: " + name, c);
}

const bool exp_product_registered = [] {
  add_exp_product("alone", 2, 2, 4, 3, false, false, 0);
  add_exp_product("rows subtracted", 2, 2, 4, 3, true, false, 0.1F);
  add_exp_product("columns subtracted", 2, 2, 4, 3, false, true, 0.1F);
  add_exp_product("both subtracted", 2, 2, 4, 3, true, true, 0);
  add_exp_product("one a for all", 1, 3, 4, 2, true, true, 0.2F);
  add_exp_product("one b for all", 3, 1, 2, 4, true, true, 0.2F);
  add_exp_product("many rows", 1, 1, 300, 7, true, true, 0);
  return true;
}();

}  // namespace

TEST_CASE("exp_product: exponents above 0 count as 0, with the slope at 0", "[unit]") {
  Tape tape;
  const Value a = tape.leaf(Tensor::full({1, 1, 1}, 2));
  const Value b = tape.leaf(Tensor::full({1, 1, 1}, 3));
  const Value y = exp_product(a, b, {}, {});
  tape.backward(y, Tensor::full({1, 1, 1}, 1));
  CHECK(y.tensor().f32()[0] == 1);
  CHECK(a.gradient()->value().f32()[0] == 3);
  CHECK(b.gradient()->value().f32()[0] == 2);
}

TEST_CASE("exp_product: operands that do not fit are shape errors", "[unit]") {
  const auto run = [](const Shape& a, const Shape& b, const Shape& r, const Shape& c) {
    static_cast<void>(exp_product(Value(Tensor::zeros(a)), Value(Tensor::zeros(b)),
                                  Value(Tensor::zeros(r)), Value(Tensor::zeros(c))));
  };
  CHECK_NOTHROW(run({2, 3, 4}, {2, 5, 4}, {2, 3, 1}, {2, 5, 1}));
  CHECK_NOTHROW(run({1, 3, 4}, {2, 5, 4}, {1, 3, 1}, {2, 5, 1}));
  CHECK_NOTHROW(run({2, 3, 4}, {1, 5, 4}, {2, 3, 1}, {1, 5, 1}));
  CHECK_THROWS_AS(run({3, 3, 4}, {2, 5, 4}, {3, 3, 1}, {2, 5, 1}), Error);
  CHECK_THROWS_AS(run({2, 3, 4}, {2, 5, 3}, {2, 3, 1}, {2, 5, 1}), Error);
  CHECK_THROWS_AS(run({2, 3, 4}, {2, 5, 4}, {2, 5, 1}, {2, 5, 1}), Error);
  CHECK_THROWS_AS(run({2, 3, 4}, {2, 5, 4}, {2, 3, 1}, {2, 3, 1}), Error);
  CHECK_THROWS_AS(run({2, 3, 4}, {2, 5, 4}, {1, 3, 1}, {2, 5, 1}), Error);
}

TEST_CASE("exp_product: the largest product of each row", "[unit]") {
  const Tensor a = normal({2, 7, 3}, 1);
  for (const std::int64_t batch : {1, 2}) {
    const Tensor b = normal({batch, 9, 3}, 2);
    const Tensor y = largest_product(a, b);
    REQUIRE(y.shape() == Shape{2, 7, 1});
    const Array x = to_array(a);
    const Array z = to_array(b);
    for_each_index(y.shape(), [&](const Index& at) {
      double largest = -1e300;
      for (std::int64_t j = 0; j < 9; ++j) {
        double s = 0;
        for (std::int64_t d = 0; d < 3; ++d) {
          s += x.at({at[0], at[1], d}) * z.at({batch == 1 ? 0 : at[0], j, d});
        }
        largest = std::max(largest, s);
      }
      CHECK(to_array(y).at(at) == lra::testing::Approx(largest).epsilon(1e-5));
    });
  }
}

}  // namespace lra::engine::testing
