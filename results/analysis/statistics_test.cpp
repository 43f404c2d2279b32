#include "results/analysis/statistics.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/random.h"
#include "tests/catch.h"

using lra::testing::Approx;
using Values = std::vector<double>;
namespace results = lra::results;

TEST_CASE("statistics: labels that are right together count as one", "[unit]") {
  using results::independent_trials;
  using results::LabelCluster;
  CHECK(independent_trials({}) == 0);
  // One label each: as many as there are, but for the degree of freedom of the mean.
  std::vector<LabelCluster> single(1000, {1, 1});
  for (std::size_t i = 0; i < 300; ++i) single[i].right = 0;
  CHECK(independent_trials(single) == 999);
  // Sequences of 64 labels that are all right or all wrong tell as much as one label each.
  std::vector<LabelCluster> together(1000, {64, 64});
  for (std::size_t i = 0; i < 300; ++i) together[i].right = 0;
  CHECK(independent_trials(together) == 999);
  // Without a spread, as many as sequences; with less than chance's, no more than all labels.
  std::vector<LabelCluster> alike(100, {32, 64});
  CHECK(independent_trials(alike) == 100);
  alike[0].right = 33;
  alike[1].right = 31;
  CHECK(independent_trials(alike) == 6400);
}

TEST_CASE("statistics: summary of one, several and no values", "[unit]") {
  CHECK_FALSE(results::summarize(Values{}).has_value());
  const auto one = results::summarize(Values{0.5});
  REQUIRE(one);
  CHECK(one->n == 1);
  CHECK(one->mean == 0.5);
  CHECK_FALSE(one->sd.has_value());
  CHECK_FALSE(one->interval95.has_value());
  const auto three = results::summarize(Values{1, 2, 6});
  REQUIRE(three);
  CHECK(three->mean == 3);
  CHECK(three->sd.value() == Approx(std::sqrt(7.0)));
  // Student's t of two degrees: 4.302653 standard errors to each side (t tables).
  const double half = 4.302653 * std::sqrt(7.0 / 3);
  CHECK(three->interval95->low == Approx(3 - half).epsilon(1e-6));
  CHECK(three->interval95->high == Approx(3 + half).epsilon(1e-6));
}

// Of made-up accuracies over seeds, each measured on 2,000 test examples, how often the interval
// contains the mean that they are drawn around.
TEST_CASE("statistics: the interval covers the mean at 95 % for two, three and five seeds",
          "[unit]") {
  constexpr int kTrials = 4000;
  constexpr double kMean = 0.4;
  lra::RandomStream random{lra::RandomKey(17)};
  for (const std::size_t seeds : {2U, 3U, 5U}) {
    int covered = 0;
    for (int trial = 0; trial < kTrials; ++trial) {
      Values values(seeds);
      for (double& value : values) {
        const double share = kMean + 0.02 * random.normal();
        value = share + std::sqrt(share * (1 - share) / 2000) * random.normal();
      }
      const auto interval = results::summarize(values)->interval95;
      covered += static_cast<int>(interval->low <= kMean && kMean <= interval->high);
    }
    INFO(seeds << " seeds: " << covered << " of " << kTrials);
    // Three standard errors of a share of 95 %: 1.0 %.
    CHECK(std::abs(static_cast<double>(covered) / kTrials - 0.95) < 0.0104);
  }
}

TEST_CASE("statistics: Student's quantiles are those of the tables", "[unit]") {
  CHECK(results::student_t_quantile(0.05, 1) == Approx(12.706205).epsilon(1e-6));
  CHECK(results::student_t_quantile(0.05, 4) == Approx(2.776445).epsilon(1e-6));
  CHECK(results::student_t_quantile(0.01, 30) == Approx(2.749996).epsilon(1e-6));
  CHECK(results::student_t_quantile(0.05, 1e6) == Approx(1.959966).epsilon(1e-6));
}

