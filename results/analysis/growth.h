#pragma once
// Checks that measurements over sequence lengths grow no faster than claimed.

#include <optional>
#include <span>

namespace lra::results {

// Grows as n^power (log n)^logs.
struct GrowthClaim {
  double power = 1;
  double logs = 0;
};

struct GrowthVerdict {
  double measured = 0;  // exponent of the power law that fits the measurements
  double claimed = 0;   // the same of the claim, at the same lengths
  bool kept = false;    // measured <= claimed + slack
};

// A claim is an upper bound, because constant parts flatten the measured growth at short lengths.
// Empty if no power law can be fitted (fewer than two lengths, or values that are not positive).
[[nodiscard]] std::optional<GrowthVerdict> judge_growth(std::span<const double> n,
                                                        std::span<const double> measured,
                                                        const GrowthClaim& claim, double slack);

}  // namespace lra::results
