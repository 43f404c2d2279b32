#include "results/analysis/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <numeric>

#include "engine/base/error.h"
#include "engine/base/random.h"

namespace lra::results {
namespace {

constexpr std::size_t kExactSigns = 16;     // pairs up to which all sign patterns are tried
constexpr std::uint64_t kPatterns = 65536;  // random patterns beyond

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Sample standard deviation; values.size() > 1.
double deviation_of(std::span<const double> values) {
  const double mean = mean_of(values);
  double sum = 0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

// Quantile of ascending values (R's type 7).
double sorted_quantile(std::span<const double> values, double share) {
  const double at = share * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

// Share of sign patterns whose |sum| reaches the observed one, up to rounding.
double sign_flip_p(std::span<const double> differences) {
  const double observed = std::abs(std::accumulate(differences.begin(), differences.end(), 0.0));
  double scale = 0;
  for (const double d : differences) scale += std::abs(d);
  const double threshold = observed - 1e-12 * scale;
  const bool exact = differences.size() <= kExactSigns;
  const std::uint64_t patterns = exact ? std::uint64_t{1} << differences.size() : kPatterns;
  RandomStream random(RandomKey(differences.size()).of("signs"));
  std::uint64_t reached = 0;
  for (std::uint64_t pattern = 0; pattern < patterns; ++pattern) {
    double sum = 0;
    std::uint64_t bits = pattern;
    for (std::size_t i = 0; i < differences.size(); ++i) {
      if (!exact && i % 32 == 0) bits = random.bits();
      sum += (bits & 1U) != 0 ? -differences[i] : differences[i];
      bits >>= 1U;
    }
    if (std::abs(sum) >= threshold) ++reached;
  }
  // Random patterns: the observed one counts too, so that p is never 0 (Phipson and Smyth 2010).
  const auto total = static_cast<double>(patterns);
  return exact ? static_cast<double>(reached) / total
               : (static_cast<double>(reached) + 1) / (total + 1);
}

// Regularised incomplete beta function by its continued fraction, for x < (a + 1) / (a + b + 2)
// (Lentz's method; DLMF 8.17.22).
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  double c = 1;
  double d = 1 - (a + b) * x / (a + 1);
  d = 1 / (std::abs(d) < kTiny ? kTiny : d);
  double fraction = d;
  for (int m = 1; m <= 300; ++m) {
    for (const bool odd : {false, true}) {
      const double numerator = odd ? -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
                                   : m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
      d = 1 + numerator * d;
      d = 1 / (std::abs(d) < kTiny ? kTiny : d);
      c = 1 + numerator / c;
      if (std::abs(c) < kTiny) c = kTiny;
      fraction *= c * d;
    }
    if (std::abs(c * d - 1) < 1e-15) break;
  }
  const double front =
      a * std::log(x) + b * std::log1p(-x) + std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b);
  return std::exp(front) * fraction / a;
}

double incomplete_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  return x < (a + 1) / (a + b + 2) ? beta_fraction(a, b, x) : 1 - beta_fraction(b, a, 1 - x);
}

// Ranks from 1; ties share their mean rank.
std::vector<double> ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> rank(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;
    while (last + 1 < order.size() && values[order[last + 1]] == values[order[first]]) ++last;
    for (std::size_t i = first; i <= last; ++i) {
      rank[order[i]] = 1 + static_cast<double>(first + last) / 2;
    }
    first = last + 1;
  }
  return rank;
}

}  // namespace

std::optional<Summary> summarize(std::span<const double> values) {
  if (values.empty()) return std::nullopt;
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  Summary summary;
  summary.n = static_cast<std::int64_t>(sorted.size());
  summary.mean = mean_of(sorted);
  if (sorted.size() > 1) {
    summary.sd = deviation_of(sorted);
    const auto n = static_cast<double>(sorted.size());
    const double half = student_t_quantile(0.05, n - 1) * *summary.sd / std::sqrt(n);
    summary.interval95 = Interval{summary.mean - half, summary.mean + half};
  }
  return summary;
}

