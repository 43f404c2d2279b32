#include "results/analysis/growth.h"

#include <cmath>
#include <vector>

#include "tests/catch.h"

using lra::results::judge_growth;
using lra::testing::Approx;

namespace {

const std::vector<double> kLengths{1024, 2048, 4096, 8192, 16384};

template <class F>
std::vector<double> values(F f) {
  std::vector<double> result;
  for (const double n : kLengths) result.push_back(f(n));
  return result;
}

}  // namespace

TEST_CASE("growth: an exact power law keeps its own claim and breaks a smaller one", "[unit]") {
  const auto square = values([](double n) { return 3 * n * n; });
  const auto kept = judge_growth(kLengths, square, {2, 0}, 0.1);
  REQUIRE(kept);
  CHECK(kept->measured == Approx(2));
  CHECK(kept->claimed == Approx(2));
  CHECK(kept->kept);
  CHECK_FALSE(judge_growth(kLengths, square, {1, 0}, 0.1)->kept);
  CHECK_FALSE(judge_growth(kLengths, square, {1.5, 0}, 0.1)->kept);
}

TEST_CASE("growth: n log n is told from n and from n^2", "[unit]") {
  const auto linearithmic = values([](double n) { return n * std::log(n); });
  CHECK(judge_growth(kLengths, linearithmic, {1, 1}, 0.01)->kept);
  CHECK(judge_growth(kLengths, linearithmic, {2, 0}, 0.01)->kept);
  CHECK_FALSE(judge_growth(kLengths, linearithmic, {1, 0}, 0.05)->kept);
}

TEST_CASE("growth: constant parts never break a claim", "[unit]") {
  const auto offset = values([](double n) { return 1e6 + 5 * n; });
  const auto verdict = judge_growth(kLengths, offset, {1, 0}, 0);
  CHECK(verdict->kept);
  CHECK(verdict->measured < 0.1);
}

TEST_CASE("growth: one length says nothing", "[unit]") {
  const std::vector<double> one{1024};
  CHECK_FALSE(judge_growth(one, one, {1, 0}, 0.1).has_value());
}
