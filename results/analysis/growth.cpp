#include "results/analysis/growth.h"

#include <cmath>
#include <vector>

#include "results/analysis/statistics.h"

namespace lra::results {

std::optional<GrowthVerdict> judge_growth(std::span<const double> n,
                                          std::span<const double> measured,
                                          const GrowthClaim& claim, double slack) {
  std::vector<double> ideal;
  ideal.reserve(n.size());
  for (const double x : n) {
    ideal.push_back(std::pow(x, claim.power) * std::pow(std::log(x), claim.logs));
  }
  const auto fit = fit_power_law(n, measured);
  const auto expected = fit_power_law(n, ideal);
  if (!fit || !expected) return std::nullopt;
  return GrowthVerdict{fit->exponent, expected->exponent,
                       fit->exponent <= expected->exponent + slack};
}

}  // namespace lra::results
