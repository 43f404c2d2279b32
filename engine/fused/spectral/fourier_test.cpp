#include "engine/fused/spectral/fourier.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "engine/base/error.h"
#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

// Re sum_jl e^(-2 pi i (j k / n + l m / E)) x_jl over the first n rows.
Array transform(const Array& x, std::int64_t n) {
  const std::int64_t E = x.shape[1];
  Array y(x.shape);
  for (std::int64_t k = 0; k < n; ++k) {
    for (std::int64_t m = 0; m < E; ++m) {
      for (std::int64_t j = 0; j < n; ++j) {
        for (std::int64_t l = 0; l < E; ++l) {
          const double turns = static_cast<double>(j * k % n) / static_cast<double>(n) +
                               static_cast<double>(l * m % E) / static_cast<double>(E);
          y.at({k, m}) += std::cos(2 * std::numbers::pi * turns) * x.at({j, l});
        }
      }
    }
  }
  return y;
}

const bool fourier_registered = [] {
  for (const std::int64_t n : {1, 2, 3, 4, 7, 8, 12, 16, 33}) {
    for (const std::int64_t E : {1, 4, 7}) {
      OpCase c;
      c.inputs = {{"x", {n + 2, E}}};
      c.op = [n](const std::vector<Value>& in) { return fourier_mix(in[0], n); };
      c.definition = [n](const std::vector<Array>& in) { return transform(in[0], n); };
      c.f32 = {2e-6, 4e-6};
      op_cases().add(fmt::format("fourier_mix: {} tokens of width {}", n, E), c);
    }
  }
  // More columns than are transformed side by side, in pairs.
  OpCase c;
  c.inputs = {{"x", {6, 37}}};
  c.op = [](const std::vector<Value>& in) { return fourier_mix(in[0], 5); };
  c.definition = [](const std::vector<Array>& in) { return transform(in[0], 5); };
  c.f32 = {2e-6, 4e-6};
  op_cases().add("fourier_mix: a block and a half", c);
  return true;
}();

}  // namespace

TEST_CASE("fourier_mix: more tokens than rows are refused", "[unit]") {
  const Value x(Tensor::zeros({4, 3}));
  CHECK_NOTHROW(fourier_mix(x, 4));
  CHECK_THROWS_AS(fourier_mix(x, 5), Error);
}

}  // namespace lra::engine::testing
