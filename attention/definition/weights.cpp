#include "attention/definition/weights.h"

#include <numeric>

namespace lra::attention {

Plain weighted_sum(const Weights& weights, const Plain& v) {
  Plain o({weights.q.dim(0), weights.q.dim(1), v.dim(2)});
  for (std::int64_t h = 0; h < o.dim(0); ++h) {
    for (std::int64_t i = 0; i < o.dim(1); ++i) {
      const Row row = weights.row(h, i);
      for (std::size_t j = 0; j < row.w.size(); ++j) {
        add_scaled(o, h, i, row.w[j], v, static_cast<std::int64_t>(j));
      }
    }
  }
  return o;
}

Row over_sum(std::vector<double> w, double eps) {
  const double sum = std::accumulate(w.begin(), w.end(), 0.0);
  for (double& x : w) x /= sum + eps;
  return {std::move(w), std::abs(sum) < eps};
}

Row over_floored_sum(std::vector<double> w, double eps) {
  const double sum = std::accumulate(w.begin(), w.end(), 0.0);
  const double floored = sum < 0 ? std::min(sum, -eps) : std::max(sum, eps);
  for (double& x : w) x /= floored;
  return {std::move(w), std::abs(sum) < eps};
}

std::vector<double> plain_softmax(std::vector<double> s) {
  double largest = -HUGE_VAL;
  for (const double x : s) largest = std::max(largest, x);
  double sum = 0;
  for (double& x : s) sum += (x = x == -HUGE_VAL ? 0 : std::exp(x - largest));
  for (double& x : s) x = sum > 0 ? x / sum : 0;
  return s;
}

}  // namespace lra::attention
