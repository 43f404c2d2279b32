#include "harness/diagnose/row_statistics.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

namespace lra::harness::diagnose {
namespace {

double absolute_sum(std::span<const double> w) {
  double sum = 0;
  for (const double x : w) sum += std::abs(x);
  return sum;
}

}  // namespace

std::optional<RowStatistics> row_statistics(std::span<const double> w, std::int64_t i,
                                            std::int64_t n) {
  const double total = absolute_sum(w);
  if (!(total > 0) || !std::isfinite(total)) return std::nullopt;
  RowStatistics s;
  double entropy = 0;
  double p_squares = 0;
  std::vector<double> p(w.size());
  std::vector<double> before(w.size() + 1, 0.0);  // sums of p
  for (std::size_t j = 0; j < w.size(); ++j) {
    p[j] = std::abs(w[j]) / total;
    before[j + 1] = before[j] + p[j];
    if (p[j] > 0) entropy -= p[j] * std::log(p[j]);
    p_squares += p[j] * p[j];
    s.span += p[j] * static_cast<double>(std::abs(i - static_cast<std::int64_t>(j)));
    if (w[j] < 0) s.neg_mass += p[j];
    s.squares += w[j] * w[j];
  }
  const auto m = static_cast<double>(w.size());
  s.entropy_norm = entropy / std::log(m);
  s.n_eff = std::exp(entropy);
  s.participation = 1 / p_squares;
  for (std::size_t r = 0; r < kLocalWidths.size(); ++r) {
    const auto reach = static_cast<std::int64_t>(kLocalWidths[r] * static_cast<double>(n) / 2);
    const auto last = static_cast<std::int64_t>(w.size());
    const auto low = static_cast<std::size_t>(std::clamp<std::int64_t>(i - reach, 0, last));
    const auto high = static_cast<std::size_t>(std::clamp<std::int64_t>(i + reach + 1, 0, last));
    s.local_mass[r] = before[high] - before[low];
    s.local_uniform[r] = static_cast<double>(high - low) / m;
  }
  constexpr std::size_t kMost = 64;
  const std::size_t most = std::min(kMost, p.size());
  std::partial_sort(p.begin(), p.begin() + static_cast<std::ptrdiff_t>(most), p.end(),
                    std::greater<>());
  const auto mass = [&](std::size_t count) {
    const auto end = p.begin() + static_cast<std::ptrdiff_t>(std::min(count, most));
    return std::accumulate(p.begin(), end, 0.0);
  };
  s.max_weight = p.front();
  s.top8_mass = mass(8);
  s.top64_mass = mass(kMost);
  return s;
}

double total_variation(std::span<const double> w, std::span<const double> s) {
  const double total = absolute_sum(w);
  double distance = 0;
  for (std::size_t j = 0; j < w.size(); ++j) distance += std::abs(std::abs(w[j]) / total - s[j]);
  return distance / 2;
}

}  // namespace lra::harness::diagnose
