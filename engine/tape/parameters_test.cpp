#include "engine/tape/parameters.h"

#include <cmath>

#include "engine/base/error.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/matmul.h"
#include "engine/testing/testing.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

struct Model {
  Parameters parameters;
  Parameter matrix, vector;

  explicit Model(DType type, std::uint64_t seed = 7) {
    matrix = parameters.add("matrix", {5, 3}, init::xavier_uniform(5, 3));
    vector = parameters.add("vector", {3}, init::normal(1, 0.5F), {.decay = false});
    parameters.initialise(seed, type);
  }
};

}  // namespace

TEST_CASE("parameters: entries lie apart, aligned, and are counted without padding", "[unit]") {
  const Model m(DType::f32);
  REQUIRE(m.parameters.entries().size() == 2);
  CHECK(m.parameters.count() == 18);
  CHECK(m.parameters.flat_size() == 32);
  CHECK(m.parameters.entries()[1].offset == 16);
  CHECK(m.parameters.entries()[0].decay);
  CHECK(!m.parameters.entries()[1].decay);
  CHECK(m.parameters.find("vector") == &m.parameters.entries()[1]);
  CHECK(m.parameters.find("other") == nullptr);
  CHECK(m.parameters.tensor(m.parameters.entries()[0]).shape() == Shape{5, 3});
  Parameters twice;
  static_cast<void>(twice.add("a", {1}, init::constant(1)));
  CHECK_THROWS_AS(twice.add("a", {2}, init::constant(1)), Error);
}

TEST_CASE("parameters: initial values depend on seed and name, not on order", "[unit]") {
  const Model first(DType::f32);
  CHECK(identical(first.parameters.master(), Model(DType::f32).parameters.master()));
  CHECK(!identical(first.parameters.master(), Model(DType::f32, 8).parameters.master()));
  Parameters reversed;
  static_cast<void>(reversed.add("vector", {3}, init::normal(1, 0.5F)));
  static_cast<void>(reversed.add("matrix", {5, 3}, init::xavier_uniform(5, 3)));
  reversed.initialise(7, DType::f32);
  for (const char* name : {"matrix", "vector"}) {
    CHECK(identical(reversed.tensor(*reversed.find(name)),
                    first.parameters.tensor(*first.parameters.find(name))));
  }
}

TEST_CASE("parameters: initial values have the distributions that they are named after", "[unit]") {
  const auto draw = [](const Initialiser& initialiser) {
    RandomStream stream{RandomKey(3)};
    std::vector<float> values(20000);
    initialiser(stream, values);
    double sum = 0;
    double squares = 0;
    for (const float v : values) {
      sum += static_cast<double>(v);
      squares += static_cast<double>(v) * static_cast<double>(v);
    }
    const double mean = sum / 20000;
    return std::pair(mean, std::sqrt(squares / 20000 - mean * mean));
  };
  CHECK(draw(init::constant(2)) == std::pair(2.0, 0.0));
  const auto [mean, deviation] = draw(init::normal(3, 0.5F));
  CHECK(std::abs(mean - 3) < 0.02);
  CHECK(std::abs(deviation - 0.5) < 0.02);
  CHECK(std::abs(draw(init::uniform(-1, 3)).first - 1) < 0.05);
  CHECK(std::abs(draw(init::uniform(-1, 3)).second - 4 / std::sqrt(12.0)) < 0.03);
  CHECK(std::abs(draw(init::xavier_uniform(3, 5)).second - std::sqrt(2.0 / 8)) < 0.02);
  CHECK(std::abs(draw(init::xavier_uniform(3, 5, 2)).second - 2 * std::sqrt(2.0 / 8)) < 0.04);
  CHECK(std::abs(draw(init::torch_linear(12)).second - 1 / std::sqrt(36.0)) < 0.01);
}

// A run's seed stands for these numbers in every record that there is.
TEST_CASE("parameters: the initial values of a seed are pinned", "[unit]") {
  Parameters parameters;
  static_cast<void>(parameters.add("normal", {3}, init::normal(1, 0.5F)));
  static_cast<void>(parameters.add("uniform", {3}, init::uniform(-1, 3)));
  parameters.initialise(7, DType::f32);
  const auto check = [&](const char* name, const std::vector<double>& expected) {
    const std::vector<float> values = parameters.tensor(*parameters.find(name)).to_floats();
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CHECK(double{values[i]} == lra::testing::Approx(expected[i]).epsilon(1e-6));
    }
  };
  check("normal", {1.4783278704, 0.9071440101, 1.4229607582});
  check("uniform", {2.5856845379, -0.5769832134, 2.7925775051});
}

TEST_CASE("parameters: matrices of a bf16 run are bf16 copies, vectors stay f32", "[unit]") {
  if (!bf16_works()) return;
  Model m(DType::bf16);
  const ParameterScope scope(m.parameters, Tensor());
  CHECK(m.matrix.value().dtype() == DType::bf16);
  CHECK(m.matrix.value_f32().dtype() == DType::f32);
  CHECK(m.vector.value().dtype() == DType::f32);
  CHECK(identical(m.matrix.value().tensor(),
                  cast_tensor(m.matrix.value_f32().tensor(), DType::bf16)));
  m.parameters.master().f32()[4] = 123;
  CHECK(m.matrix.value().tensor().to_floats()[4] != 123);
  m.parameters.refresh();
  CHECK(m.matrix.value().tensor().to_floats()[4] == 123);
}

TEST_CASE("parameters: gradients are added into the flat sums, at each use", "[unit]") {
  for (const DType type : {DType::f32, DType::bf16}) {
    if (type == DType::bf16 && !bf16_works()) continue;
    const Model m(type);
    const Tensor sums = Tensor::zeros({m.parameters.flat_size()});
    for (int step = 1; step <= 2; ++step) {
      const ParameterScope scope(m.parameters, sums);
      Tape tape;
      const Value x(Tensor::full({2, 5}, 1, type));
      tape.backward(linear(x, m.matrix.value(), m.vector.value()) +
                    linear(x, m.matrix.value(), Value()));
      const auto count = static_cast<float>(step);
      const std::vector<float> flat = sums.to_floats();
      for (std::size_t i = 0; i < 15; ++i) CHECK(flat[i] == 4 * count);
      CHECK(flat[15] == 0);  // padding
      for (std::size_t i = 16; i < 19; ++i) CHECK(flat[i] == 2 * count);
    }
  }
}

TEST_CASE("parameters: without a tape or sums they are constants, without a scope an error",
          "[unit]") {
  const Model m(DType::f32);
  CHECK_THROWS_AS(m.matrix.value(), Error);
  CHECK_THROWS_AS(m.vector.value_f32(), Error);
  const Tensor sums = Tensor::zeros({m.parameters.flat_size()});
  const ParameterScope outer(m.parameters, sums);
  CHECK(m.matrix.value().gradient() == nullptr);
  Tape tape;
  CHECK(m.matrix.value().gradient() != nullptr);
  {
    const Model other(DType::f32, 9);
    const ParameterScope inner(other.parameters, Tensor());
    CHECK(other.matrix.value().gradient() == nullptr);
    CHECK(identical(other.matrix.value().tensor(),
                    other.parameters.tensor(other.parameters.entries()[0])));
  }
  CHECK(m.matrix.value().gradient() != nullptr);
  CHECK(Parameter().defined() == false);
  CHECK(m.vector.defined());
}

}  // namespace lra::engine::testing
