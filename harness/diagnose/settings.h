#pragma once
// Schedule and extent of attention measurements during training.

#include <cstdint>

#include "engine/base/options.h"

namespace lra::harness::diagnose {

// One in this many examples is measured thoroughly, with gradients and the largest singular value.
inline constexpr std::int64_t kThoroughOf = 16;

struct Settings {
  std::int64_t every = 0;     // steps between diagnoses while training; 0: see is_due()
  std::int64_t samples = 64;  // validation examples; 0: no diagnosis
  std::int64_t rows = 32;     // of each, evenly spaced
  double share = 0.01;        // of the training's work, at most, by an estimate

  void options(OptionTable& table);
};

// True if a diagnosis is due after `step` of `steps` steps: at the start, at 10, 25, 50 and 100 %
// of the training, or every `every` steps and at both ends.
[[nodiscard]] bool is_due(const Settings& settings, std::int64_t step, std::int64_t steps);
// The settings with the number of examples reduced until all diagnoses of a training on `sequences`
// sequences stay within the share; at least one example.
[[nodiscard]] Settings within_share(Settings settings, std::int64_t steps, std::int64_t sequences);

}  // namespace lra::harness::diagnose
