#pragma once
// The statistics of tables and comparisons. All are pure functions; random numbers are
// counter-based, so that the same values give the same bits everywhere.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "results/record/record.h"

namespace lra::results {

// Summary of one quantity over seeds. sd is the sample standard deviation (n - 1), none for n = 1;
// the interval is Student's 95 % interval of the mean (n - 1 degrees of freedom), none for n = 1.
// It covers the mean over all seeds at the stated rate however few there are, if the values are
// about normal; the price is its width: 12.7 standard errors to each side for two seeds, 4.3 for
// three. It applies to the given test data: the choice of the test examples is not part of it.
struct Summary {
  std::int64_t n = 0;
  double mean = 0;
  std::optional<double> sd;
  std::optional<Interval> interval95;
};

// Empty for no values. Independent of the order of the values.
[[nodiscard]] std::optional<Summary> summarize(std::span<const double> values);

// Wilson score interval of a share of `count` trials at `z` standard errors (Wilson 1927). For a
// single run's accuracy it covers the choice of test examples, for this one training.
[[nodiscard]] Interval wilson(double share, std::int64_t count, double z = 1.959963984540054);

// Labels of one sequence, whose errors are correlated.
struct LabelCluster {
  std::int64_t right = 0, count = 0;
};
// Effective number of independent trials of the clustered labels: p (1 - p) over the variance of a
// ratio of cluster sums (Cochran 1977, Sampling Techniques, 6.3), at most the number of labels; the
// number of clusters if all have the same share. 0 for no clusters.
[[nodiscard]] std::int64_t independent_trials(std::span<const LabelCluster> clusters);

// Linear-interpolation quantile (R's type 7) of values in any order; share in [0, 1]. Throws
// Error(data) for no values.
[[nodiscard]] double quantile(std::vector<double> values, double share);

// A paired comparison over common seeds: differences d_i = a_i - b_i.
struct PairedTest {
  std::int64_t n = 0;
  double mean_difference = 0;
  // Two-sided p of the sign-flip permutation test on the mean: exact up to n = 16, 65,536 random
  // sign patterns beyond. Its smallest possible value is 2^(1-n): 0.25 for three seeds.
  double p_sign_flip = 1;
  // Two-sided p of Student's paired t test; none for n = 1; that of the signs if all differences
  // are equal.
  std::optional<double> p_t;
};

// Throws Error(data) if the sizes differ; empty for no pairs.
[[nodiscard]] std::optional<PairedTest> paired_test(std::span<const double> a,
                                                    std::span<const double> b);

// Two-sided p of McNemar's exact test: two models answered the same examples; `only_a` and `only_b`
// count the examples that only one model answered right. Under equality each of these is a fair
// coin flip (McNemar 1947; Dietterich 1998, section 3.1). Does not cover the noise of training.
[[nodiscard]] double mcnemar_p(std::int64_t only_a, std::int64_t only_b);

// Two-sided p that two shares of independent trials are equal (pooled z test).
[[nodiscard]] double two_share_p(double share_a, std::int64_t count_a, double share_b,
                                 std::int64_t count_b);

// Holm's step-down adjustment of p values for m comparisons (Holm 1979), in the given order.
[[nodiscard]] std::vector<double> holm(std::span<const double> p);

// Correlations; empty for fewer than two pairs or a constant side. Spearman's ranks ties by their
// mean.
[[nodiscard]] std::optional<double> pearson(std::span<const double> x, std::span<const double> y);
[[nodiscard]] std::optional<double> spearman(std::span<const double> x, std::span<const double> y);

// y = scale * x^exponent by least squares of the logarithms. Empty for fewer than two points, a
// single x, or a value that is not positive.
struct PowerLaw {
  double scale = 1;
  double exponent = 0;
};
[[nodiscard]] std::optional<PowerLaw> fit_power_law(std::span<const double> x,
                                                    std::span<const double> y);

// P(|T| > |t|) for Student's t with `degrees` > 0 degrees of freedom.
[[nodiscard]] double student_t_two_sided(double t, double degrees);
// The t that |T| exceeds with probability `p` in (0, 1): 12.706 for p = 0.05 and one degree.
[[nodiscard]] double student_t_quantile(double p, double degrees);

// Expected maximum of k values drawn with replacement from these n, for k = 1..n (Dodge,
// Gururangan, Card, Schwartz, Smith 2019, "Show Your Work: Improved Reporting of Experimental
// Results", arXiv 1909.03004, eq. 7): with v_1 <= ... <= v_n,
// sum over i of v_i ((i/n)^k - ((i - 1)/n)^k).
[[nodiscard]] std::vector<double> expected_best_of(std::vector<double> values);

}  // namespace lra::results
