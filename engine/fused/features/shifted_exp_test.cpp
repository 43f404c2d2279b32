#include "engine/fused/features/shifted_exp.h"

#include <cmath>

#include "engine/base/error.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/elementwise.h"
#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

const std::vector<std::int64_t> kCounts{7, 3, 0, 1};  // of 7 entries

// y e^largest, which is e^s again: the largest entry has no gradient of its own.
void add_shifted_exp(const std::string& name, DType dtype) {
  OpCase c;
  c.inputs = {{.name = "s", .shape = {4, 2, 7}, .wide = true}};
  c.op = [dtype](const std::vector<Value>& in) {
    const ShiftedExp result = shifted_exp(in[0], kCounts, dtype);
    Tensor scale(result.largest.shape(), DType::f32);
    for (std::int64_t i = 0; i < scale.numel(); ++i) {
      scale.f32()[i] = std::exp(result.largest.f32()[i]);
    }
    return cast(result.y, DType::f32) * Value(scale);
  };
  c.definition = [](const std::vector<Array>& in) {
    Array y(in[0].shape);
    for_each_index(y.shape, [&](const Index& at) {
      if (at[2] < kCounts[static_cast<std::size_t>(at[0])]) y.at(at) = std::exp(in[0].at(at));
    });
    return y;
  };
  if (dtype == DType::bf16) c.f32 = c.bf16;
  op_cases().add("shifted_exp: " + name, c);
}

const bool shifted_exp_registered = [] {
  add_shifted_exp("in f32", DType::f32);
  add_shifted_exp("in bf16", DType::bf16);
  return true;
}();

}  // namespace

TEST_CASE("shifted_exp: the largest of a row is 1 at any level, a row without entries says so",
          "[unit]") {
  Tensor s = Tensor::from({2, 1, 3}, std::vector<float>{900, 901, 899, 5, 6, 7});
  const std::vector<std::int64_t> counts{3, 0};
  const ShiftedExp result = shifted_exp(Value(s), counts, DType::f32);
  CHECK(result.largest.to_floats() == std::vector<float>{901, kNoEntry});
  const std::vector<float> y = result.y.tensor().to_floats();
  CHECK(y[0] == lra::testing::Approx(std::exp(-1.0)));
  CHECK(y[1] == 1);
  CHECK(y[2] == lra::testing::Approx(std::exp(-2.0)));
  CHECK(std::vector<float>(y.begin() + 3, y.end()) == std::vector<float>{0, 0, 0});
  // Rounded, each row at its place; without oneDNN, so on any machine.
  const Tensor both = normal({3, 2, 5}, 1);
  const std::vector<std::int64_t> all{5, 4, 5};
  const std::vector<float> exact = shifted_exp(Value(both), all, DType::f32).y.tensor().to_floats();
  const std::vector<float> rounded =
      shifted_exp(Value(both), all, DType::bf16).y.tensor().to_floats();
  for (std::size_t i = 0; i < exact.size(); ++i) {
    CHECK(rounded[i] == lra::testing::Approx(exact[i]).epsilon(1.0 / 256));
  }
  CHECK_THROWS_AS(shifted_exp(Value(s), std::vector<std::int64_t>{3}, DType::f32), Error);
  CHECK_THROWS_AS(shifted_exp(Value(s.reshaped({2, 3})), counts, DType::f32), Error);
}

}  // namespace lra::engine::testing
