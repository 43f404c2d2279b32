// The numbers of a row against hand calculations.

#include "harness/diagnose/row_statistics.h"

#include <cmath>
#include <vector>

#include "tests/catch.h"

namespace lra::harness::diagnose {
namespace {

using lra::testing::Approx;

TEST_CASE("row statistics: four weights, one of them negative, by hand", "[unit]") {
  const std::vector<double> w{4, -2, 1, 1};  // p = 1/2, 1/4, 1/8, 1/8
  const auto s = row_statistics(w, 1, 4);
  REQUIRE(s.has_value());
  const double entropy = 1.75 * std::log(2.0);
  CHECK(s->entropy_norm == Approx(entropy / std::log(4.0)));
  CHECK(s->n_eff == Approx(std::exp(entropy)));
  CHECK(s->participation == Approx(1 / (0.25 + 0.0625 + 2 * 0.015625)));
  CHECK(s->max_weight == Approx(0.5));
  CHECK(s->top8_mass == Approx(1));
  CHECK(s->span == Approx(0.5 + 0.125 + 0.25));
  CHECK(s->neg_mass == Approx(0.25));
  CHECK(s->squares == Approx(22));
  // No key but the query's own is within 0.2 * 4 / 2 of it.
  CHECK(s->local_mass.back() == Approx(0.25));
  CHECK(s->local_uniform.back() == Approx(0.25));
}

TEST_CASE("row statistics: the largest weights and the local mass of a long row", "[unit]") {
  std::vector<double> w(1000, 1.0);
  for (std::size_t j = 500; j < 510; ++j) w[j] = 101;  // sum 2000
  const auto s = row_statistics(w, 500, 1000);
  REQUIRE(s.has_value());
  CHECK(s->max_weight == Approx(101.0 / 2000));
  CHECK(s->top8_mass == Approx(808.0 / 2000));
  CHECK(s->top64_mass == Approx((1010.0 + 54) / 2000));
  // Reaches of 5, 25, 50 and 100 tokens to both sides.
  CHECK(s->local_mass[0] == Approx((6 * 101.0 + 5) / 2000));
  CHECK(s->local_mass[1] == Approx((1010.0 + 41) / 2000));
  CHECK(s->local_uniform[1] == Approx(51.0 / 1000));
  CHECK(s->local_mass[3] == Approx((1010.0 + 191) / 2000));
}

TEST_CASE("row statistics: a row without weight or with NaN is none", "[unit]") {
  CHECK_FALSE(row_statistics(std::vector<double>{0, 0, 0}, 0, 3).has_value());
  CHECK_FALSE(row_statistics(std::vector<double>{1, std::nan(""), 0}, 0, 3).has_value());
}

TEST_CASE("row statistics: total variation is half of the absolute difference", "[unit]") {
  CHECK(total_variation(std::vector<double>{2, -2}, std::vector<double>{0.5, 0.5}) == Approx(0));
  CHECK(total_variation(std::vector<double>{3, 0}, std::vector<double>{0, 1}) == Approx(1));
}

}  // namespace
}  // namespace lra::harness::diagnose
