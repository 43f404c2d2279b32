#include "engine/ops/arithmetic.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/error.h"
#include "engine/base/random.h"
#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

using lra::testing::ContainsSubstring;

using BinaryOp = Value (*)(const Value&, const Value&);

struct Operator {
  const char* name;
  BinaryOp op;
  double (*f)(double, double);
};
const std::vector<Operator>& operators() {
  static const std::vector<Operator> list{
      {"operator+", operator+, [](double a, double b) { return a + b; }},
      {"operator-", operator-, [](double a, double b) { return a - b; }},
      {"operator*", operator*, [](double a, double b) { return a * b; }},
      {"operator/", operator/, [](double a, double b) { return a / b; }},
      {"maximum", maximum, [](double a, double b) { return std::max(a, b); }}};
  return list;
}

// Even or odd multiples of 1/32 below 4 in magnitude, which bf16 has.
std::vector<float> multiples(const Shape& shape, std::uint32_t odd) {
  RandomStream stream(RandomKey(static_cast<std::uint64_t>(shape.numel())).of(odd));
  std::vector<float> values(static_cast<std::size_t>(shape.numel()));
  for (float& x : values) {
    x = (static_cast<float>(2 * stream.below(64) + odd) - 64) / 32;
  }
  return values;
}

void add(const Operator& o, const std::string& what, Draw a, Draw b) {
  OpCase c;
  if (o.op == static_cast<BinaryOp>(operator/)) {  // away from 0
    b.low = 0.5;
    b.high = 2;
  }
  if (o.op == maximum) {  // never equal, also in bf16
    a.values = multiples(a.shape, 0);
    b.values = multiples(b.shape, 1);
  }
  c.bf16.gradient = 2.5e-2;  // of an operand that is repeated: a sum of rounded terms that cancel
  c.inputs = {std::move(a), std::move(b)};
  c.op = [op = o.op](const std::vector<Value>& in) { return op(in[0], in[1]); };
  c.definition = pointwise(std::function<double(double, double)>(o.f));
  op_cases().add(o.name + (": " + what), c);
}

// Every way in which the axes of two operands of ranks 0 to 3 can be present, 1 or of full size.
bool register_broadcasts() {
  const Shape full{2, 3, 5};
  std::vector<Shape> shapes;
  for (unsigned ones = 0; ones < 8; ++ones) {
    for (int missing = 0; missing < 3; ++missing) {
      std::vector<std::int64_t> dims;
      bool distinct = true;
      for (int axis = missing; axis < 3; ++axis) {
        dims.push_back((ones >> static_cast<unsigned>(axis)) & 1U ? 1 : full[axis]);
      }
      for (int axis = 0; axis < missing; ++axis) {
        distinct = distinct && ((ones >> static_cast<unsigned>(axis)) & 1U) == 0;
      }
      if (distinct) shapes.emplace_back(dims);
    }
  }
  for (const Operator& o : operators()) {
    for (const Shape& a : shapes) {
      for (const Shape& b : shapes) {
        if (a.rank() != 3 && b.rank() != 3) continue;
        add(o, a.text() + " and " + b.text(), {"a", a}, {"b", b});
      }
    }
  }
  return true;
}

bool register_special() {
  for (const Operator& o : operators()) {
    add(o, "rank 4, inner axes", {"a", {2, 3, 4, 5}}, {"b", {1, 3, 1, 5}});
    add(o, "rank 4, outer axes", {"a", {2, 3, 4, 5}}, {"b", {2, 1, 4, 1}});
    add(o, "67 and 67", {"a", {67}}, {"b", {67}});
    add(o, "no rows", {"a", {0, 3}}, {"b", {3}});
    add(o, "no columns", {"a", {3, 0}}, {"b", {3, 1}});
    add(o, "no entries at all", {"a", {2, 0}}, {"b", {2, 0}});
    for (const Shape& shape : {Shape{5}, Shape{3, 5}, Shape{3, 1}, Shape{1, 5}}) {
      add(o, "b stays f32, " + shape.text(), {"a", {3, 5}},
          {.name = "b", .shape = shape, .wide = true});
      add(o, "a stays f32, " + shape.text(), {.name = "a", .shape = {3, 5}, .wide = true},
          {"b", shape});
      add(o, "small a stays f32, " + shape.text(), {.name = "a", .shape = shape, .wide = true},
          {"b", {3, 5}});
    }
    OpCase self;
    self.inputs = {{"x", {3, 5}, 0.5, 2}};
    self.op = [op = o.op](const std::vector<Value>& in) { return op(in[0], in[0]); };
    self.definition = [f = o.f](const std::vector<Array>& in) {
      return pointwise(std::function<double(double, double)>(f))({in[0], in[0]});
    };
    self.f32.gradient = 2e-4;  // x - x and x / x have none: nothing to be relative to
    self.bf16.gradient = 0.5;
    if (o.op != maximum) op_cases().add(o.name + std::string(": x and x"), self);
  }
  return true;
}

