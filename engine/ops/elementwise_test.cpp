#include "engine/ops/elementwise.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

using Op = Value (*)(const Value&);

struct Range {
  double low = -3;
  double high = 3;
};

void add(const std::string& name, const std::function<Value(const Value&)>& op,
         std::function<double(double)> f, Range range = {}, Bound f32 = {2e-6, 4e-6},
         Bound bf16 = {6e-3, 1.2e-2}) {
  OpCase c;
  c.op = [op](const std::vector<Value>& in) { return op(in[0]); };
  c.definition = pointwise(std::move(f));
  c.f32 = f32;
  c.bf16 = bf16;
  for (const auto& [what, shape] : {std::pair<std::string, Shape>{"rank 3", {2, 3, 5}},
                                    {"one entry", {1}},
                                    {"no entries", {3, 0}},
                                    {"67 entries", {67}}}) {
    // A single entry is compared with itself: away from where the result is small.
    const double low = shape == Shape{1} ? range.low + 0.8 * (range.high - range.low) : range.low;
    c.inputs = {{"x", shape, low, range.high}};
    op_cases().add(name + (name.find(':') == std::string::npos ? ": " : ", ") + what, c);
  }
}

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }
double gelu_tanh_of(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

bool register_functions() {
  add("relu", relu, [](double x) { return x > 0 ? x : 0; });
  add(
      "leaky_relu", [](const Value& x) { return leaky_relu(x, 0.2F); },
      [](double x) { return x > 0 ? x : 0.2 * x; });
  add(
      "leaky_relu: slope 0", [](const Value& x) { return leaky_relu(x, 0); },
      [](double x) { return x > 0 ? x : 0; });
  add(
      "leaky_relu: negative slope", [](const Value& x) { return leaky_relu(x, -0.5F); },
      [](double x) { return x > 0 ? x : -0.5 * x; });
  for (const double alpha : {1.0, 0.3, 0.0, -0.7}) {
    add(
        "elu: alpha " + std::to_string(alpha),
        [alpha](const Value& x) { return elu(x, static_cast<float>(alpha)); },
        [alpha](double x) { return x > 0 ? x : alpha * std::expm1(x); });
  }
  add(
      "elu", [](const Value& x) { return elu(x); },
      [](double x) { return x > 0 ? x : std::expm1(x); });
  add("elu_plus_one", elu_plus_one, [](double x) { return x > 0 ? x + 1 : std::exp(x); });
  // oneDNN's polynomial of erf is good to about 1e-6.
  add("gelu_erf", gelu_erf, [](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); });
  add("gelu_tanh", gelu_tanh, gelu_tanh_of);
  add("exp", static_cast<Op>(exp), [](double x) { return std::exp(x); });
  add("log", static_cast<Op>(log), [](double x) { return std::log(x); }, {0.1, 5},
      {4e-6, 4e-6});  // the primitive's logarithm is wrong by up to 2e-6

  add("sqrt", static_cast<Op>(sqrt), [](double x) { return std::sqrt(x); }, {0.1, 5});
  add("abs", static_cast<Op>(abs), [](double x) { return std::abs(x); });
  add("square", square, [](double x) { return x * x; });
  add("sigmoid", sigmoid, sigmoid_of);
  add("tanh", static_cast<Op>(tanh), [](double x) { return std::tanh(x); });
  add("softplus", softplus, [](double x) { return std::log1p(std::exp(x)); });
  add("silu", silu, [](double x) { return x * sigmoid_of(x); });
  add("sin", static_cast<Op>(sin), [](double x) { return std::sin(x); }, {-9, 9});
  add("cos", static_cast<Op>(cos), [](double x) { return std::cos(x); }, {-9, 9});
  return true;
}

bool register_parametrised() {
  for (const double p : {0.0, 0.5, 1.0, 1.7, 2.0, -0.5, -1.0}) {
    add(
        "pow: " + std::to_string(p), [p](const Value& x) { return pow(x, static_cast<float>(p)); },
        [p](double x) { return std::pow(x, static_cast<double>(static_cast<float>(p))); },
        {0.2, 3});
  }
  for (const double p : {2.0, 3.0, -1.0}) {
    add(
        "pow: negative base, " + std::to_string(p),
        [p](const Value& x) { return pow(x, static_cast<float>(p)); },
        [p](double x) { return std::pow(x, p); }, {-3, -0.2});
  }
  add(
      "affine", [](const Value& x) { return affine(x, -1.5F, 0.25F); },
      [](double x) { return -1.5 * x + 0.25; });
  add(
      "affine: constant", [](const Value& x) { return affine(x, 0, 2); },
      [](double) { return 2.0; });
  add(
      "clamp_min", [](const Value& x) { return clamp_min(x, 0.303F); },
      [](double x) { return std::max(x, static_cast<double>(0.303F)); });
  add(
      "clamp_max", [](const Value& x) { return clamp_max(x, 0.303F); },
      [](double x) { return std::min(x, static_cast<double>(0.303F)); });
  add("step", step, [](double x) { return x >= 0 ? 1.0 : 0.0; });
  add(
      "clamp", [](const Value& x) { return clamp(x, -0.707F, 1.103F); },
      [](double x) {
        return std::min(std::max(x, static_cast<double>(-0.707F)), static_cast<double>(1.103F));
      });
  add(
      "cast: to f32", [](const Value& x) { return cast(x, DType::f32); },
      [](double x) { return x; });
  add(
      "cast: to bf16 and back",
      [](const Value& x) { return cast(cast(x, DType::bf16), DType::f32); },
      [](double x) { return x; }, {}, {6e-3, 6e-3});
  OpCase stop;
  stop.inputs = {{"x", {2, 3}}, {.name = "y", .shape = {2, 3}, .fixed = true}};
  stop.op = [](const std::vector<Value>& in) { return stop_gradient(in[1]); };
  stop.definition = [](const std::vector<Array>& in) { return in[1]; };
  op_cases().add("stop_gradient: of a constant", stop);
  // Crosses the size below which gradients are added by a loop.
  OpCase large;
  large.inputs = {{"x", {3, 701}}};
  large.op = [](const std::vector<Value>& in) { return silu(in[0]); };
  large.definition = pointwise([](double x) { return x * sigmoid_of(x); });
  large.f32 = {2e-6, 4e-6};
  return op_cases().add("silu: 2103 entries", large);
}
const bool kRegistered = register_functions() && register_parametrised();

