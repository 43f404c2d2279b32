#include "harness/diagnose/settings.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace lra::harness::diagnose {
namespace {

constexpr std::array kShares{0.0, 0.1, 0.25, 0.5, 1.0};
// Number of training sequences that take as long as measuring `samples` sequences: 1.5 for the rows
// of each, 15 more for each thorough one (gradients and the largest singular value).
double cost(std::int64_t samples) {
  const std::int64_t thorough = (samples + kThoroughOf - 1) / kThoroughOf;
  return 1.5 * static_cast<double>(samples) + 15.0 * static_cast<double>(thorough);
}

// Largest number of diagnoses, including that of the selected weights.
std::int64_t diagnoses_in(const Settings& settings, std::int64_t steps) {
  const auto few = static_cast<std::int64_t>(kShares.size());
  return 1 + (settings.every > 0 ? steps / settings.every + 2 : few);
}

}  // namespace

void Settings::options(OptionTable& t) {
  t.integer("every", every, 0, 1000000000,
            "steps between diagnoses; 0: at the start, 10, 25, 50 and 100 % of the training")
      .integer("samples", samples, 0, 1000000, "validation examples, at most; 0: no diagnosis")
      .integer("rows", rows, 1, 1 << 20, "rows of each example, evenly spaced")
      .number("share", share, 0, 1, "of the training's work, at most, by an estimate");
}

bool is_due(const Settings& settings, std::int64_t step, std::int64_t steps) {
  if (settings.samples == 0) return false;
  if (step == 0 || step == steps) return true;
  if (settings.every > 0) return step % settings.every == 0;
  return std::any_of(kShares.begin(), kShares.end(), [&](double share) {
    return step == static_cast<std::int64_t>(std::lround(share * static_cast<double>(steps)));
  });
}

Settings within_share(Settings settings, std::int64_t steps, std::int64_t sequences) {
  if (settings.samples == 0) return settings;
  const double affordable = settings.share * static_cast<double>(sequences) /
                            static_cast<double>(diagnoses_in(settings, steps));
  while (settings.samples > 1 && cost(settings.samples) > affordable) --settings.samples;
  return settings;
}

}  // namespace lra::harness::diagnose
