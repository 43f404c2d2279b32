#include "engine/ops/convolution.h"

#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

// y(h, i, d) = sum_t w(h, d, t) x(h, i + t - before, d) over tokens 0..n-1.
template <class Tap>
Array convolved(const Array& x, std::int64_t T, std::int64_t n, std::int64_t before, Tap w) {
  Array y(x.shape);
  for_each_index({x.shape[0], n, x.shape[2]}, [&](const Index& i) {
    for (std::int64_t t = 0; t < T; ++t) {
      const std::int64_t j = i[1] + t - before;
      if (j >= 0 && j < n) y.at(i) += w(i[0], i[2], t) * x.at({i[0], j, i[2]});
    }
  });
  return y;
}

void add_convolve_tokens(const std::string& what, const Shape& x, std::int64_t K) {
  OpCase c;
  c.inputs = {{"x", x}, {.name = "w", .shape = {x[0], K}, .wide = true}};
  c.op = [](const std::vector<Value>& in) { return convolve_tokens(in[0], in[1]); };
  c.definition = [=](const std::vector<Array>& in) {
    return convolved(in[0], K, x[1], K / 2, [&](std::int64_t h, std::int64_t, std::int64_t t) {
      return in[1].at({h, t});
    });
  };
  op_cases().add("convolve_tokens: " + what, c);
}

void add_convolve_features(const std::string& what, const Shape& x, const Shape& w, std::int64_t n,
                           std::int64_t before) {
  OpCase c;
  c.inputs = {{"x", x}, {"w", w}};
  c.op = [=](const std::vector<Value>& in) { return convolve_features(in[0], in[1], n, before); };
  c.definition = [=](const std::vector<Array>& in) {
    return convolved(in[0], w[1], n, before, [&](std::int64_t g, std::int64_t c, std::int64_t t) {
      return in[1].at({w[0] == 1 ? std::int64_t{0} : g, t, c});
    });
  };
  op_cases().add("convolve_features: " + what, c);
}

const bool registered = [] {
  add_convolve_tokens("odd", {2, 7, 3}, 5);
  add_convolve_tokens("more taps than tokens", {1, 4, 2}, 9);
  add_convolve_features("taps before the token", {2, 8, 3}, {2, 4, 3}, 7, 3);
  add_convolve_features("taps on both sides, one kernel for all groups", {2, 8, 3}, {1, 5, 3}, 8,
                        2);
  add_convolve_features("all widths of a block", {1, 5, 43}, {1, 3, 43}, 5, 2);
  add_convolve_features("more taps than tokens", {1, 4, 2}, {1, 9, 2}, 3, 4);
  add_convolve_features("more rows than a tile", {1, 70, 2}, {1, 3, 2}, 69, 1);
  return true;
}();

}  // namespace
}  // namespace lra::engine::testing
