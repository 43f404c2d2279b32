#include "engine/fused/scan/gated_scan.h"

#include <cmath>

#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

// o_i = sum_j sum_d q_id k_jd e^{sum of g_d over the steps between} v_j: j <= i with the gates of
// rows j+1..i, or (reverse) j > i with those of rows i..j-1.
Array weighted_sums(const std::vector<Array>& in, std::int64_t n, bool reverse) {
  const Array& q = in[0];
  const Array& k = in[1];
  const Array& v = in[2];
  const Array& g = in[3];
  Array o(v.shape);
  for (std::int64_t h = 0; h < q.shape[0]; ++h) {
    for (std::int64_t d = 0; d < q.shape[2]; ++d) {
      for (std::int64_t i = 0; i < n; ++i) {
        double log_decay = 0;
        for (std::int64_t step = reverse ? 1 : 0;; ++step) {
          const std::int64_t j = reverse ? i + step : i - step;
          if (j < 0 || j >= n) break;
          if (step > 0) log_decay += g.at({h, reverse ? j - 1 : j + 1, d});
          const double w = q.at({h, i, d}) * k.at({h, j, d}) * std::exp(log_decay);
          for (std::int64_t c = 0; c < v.shape[2]; ++c) o.at({h, i, c}) += w * v.at({h, j, c});
        }
      }
    }
  }
  return o;
}

void add_gated_scan(const std::string& what, const Shape& keys, std::int64_t Dv, std::int64_t n,
                    double lowest_gate) {
  for (const bool reverse : {false, true}) {
    OpCase c;
    c.inputs = {{"q", keys},
                {"k", keys},
                {"v", {keys[0], keys[1], Dv}},
                {.name = "g", .shape = keys, .low = lowest_gate, .high = 0, .wide = true}};
    c.op = [=](const std::vector<Value>& in) {
      return gated_scan(in[0], in[1], in[2], in[3], n, reverse);
    };
    c.definition = [=](const std::vector<Array>& in) { return weighted_sums(in, n, reverse); };
    op_cases().add("gated_scan: " + what + (reverse ? ", reverse" : ""), c);
  }
}

const bool registered = [] {
  add_gated_scan("small", {2, 6, 3}, 4, 5, -1);
  add_gated_scan("more features than are done at once", {1, 4, 37}, 2, 4, -1);
  add_gated_scan("more columns than are done at once", {1, 4, 2}, 50, 4, -1);
  add_gated_scan("more rows than are in the cache", {1, 70, 2}, 2, 67, -0.1);
  add_gated_scan("gates that forget at once", {1, 5, 2}, 3, 5, -200);
  add_gated_scan("one row", {1, 2, 3}, 2, 1, -1);
  return true;
}();

}  // namespace
}  // namespace lra::engine::testing
