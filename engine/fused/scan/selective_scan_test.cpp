#include "engine/fused/scan/selective_scan.h"

#include <cmath>

#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

// y_i = sum_j sum_s C_is B_js dt_j x_j e^(A_s (sum of dt over the steps between)): j up to i, with
// the steps after j up to i; or (reverse) j from i on, with the steps from i on before j.
Array weighted_sums(const std::vector<Array>& in, const SelectiveScanOptions& o) {
  const Array& x = in[0];
  const Array& dt = in[1];
  const Array& A = in[2];
  const Array& B = in[3];
  const Array& C = in[4];
  Array y(x.shape);
  for (std::int64_t f = 0; f < x.shape[1]; ++f) {
    for (std::int64_t i = 0; i < o.length; ++i) {
      double between = 0;
      for (std::int64_t step = 0;; ++step) {
        const std::int64_t j = o.reverse ? i + step : i - step;
        if (j < 0 || j >= o.length) break;
        if (step > 0) between += dt.at({o.reverse ? j - 1 : j + 1, f});
        if (step == 0 && o.exclusive) continue;
        for (std::int64_t s = 0; s < A.shape[1]; ++s) {
          y.at({i, f}) += C.at({i, s}) * B.at({j, s}) * dt.at({j, f}) * x.at({j, f}) *
                          std::exp(A.at({f, s}) * between);
        }
      }
    }
  }
  return y;
}

void add_selective_scan(const std::string& what, std::int64_t N, std::int64_t I, std::int64_t S,
                        SelectiveScanOptions o, double largest_step = 1) {
  for (const bool reverse : {false, true}) {
    for (const bool exclusive : {false, true}) {
      o.reverse = reverse;
      o.exclusive = exclusive;
      OpCase c;
      c.inputs = {{"x", {N, I}},
                  {.name = "dt", .shape = {N, I}, .low = 0.01, .high = largest_step, .wide = true},
                  {.name = "A", .shape = {I, S}, .low = -2, .high = -0.1, .wide = true},
                  {"B", {N, S}},
                  {"C", {N, S}}};
      c.op = [o](const std::vector<Value>& in) {
        return selective_scan(in[0], in[1], in[2], in[3], in[4], o);
      };
      c.definition = [o](const std::vector<Array>& in) { return weighted_sums(in, o); };
      op_cases().add("selective_scan: " + what + (reverse ? ", reverse" : "") +
                         (exclusive ? ", exclusive" : ""),
                     c);
    }
  }
}

const bool registered = [] {
  add_selective_scan("small", 6, 3, 2, {.length = 5});
  add_selective_scan("more features than are done at once", 4, 19, 3, {.length = 4});
  add_selective_scan("more rows than a chunk has", 37, 2, 2, {.length = 35}, 0.2);
  add_selective_scan("steps that forget at once", 5, 3, 2, {.length = 5}, 100);
  add_selective_scan("one row", 2, 3, 2, {.length = 1});
  return true;
}();

TEST_CASE("selective_scan: wrong shapes are refused", "[unit]") {
  const Value x(Tensor::zeros({4, 3}));
  const Value A(Tensor::zeros({3, 2}));
  const Value B(Tensor::zeros({4, 2}));
  CHECK_THROWS_AS(selective_scan(x, x, A, B, Value(Tensor::zeros({4, 3})), {.length = 4}), Error);
  CHECK_THROWS_AS(selective_scan(x, x, A, B, B, {.length = 5}), Error);
  CHECK_THROWS_AS(selective_scan(x, Value(Tensor::zeros({3, 3})), A, B, B, {.length = 3}), Error);
  CHECK_THROWS_AS(selective_scan(x, x, Value(Tensor::zeros({2, 2})), B, B, {.length = 4}), Error);
}

}  // namespace
}  // namespace lra::engine::testing
