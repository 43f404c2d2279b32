#include "engine/fused/scan/diagonal_scan.h"

#include <complex>

#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

using Complex = std::complex<double>;

// y_i = sum_j a^lag x_j over the steps that have entered; with a_t, the product of those of the
// steps between.
Array sums_of_powers(const std::vector<Array>& in, const DiagonalScanOptions& o) {
  const Array& x = in[0];
  const Array& a = in[1];
  Array y(x.shape);
  const std::int64_t S = o.complex ? x.shape[2] / 2 : x.shape[2];
  const auto number = [&](double real, double imaginary) {
    return Complex(real, o.complex ? imaginary : 0.0);
  };
  const auto imaginary = [&](std::int64_t s) { return o.complex ? S + s : s; };
  for (std::int64_t b = 0; b < x.shape[0]; ++b) {
    for (std::int64_t s = 0; s < S; ++s) {
      const bool varies = a.shape.rank() == 3;
      const auto factor = [&](std::int64_t t) {
        return varies ? number(a.at({b, t, s}), a.at({b, t, imaginary(s)}))
                      : number(a.at({b, s}), a.at({b, imaginary(s)}));
      };
      for (std::int64_t i = 0; i < x.shape[1]; ++i) {
        for (std::int64_t j = 0; j < x.shape[1]; ++j) {
          const std::int64_t lag = (o.reverse ? j - i : i - j) - (o.exclusive ? 1 : 0);
          if (lag < 0) continue;
          Complex term = number(x.at({b, j, s}), x.at({b, j, imaginary(s)}));
          for (std::int64_t l = 1; l <= lag; ++l) term *= factor(o.reverse ? j - l : j + l);
          y.at({b, i, s}) += term.real();
          if (o.complex) y.at({b, i, S + s}) += term.imag();
        }
      }
    }
  }
  return y;
}

const bool registered = [] {
  for (const bool complex : {false, true}) {
    for (const bool reverse : {false, true}) {
      for (const bool exclusive : {false, true}) {
        const DiagonalScanOptions o{complex, reverse, exclusive};
        for (const bool varies : {false, true}) {
          OpCase c;
          c.inputs = {{"x", {2, 7, 6}},
                      {.name = "a",
                       .shape = varies ? Shape{2, 7, 6} : Shape{2, 6},
                       .low = -0.5,
                       .high = 0.68}};
          c.op = [o](const std::vector<Value>& in) { return diagonal_scan(in[0], in[1], o); };
          c.definition = [o](const std::vector<Array>& in) { return sums_of_powers(in, o); };
          c.bf16 = {0, 0};
          op_cases().add(std::string("diagonal_scan: ") + (complex ? "complex" : "real") +
                             (varies ? ", varying" : "") + (reverse ? ", reverse" : "") +
                             (exclusive ? ", exclusive" : ""),
                         c);
        }
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace lra::engine::testing
