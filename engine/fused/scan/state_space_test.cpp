#include "engine/fused/scan/state_space.h"

#include <complex>

#include "engine/fused/scan/diagonal_scan.h"
#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

using Complex = std::complex<double>;

// The number e, s of p [P, E, S].
Complex number(const Array& p, std::int64_t e, std::int64_t s) {
  return {p.at({0, e, s}), p.shape[0] == 2 ? p.at({1, e, s}) : 0.0};
}

// y_i = sum_j K_|i-j| x_j over the rows that have entered, K_t = Re(sum_s c_s a_s^t).
Array convolution(const std::vector<Array>& in, const StateSpaceOptions& o) {
  const Array& x = in[0];
  Array y(x.shape);
  for (std::int64_t e = 0; e < x.shape[1]; ++e) {
    for (std::int64_t i = 0; i < o.length; ++i) {
      for (std::int64_t j = 0; j < o.length; ++j) {
        const std::int64_t lag = (o.reverse ? j - i : i - j) - (o.exclusive ? 1 : 0);
        if (lag < 0) continue;
        for (std::int64_t s = 0; s < in[1].shape[2]; ++s) {
          const Complex power = std::pow(number(in[1], e, s), static_cast<int>(lag));
          y.at({i, e}) += (number(in[2], e, s) * power).real() * x.at({j, e});
        }
      }
    }
  }
  return y;
}

void add_state_space(const std::string& what, std::int64_t N, std::int64_t E, std::int64_t S,
                     std::int64_t parts, const StateSpaceOptions& o) {
  OpCase c;
  c.inputs = {{"x", {N, E}},
              // Below 1 in magnitude, also as a complex number.
              {.name = "a", .shape = {parts, E, S}, .low = -0.5, .high = 0.68, .wide = true},
              {.name = "c", .shape = {parts, E, S}, .wide = true}};
  c.op = [o](const std::vector<Value>& in) { return state_space(in[0], in[1], in[2], o); };
  c.definition = [o](const std::vector<Array>& in) { return convolution(in, o); };
  op_cases().add("state_space: " + what, c);
}

const bool registered = [] {
  add_state_space("real", 9, 3, 2, 1, {.length = 9});
  add_state_space("real, a block and a half, states in groups and alone", 7, 24, 9, 1,
                  {.length = 5});
  add_state_space("real, reverse, exclusive", 6, 5, 3, 1,
                  {.length = 6, .reverse = true, .exclusive = true});
  add_state_space("complex", 9, 3, 2, 2, {.length = 9});
  add_state_space("complex, a block and a half, states in groups and alone", 8, 17, 5, 2,
                  {.length = 7, .exclusive = true});
  add_state_space("complex, reverse", 8, 4, 3, 2, {.length = 7, .reverse = true});
  add_state_space("complex, reverse, exclusive", 8, 4, 3, 2,
                  {.length = 6, .reverse = true, .exclusive = true});
  add_state_space("one row", 2, 3, 2, 2, {.length = 1});
  add_state_space("one row, exclusive", 2, 3, 2, 2, {.length = 1, .exclusive = true});
  return true;
}();

TEST_CASE("state_space: rows beyond a piece of time go on from the state", "[unit]") {
  // Against the recurrence with a state for every step, over more rows than are done at once.
  constexpr std::int64_t n = 301;
  for (const bool reverse : {false, true}) {
    const Tensor x = normal({n, 1}, 1);
    const Tensor a = Tensor::from({1, 1, 1}, std::vector<float>{0.97F});
    const Tensor c = Tensor::full({1, 1, 1}, 1.0F);
    const Value y = state_space(Value(x), Value(a), Value(c), {.length = n, .reverse = reverse});
    const Value h = diagonal_scan(Value(x.reshaped({1, n, 1})), Value(a.reshaped({1, 1})),
                                  {.reverse = reverse});
    const Array expected = to_array(h.tensor());
    CHECK(error(to_array(y.tensor()).values, expected.values, largest(expected.values)) < 1e-6);
  }
}

TEST_CASE("state_space: wrong shapes are refused", "[unit]") {
  const Value x(Tensor::zeros({4, 3}));
  const Value a(Tensor::zeros({1, 3, 2}));
  CHECK_THROWS_AS(state_space(x, a, Value(Tensor::zeros({2, 3, 2})), {.length = 4}), Error);
  CHECK_THROWS_AS(state_space(x, a, a, {.length = 5}), Error);
  CHECK_THROWS_AS(state_space(Value(Tensor::zeros({4, 2})), a, a, {.length = 4}), Error);
}

}  // namespace
}  // namespace lra::engine::testing
