#include "engine/fused/spectral/long_convolution.h"

#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

// y_i = sum_j K_(i-j) x_j.
Array convolution(const std::vector<Array>& in, std::int64_t n) {
  const Array& x = in[0];
  Array y(x.shape);
  const auto weight = [&](std::int64_t lag, std::int64_t e) {
    const Array* kernel = lag >= 0 ? &in[1] : (in.size() > 2 ? &in[2] : nullptr);
    const std::int64_t row = lag >= 0 ? lag : -lag - 1;
    return kernel != nullptr && row < kernel->shape[0] ? kernel->at({row, e}) : 0.0;
  };
  for (std::int64_t e = 0; e < x.shape[1]; ++e) {
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < n; ++j) y.at({i, e}) += weight(i - j, e) * x.at({j, e});
    }
  }
  return y;
}

// `after` = 0: one kernel.
void add_long_convolution(const std::string& what, const Shape& x, std::int64_t n,
                          std::int64_t before, std::int64_t after) {
  OpCase c;
  c.inputs = {{"x", x}, {.name = "before", .shape = {before, x[1]}, .wide = true}};
  if (after > 0) c.inputs.push_back({.name = "after", .shape = {after, x[1]}, .wide = true});
  c.op = [n](const std::vector<Value>& in) {
    return long_convolution(in[0], in[1], in.size() > 2 ? in[2] : Value(), n);
  };
  c.definition = [n](const std::vector<Array>& in) { return convolution(in, n); };
  op_cases().add("long_convolution: " + what, c);
}

const bool registered = [] {
  add_long_convolution("one direction", {8, 3}, 7, 8, 0);
  add_long_convolution("both directions", {8, 3}, 7, 8, 8);
  add_long_convolution("a power of two", {8, 2}, 8, 8, 8);
  add_long_convolution("real and imaginary columns, a block and a half", {9, 53}, 9, 9, 9);
  add_long_convolution("fewer lags than tokens", {19, 2}, 17, 3, 5);
  add_long_convolution("one lag", {6, 2}, 5, 1, 0);
  add_long_convolution("one row", {2, 3}, 1, 2, 2);
  add_long_convolution("two rows", {2, 3}, 2, 2, 2);
  return true;
}();

TEST_CASE("long_convolution: wrong shapes are refused", "[unit]") {
  const Value x(Tensor::zeros({4, 3}));
  const Value narrow(Tensor::zeros({4, 2}));
  CHECK_THROWS_AS(long_convolution(x, narrow, {}, 4), Error);
  CHECK_THROWS_AS(long_convolution(x, x, narrow, 4), Error);
  CHECK_THROWS_AS(long_convolution(x, x, x, 5), Error);
}

}  // namespace
}  // namespace lra::engine::testing