std::vector<float> results(const std::function<Value(const Value&)>& op,
                           const std::vector<float>& x, std::vector<float>* slopes = nullptr) {
  Tape tape;
  const Value in = tape.leaf(Tensor::from({static_cast<std::int64_t>(x.size())}, x));
  const Value out = op(in);
  tape.backward(out);
  if (slopes != nullptr) *slopes = in.gradient()->value().to_floats();
  return out.tensor().to_floats();
}

}  // namespace

TEST_CASE("elementwise: values and slopes at kinks", "[unit]") {
  std::vector<float> slope;
  CHECK(results(relu, {-1, 0, 2}, &slope) == std::vector<float>{0, 0, 2});
  CHECK(slope == std::vector<float>{0, 0, 1});
  CHECK(results(elu_plus_one, {0}, &slope) == std::vector<float>{1});
  CHECK(slope == std::vector<float>{1});
  CHECK(results(static_cast<Op>(abs), {-2, 0, 3}, &slope) == std::vector<float>{2, 0, 3});
  CHECK(slope == std::vector<float>{-1, 0, 1});
  const auto clamped = [](const Value& x) { return clamp(x, -1, 2); };
  CHECK(results(clamped, {-5, -1, 0, 5}, &slope) == std::vector<float>{-1, -1, 0, 2});
  CHECK(slope[0] == 0);
  CHECK(slope[2] == 1);
  CHECK(slope[3] == 0);
  const auto cube = [](const Value& x) { return pow(x, 3); };
  CHECK(results(cube, {0, 2}, &slope) == std::vector<float>{0, 8});
  CHECK(slope[0] == 0);
  const auto first_power = [](const Value& x) { return pow(x, 1); };
  CHECK(results(first_power, {0, -2}, &slope) == std::vector<float>{0, -2});
  CHECK(slope == std::vector<float>{1, 1});
}

TEST_CASE("elementwise: large arguments stay finite where the function is", "[unit]") {
  std::vector<float> slope;
  const std::vector<float> x{-1e4F, -100, 100, 1e4F};
  for (const auto& op :
       {sigmoid, static_cast<Op>(tanh), softplus, silu, gelu_erf, gelu_tanh, elu_plus_one, relu}) {
    for (const float y : results(op, x, &slope)) CHECK(std::isfinite(y));
    for (const float d : slope) CHECK(std::isfinite(d));
  }
  CHECK(results(softplus, x)[3] == 1e4F);
  CHECK(results(softplus, x)[0] == 0);
  CHECK(results(silu, x)[2] == 100);
  CHECK(results(static_cast<Op>(exp), {-1e4F}, &slope)[0] == 0);
  CHECK(slope[0] == 0);
  const auto positive = [](const Value& v) { return clamp_min(v, 1); };
  CHECK(results(positive, x) == std::vector<float>{1, 1, 100, 1e4F});
}

TEST_CASE("step: 1 from 0 on", "[unit]") {
  for (const DType type : {DType::f32, DType::bf16}) {
    const Value x(Tensor::from({4}, std::vector<float>{-0.5F, -0.0F, 0, 2}, type));
    CHECK(step(x).dtype() == type);
    CHECK(step(x).tensor().to_floats() == std::vector<float>{0, 1, 1, 1});
  }
}

TEST_CASE("stop_gradient: the value passes, the gradient does not", "[unit]") {
  Tape tape;
  const Value x = tape.leaf(uniform({2, 3}, 1, -1, 1));
  const Value y = stop_gradient(x);
  CHECK(identical(y.tensor(), x.tensor()));
  CHECK(y.gradient() == nullptr);
}

TEST_CASE("cast: the same type is the same value", "[unit]") {
  Tape tape;
  const Value x = tape.leaf(uniform({2, 3}, 1, -1, 1));
  CHECK(cast(x, DType::f32).gradient() == x.gradient());
  CHECK(cast(x, DType::bf16).dtype() == DType::bf16);
}

}  // namespace lra::engine::testing