TEST_CASE("statistics: McNemar's exact test sums the binomial's tails", "[unit]") {
  CHECK(results::mcnemar_p(0, 0) == 1);
  CHECK(results::mcnemar_p(5, 5) == 1);
  CHECK(results::mcnemar_p(0, 6) == Approx(2 * std::pow(0.5, 6)).epsilon(1e-12));
  CHECK(results::mcnemar_p(6, 0) == results::mcnemar_p(0, 6));
  // 2 (C(10,0) + C(10,1) + C(10,2)) / 2^10
  CHECK(results::mcnemar_p(2, 8) == Approx(2 * 56.0 / 1024).epsilon(1e-12));
  // Thousands of differing answers, where a normal value is as good: z = 100 / sqrt(2100).
  const double z = (100 - 1) / std::sqrt(2100.0);
  CHECK(results::mcnemar_p(1000, 1100) == Approx(std::erfc(z / std::sqrt(2.0))).epsilon(0.01));
}

TEST_CASE("statistics: the interval does not depend on order and has the known width", "[unit]") {
  Values values;
  lra::RandomStream random{lra::RandomKey(3)};
  for (int i = 0; i < 400; ++i) values.push_back(random.normal());
  const auto forward = results::summarize(values);
  std::reverse(values.begin(), values.end());
  const auto backward = results::summarize(values);
  CHECK(forward->interval95->low == backward->interval95->low);
  CHECK(forward->interval95->high == backward->interval95->high);
  CHECK(forward->mean == backward->mean);
  const double width = forward->interval95->high - forward->interval95->low;
  CHECK(width == Approx(2 * 1.96 * *forward->sd / std::sqrt(400.0)).epsilon(0.03));
}

TEST_CASE("statistics: Wilson's interval solves its quadratic equation", "[unit]") {
  const auto interval = results::wilson(0.37, 2000);
  CHECK(interval.low == Approx(0.34910859576901143).epsilon(1e-12));
  CHECK(interval.high == Approx(0.39138983652411424).epsilon(1e-12));
  CHECK(results::wilson(0, 10).low == Approx(0).margin(1e-15));
  CHECK(results::wilson(1, 10).high == Approx(1).epsilon(1e-15));
  CHECK(results::wilson(1, 10).low < 0.8);
}

TEST_CASE("statistics: Student's t against its closed forms", "[unit]") {
  const double pi = std::numbers::pi;
  for (const double t : {0.1, 0.7, 2.5, 12.3}) {
    CHECK(results::student_t_two_sided(t, 1) == Approx(1 - 2 / pi * std::atan(t)).epsilon(1e-10));
    CHECK(results::student_t_two_sided(t, 2) ==
          Approx(1 - t / std::sqrt(2 + t * t)).epsilon(1e-10));
    const double angle = std::atan(t / std::sqrt(3.0));
    CHECK(results::student_t_two_sided(-t, 3) ==
          Approx(1 - 2 / pi * (angle + std::sin(angle) * std::cos(angle))).epsilon(1e-10));
  }
  CHECK(results::student_t_two_sided(2.2281388519649385, 10) == Approx(0.05).epsilon(1e-9));
}

TEST_CASE("statistics: the sign-flip test counts sign patterns", "[unit]") {
  const Values b{0, 0, 0};
  const auto same_sign = results::paired_test(Values{1, 2, 3}, b);
  CHECK(same_sign->n == 3);
  CHECK(same_sign->mean_difference == 2);
  CHECK(same_sign->p_sign_flip == 0.25);  // all or none flipped, of 8
  CHECK(same_sign->p_t.value() == Approx(1 - 3.4641016151 / std::sqrt(2 + 12)).epsilon(1e-9));
  // Sums of magnitude >= 2: +-6, +-4 and +-2, all but the two patterns with 0.
  CHECK(results::paired_test(Values{1, -2, 3}, b)->p_sign_flip == 0.75);
  const auto equal = results::paired_test(Values{2, 2}, Values{2, 2});
  CHECK(equal->p_sign_flip == 1);
  CHECK(equal->p_t == 1.0);
  // Each seed better by one of 2,000: no spread, and no more than two signs can say.
  const auto shifted =
      results::paired_test(Values{731.0 / 2000, 745.0 / 2000}, Values{730.0 / 2000, 744.0 / 2000});
  CHECK(shifted->p_t == Approx(0.5));
  CHECK_FALSE(results::paired_test(Values{1}, Values{0})->p_t.has_value());
  CHECK_FALSE(results::paired_test(Values{}, Values{}).has_value());
  CHECK_THROWS_AS(results::paired_test(Values{1}, b), lra::Error);
}