bool register_scalars() {
  const auto add_scalar = [](const std::string& name, Value (*op)(const Value&, float),
                             double (*f)(double)) {
    OpCase c;
    c.inputs = {{"x", {3, 5}}};
    c.op = [op](const std::vector<Value>& in) { return op(in[0], 0.75F); };
    c.definition = pointwise(std::function<double(double)>(f));
    op_cases().add(name + ": a number", c);
  };
  add_scalar("operator+", operator+, [](double x) { return x + 0.75; });
  add_scalar("operator-", operator-, [](double x) { return x - 0.75; });
  add_scalar("operator*", operator*, [](double x) { return x * 0.75; });
  add_scalar("operator/", operator/, [](double x) { return x / 0.75; });
  OpCase from_number;
  from_number.inputs = {{"x", {3, 5}}};
  from_number.op = [](const std::vector<Value>& in) { return 0.75F - in[0]; };
  from_number.definition = pointwise([](double x) { return 0.75 - x; });
  op_cases().add("operator-: from a number", from_number);
  OpCase negation;
  negation.inputs = {{"x", {3, 5}}};
  negation.op = [](const std::vector<Value>& in) { return -in[0]; };
  negation.definition = pointwise([](double x) { return -x; });
  return op_cases().add("operator-: sign", negation);
}
const bool kRegistered = register_broadcasts() && register_special() && register_scalars();

Value value(const Shape& shape, DType dtype = DType::f32) {
  return Value(uniform(shape, 1, 0.5, 1, dtype));
}

}  // namespace

TEST_CASE("arithmetic: shapes that do not broadcast are shape errors", "[unit]") {
  for (const Operator& o : operators()) {
    INFO(o.name);
    CHECK_THROWS_AS(o.op(value({3, 5}), value({4, 5})), Error);
    CHECK_THROWS_AS(o.op(value({3, 5}), value({3})), Error);
    CHECK_THROWS_WITH(o.op(value({2, 3, 5}), value({2, 5})), ContainsSubstring("[2, 5]"));
  }
}

TEST_CASE("arithmetic: the result has the type of the operand that is not broadcast", "[unit]") {
  if (!bf16_works()) return;
  for (const Operator& o : operators()) {
    INFO(o.name);
    CHECK(o.op(value({3, 5}, DType::bf16), value({5})).dtype() == DType::bf16);
    CHECK(o.op(value({5}), value({3, 5}, DType::bf16)).dtype() == DType::bf16);
    CHECK(o.op(value({3, 5}), value({5}, DType::bf16)).dtype() == DType::f32);
    CHECK(o.op(value({5}, DType::bf16), value({3, 5})).dtype() == DType::f32);
    CHECK(o.op(value({3, 5}), value({3, 5}, DType::bf16)).dtype() == DType::f32);
    CHECK(o.op(value({3, 5}, DType::bf16), value({3, 5})).dtype() == DType::bf16);
  }
}

TEST_CASE("maximum: exact whatever the sizes, the gradient goes to a where equal", "[unit]") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> left{0.1F, -1e9F, 1e-8F, 3, -kInfinity, 2};
  const std::vector<float> right{-1e9F, 0.1F, 1e8F, 3, -kInfinity, -kInfinity};
  Tape tape;
  const Value a = tape.leaf(Tensor::from({6}, left));
  const Value b = tape.leaf(Tensor::from({6}, right));
  const Value y = maximum(a, b);
  tape.backward(y);
  CHECK(y.tensor().to_floats() == std::vector<float>{0.1F, 0.1F, 1e8F, 3, -kInfinity, 2});
  CHECK(a.gradient()->value().to_floats() == std::vector<float>{1, 0, 0, 1, 1, 1});
  CHECK(b.gradient()->value().to_floats() == std::vector<float>{0, 1, 1, 0, 0, 0});
}

TEST_CASE("arithmetic: division by zero is infinite, not an error", "[unit]") {
  const Value y = Value(Tensor::full({2}, 1)) / Value(Tensor::zeros({2}));
  CHECK(std::isinf(y.tensor().to_floats()[0]));
}

}  // namespace lra::engine::testing
