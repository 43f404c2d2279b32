#include "engine/fused/scan/running_maximum.h"

#include <algorithm>

#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

// The largest of x_j and the g of the steps after it, over the columns j that have entered.
Array largest_sums(const std::vector<Array>& in, std::int64_t n, bool reverse) {
  const Array& g = in[0];
  const Array& x = in[1];
  Array m(x.shape);
  for (std::int64_t h = 0; h < x.shape[0]; ++h) {
    for (std::int64_t i = 0; i < n; ++i) {
      double between = 0;
      m.at({h, i}) = x.at({h, i});
      for (std::int64_t j = i; j >= 0 && j < n; j += reverse ? 1 : -1) {
        m.at({h, i}) = std::max(m.at({h, i}), x.at({h, j}) + between);
        between += g.at({h, j});
      }
    }
  }
  return m;
}

const bool registered = [] {
  for (const bool reverse : {false, true}) {
    for (const std::int64_t n : {1, 2, 9}) {
      OpCase c;
      c.inputs = {{.name = "g", .shape = {2, 10}, .low = -0.8, .high = 0}, {"x", {2, 10}}};
      c.op = [=](const std::vector<Value>& in) {
        return running_maximum(in[0], in[1], n, reverse);
      };
      c.definition = [=](const std::vector<Array>& in) { return largest_sums(in, n, reverse); };
      c.bf16 = {0, 0};
      op_cases().add("running_maximum: " + std::to_string(n) + (reverse ? ", reverse" : ""), c);
    }
  }
  return true;
}();

TEST_CASE("running_maximum: wrong shapes are refused", "[unit]") {
  const Value x(Tensor::zeros({2, 4}));
  CHECK_THROWS_AS(running_maximum(x, Value(Tensor::zeros({2, 3})), 3, false), Error);
  CHECK_THROWS_AS(running_maximum(x, x, 5, false), Error);
}

}  // namespace
}  // namespace lra::engine::testing
