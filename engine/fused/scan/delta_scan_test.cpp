#include "engine/fused/scan/delta_scan.h"

#include <cmath>

#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

// Inputs q, k, v, then g (if there are gates), then beta, or read and erase. The matrices of the
// recurrence, one product after another: S = (I - beta k k^T) diag(e^g) S + beta k v^T, or with two
// keys S = (I - erase read^T) diag(e^g) S + k v^T.
struct Recurrence {
  std::int64_t n;
  bool reverse;
  bool gated;
  bool two_keys;

  Array operator()(const std::vector<Array>& in) const {
    const Array& q = in[0];
    const Array& k = in[1];
    const Array& v = in[2];
    const std::size_t last = gated ? 4 : 3;
    const std::int64_t D = q.shape[2];
    const std::int64_t Dv = v.shape[2];
    Array o(v.shape);
    for (std::int64_t h = 0; h < q.shape[0]; ++h) {
      Array S({D, Dv});
      for (std::int64_t step = 0; step < n; ++step) {
        const std::int64_t t = reverse ? n - 1 - step : step;
        Array M({D, D});
        const double beta = two_keys ? 1 : in[last].at({h, t, 0});
        for (std::int64_t a = 0; a < D; ++a) {
          for (std::int64_t b = 0; b < D; ++b) {
            const double g =
                gated ? in[3].at({h, t, in[3].shape[2] == 1 ? std::int64_t{0} : b}) : 0;
            const double erased = two_keys ? in[last + 1].at({h, t, a}) * in[last].at({h, t, b})
                                           : beta * k.at({h, t, a}) * k.at({h, t, b});
            M.at({a, b}) = ((a == b ? 1 : 0) - erased) * std::exp(g);
          }
        }
        Array next({D, Dv});
        for (std::int64_t a = 0; a < D; ++a) {
          for (std::int64_t c = 0; c < Dv; ++c) {
            double& s = next.at({a, c});
            s = beta * k.at({h, t, a}) * v.at({h, t, c});
            for (std::int64_t b = 0; b < D; ++b) s += M.at({a, b}) * S.at({b, c});
            o.at({h, t, c}) += s * q.at({h, t, a});
          }
        }
        S = next;
      }
    }
    return o;
  }
};

enum class Gates { none, head, feature };

void add_delta_scan(const std::string& what, const Shape& keys, std::int64_t Dv, std::int64_t n,
                    Gates gates, double lowest_gate, bool two_keys) {
  // Keys that are about as long as normalised ones: longer ones make the states grow.
  const double key = std::sqrt(3 / static_cast<double>(keys[2]));
  const Shape column{keys[0], keys[1], 1};
  for (const bool reverse : {false, true}) {
    OpCase c;
    c.inputs = {{"q", keys}, {"k", keys, -key, key}, {"v", {keys[0], keys[1], Dv}}};
    const bool gated = gates != Gates::none;
    if (gated) {
      c.inputs.push_back({.name = "g",
                          .shape = gates == Gates::head ? column : keys,
                          .low = lowest_gate,
                          .high = 0,
                          .wide = true});
    }
    if (two_keys) {
      c.inputs.push_back({"read", keys, -key, key});
      c.inputs.push_back({"erase", keys, -key, key});
    } else {
      c.inputs.push_back({.name = "beta", .shape = column, .low = 0, .high = 2, .wide = true});
    }
    c.op = [=](const std::vector<Value>& in) {
      const Value g = gated ? in[3] : Value();
      const std::size_t last = gated ? 4 : 3;
      return two_keys ? generalised_delta_scan(in[0], in[1], in[2], g, in[last], in[last + 1], n,
                                               reverse)
                      : delta_scan(in[0], in[1], in[2], g, in[last], n, reverse);
    };
    c.definition = Recurrence{n, reverse, gated, two_keys};
    // Two separate keys do not bound the state: it grows over many rows, and rounding errors with
    // it.
    if (two_keys && n > 64) c.f32 = {4e-6, 4e-6};
    op_cases().add(std::string(two_keys ? "generalised_delta_scan: " : "delta_scan: ") + what +
                       (reverse ? ", reverse" : ""),
                   c);
  }
}

const bool registered = [] {
  for (const bool two : {false, true}) {
    add_delta_scan("no gates", {2, 6, 3}, 4, 5, Gates::none, 0, two);
    add_delta_scan("a gate for all features", {2, 6, 3}, 4, 5, Gates::head, -1, two);
    add_delta_scan("a gate for each feature", {2, 6, 3}, 4, 5, Gates::feature, -1, two);
    add_delta_scan("a gate for each feature of two chunks", {1, 23, 3}, 2, 21, Gates::feature, -1,
                   two);
    add_delta_scan("gates that forget at once", {1, 20, 2}, 3, 20, Gates::feature, -200, two);
    add_delta_scan("a gate for all features that forgets at once", {1, 20, 2}, 3, 20, Gates::head,
                   -200, two);
    add_delta_scan("one row", {1, 2, 3}, 2, 1, Gates::feature, -1, two);
  }
  add_delta_scan("more features and columns than are done at once", {1, 3, 18}, 34, 3,
                 Gates::feature, -1, false);
  add_delta_scan("more rows than between two states that are kept", {1, 84, 2}, 2, 82, Gates::none,
                 0, false);
  add_delta_scan("more rows than between two states that are kept, gated", {1, 84, 2}, 2, 82,
                 Gates::feature, -0.1, false);
  add_delta_scan("more rows than between two states that are kept", {1, 68, 2}, 2, 67, Gates::head,
                 -0.1, true);
  return true;
}();

}  // namespace
}  // namespace lra::engine::testing