Interval wilson(double share, std::int64_t count, double z) {
  const auto n = static_cast<double>(count);
  const double centre = (share + z * z / (2 * n)) / (1 + z * z / n);
  const double half =
      z / (1 + z * z / n) * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

std::int64_t independent_trials(std::span<const LabelCluster> clusters) {
  std::int64_t right = 0;
  std::int64_t count = 0;
  for (const LabelCluster& cluster : clusters) {
    right += cluster.right;
    count += cluster.count;
  }
  if (count == 0) return 0;
  const auto k = static_cast<double>(clusters.size());
  const auto n = static_cast<double>(count);
  const double share = static_cast<double>(right) / n;
  double squares = 0;
  for (const LabelCluster& cluster : clusters) {
    const double rest =
        static_cast<double>(cluster.right) - share * static_cast<double>(cluster.count);
    squares += rest * rest;
  }
  if (squares <= 1e-12 * n || clusters.size() < 2) {
    return std::min(count, static_cast<std::int64_t>(clusters.size()));
  }
  const double variance = squares * k / (k - 1) / (n * n);
  return std::clamp<std::int64_t>(std::llround(share * (1 - share) / variance), 1, count);
}

double quantile(std::vector<double> values, double share) {
  if (values.empty()) fail(ErrorKind::data, "quantile: no values");
  std::sort(values.begin(), values.end());
  return sorted_quantile(values, share);
}

std::optional<PairedTest> paired_test(std::span<const double> a, std::span<const double> b) {
  if (a.size() != b.size()) {
    fail(ErrorKind::data, "paired test: got {} and {} values, expected pairs", a.size(), b.size());
  }
  if (a.empty()) return std::nullopt;
  std::vector<double> differences(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) differences[i] = a[i] - b[i];
  PairedTest test;
  test.n = static_cast<std::int64_t>(a.size());
  test.mean_difference = mean_of(differences);
  test.p_sign_flip = sign_flip_p(differences);
  if (test.n > 1) {
    const double error = deviation_of(differences) / std::sqrt(static_cast<double>(test.n));
    // Accuracies are counts: if all differences are equal up to rounding, there is no spread for a
    // t test.
    if (error > 1e-9 * std::abs(test.mean_difference)) {
      test.p_t = student_t_two_sided(test.mean_difference / error, static_cast<double>(test.n - 1));
    } else {
      test.p_t = test.p_sign_flip;
    }
  }
  return test;
}

double mcnemar_p(std::int64_t only_a, std::int64_t only_b) {
  const std::int64_t trials = only_a + only_b;
  const std::int64_t fewer = std::min(only_a, only_b);
  if (trials == 0) return 1;
  // P(X <= fewer) of a binomial as an incomplete beta function (DLMF 8.17.5).
  const double tail =
      incomplete_beta(static_cast<double>(trials - fewer), static_cast<double>(fewer + 1), 0.5);
  return std::min(1.0, 2 * tail);
}

double two_share_p(double share_a, std::int64_t count_a, double share_b, std::int64_t count_b) {
  const auto na = static_cast<double>(count_a);
  const auto nb = static_cast<double>(count_b);
  const double pooled = (share_a * na + share_b * nb) / (na + nb);
  const double error = std::sqrt(pooled * (1 - pooled) * (1 / na + 1 / nb));
  if (error == 0) return 1;
  return std::erfc(std::abs(share_a - share_b) / error / std::numbers::sqrt2);
}

std::vector<double> holm(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.size());
  double running = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    running = std::max(running, std::min(1.0, static_cast<double>(p.size() - i) * p[order[i]]));
    adjusted[order[i]] = running;
  }
  return adjusted;
}

std::optional<double> pearson(std::span<const double> x, std::span<const double> y) {
  if (x.size() != y.size()) {
    fail(ErrorKind::data, "correlation: got {} and {} values, expected pairs", x.size(), y.size());
  }
  if (x.size() < 2) return std::nullopt;
  const double mean_x = mean_of(x);
  const double mean_y = mean_of(y);
  double xx = 0;
  double yy = 0;
  double xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  if (xx == 0 || yy == 0) return std::nullopt;
  return xy / std::sqrt(xx * yy);
}

std::optional<double> spearman(std::span<const double> x, std::span<const double> y) {
  return pearson(ranks(x), ranks(y));
}

std::optional<PowerLaw> fit_power_law(std::span<const double> x, std::span<const double> y) {
  const auto positive = [](std::span<const double> values) {
    return std::all_of(values.begin(), values.end(), [](double value) { return value > 0; });
  };
  if (x.size() != y.size() || x.size() < 2 || !positive(x) || !positive(y)) return std::nullopt;
  std::vector<double> log_x(x.size());
  std::vector<double> log_y(y.size());
  std::transform(x.begin(), x.end(), log_x.begin(), [](double value) { return std::log(value); });
  std::transform(y.begin(), y.end(), log_y.begin(), [](double value) { return std::log(value); });
  const double mean_x = mean_of(log_x);
  const double mean_y = mean_of(log_y);
  double xx = 0;
  double xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (log_x[i] - mean_x) * (log_x[i] - mean_x);
    xy += (log_x[i] - mean_x) * (log_y[i] - mean_y);
  }
  if (xx == 0) return std::nullopt;
  return PowerLaw{std::exp(mean_y - xy / xx * mean_x), xy / xx};
}

double student_t_two_sided(double t, double degrees) {
  return incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t));
}

double student_t_quantile(double p, double degrees) {
  double low = 0;
  double high = 1;
  while (student_t_two_sided(high, degrees) > p) high *= 2;
  for (int i = 0; i < 64 && low < high; ++i) {
    const double middle = low + (high - low) / 2;
    (student_t_two_sided(middle, degrees) > p ? low : high) = middle;
  }
  return low + (high - low) / 2;
}

std::vector<double> expected_best_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  std::vector<double> best;
  best.reserve(values.size());
  for (std::size_t k = 1; k <= values.size(); ++k) {
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto at = static_cast<double>(i);
      const auto power = static_cast<double>(k);
      sum += values[i] * (std::pow((at + 1) / n, power) - std::pow(at / n, power));
    }
    best.push_back(sum);
  }
  return best;
}

}  // namespace lra::results