TEST_CASE("statistics: many pairs use random sign patterns near the exact answer", "[unit]") {
  Values a(40);
  const Values b(40, 0.0);
  lra::RandomStream random{lra::RandomKey(5)};
  for (double& value : a) value = 0.25 + random.normal();
  const auto test = results::paired_test(a, b);
  CHECK(test->p_sign_flip == Approx(*test->p_t).margin(0.02));
  CHECK(test->p_sign_flip > 0);
}

TEST_CASE("statistics: two shares, Holm, quantiles", "[unit]") {
  CHECK(results::two_share_p(0.37, 2000, 0.40, 2000) == Approx(0.05121962830655757).epsilon(1e-9));
  CHECK(results::two_share_p(0.5, 10, 0.5, 10) == 1);
  CHECK(results::two_share_p(1, 10, 1, 10) == 1);
  CHECK(results::holm(Values{0.01, 0.04, 0.03}) == Values{0.03, 0.06, 0.06});
  CHECK(results::holm(Values{0.9, 0.8}) == Values{1, 1});
  CHECK(results::quantile({4, 1, 3, 2}, 0.5) == 2.5);
  CHECK(results::quantile({1, 2, 3, 4, 5}, 0.9) == Approx(4.6));
  CHECK_THROWS_AS(results::quantile({}, 0.5), lra::Error);
}

TEST_CASE("statistics: correlations and power laws", "[unit]") {
  const Values x{1, 2, 3, 5};
  CHECK(results::pearson(x, Values{3, 5, 7, 11}).value() == Approx(1));
  CHECK(results::pearson(x, Values{2, 1, 4, 3}).value() == Approx(3.5 / std::sqrt(8.75 * 5)));
  CHECK_FALSE(results::pearson(x, Values{2, 2, 2, 2}).has_value());
  CHECK(results::spearman(x, Values{1, 4, 9, 100}).value() == Approx(1));
  CHECK(results::spearman(Values{1, 2, 2, 4}, Values{4, 3, 2, 1}).value() ==
        Approx(-4.5 / std::sqrt(4.5 * 5)));
  CHECK_FALSE(results::spearman(Values{1}, Values{1}).has_value());
  const auto law = results::fit_power_law(Values{1024, 2048, 4096}, Values{3e6, 12e6, 48e6});
  CHECK(law->exponent == Approx(2));
  CHECK(law->scale == Approx(3e6 / (1024.0 * 1024)));
  CHECK_FALSE(results::fit_power_law(Values{1, 2}, Values{0, 1}).has_value());
  CHECK_FALSE(results::fit_power_law(Values{2, 2}, Values{1, 1}).has_value());
}

TEST_CASE("statistics: the expected best of k is the mean over all draws", "[unit]") {
  const Values values{0.31, 0.5, 0.17, 0.5, 0.42};
  const auto best = results::expected_best_of(values);
  REQUIRE(best.size() == values.size());
  for (std::size_t k = 1; k <= values.size(); ++k) {
    // Every sequence of k of the values, as digits of a number to the base n.
    std::size_t sequences = 1;
    for (std::size_t i = 0; i < k; ++i) sequences *= values.size();
    double sum = 0;
    for (std::size_t s = 0; s < sequences; ++s) {
      double most = 0;
      std::size_t digits = s;
      for (std::size_t i = 0; i < k; ++i, digits /= values.size()) {
        most = std::max(most, values[digits % values.size()]);
      }
      sum += most;
    }
    CHECK(best[k - 1] == Approx(sum / static_cast<double>(sequences)).epsilon(1e-12));
  }
  CHECK(results::expected_best_of(Values{}).empty());
  CHECK(results::expected_best_of(Values{0.25}) == Values{0.25});
}
