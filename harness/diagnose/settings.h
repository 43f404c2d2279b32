#pragma once
// When and on how much the attention of a model in training is measured.

#include <cstdint>

#include "engine/base/options.h"

namespace lra::harness::diagnose {

// One example of so many is measured thoroughly: gradients and the largest singular value too.
inline constexpr std::int64_t kThoroughOf = 16;

struct Settings {
  std::int64_t every = 0;     // steps between diagnoses while training; 0: see is_due()
  std::int64_t samples = 64;  // validation examples; 0: no diagnosis
  std::int64_t rows = 32;     // of each, evenly spaced
  double share = 0.01;        // of the training's work, at most, by an estimate

  void options(OptionTable& table);
};

// True after `step` of `steps` steps where a diagnosis is due: at the start, at 10, 25, 50 and 100
// % of the training, or every `every` steps and at both ends.
[[nodiscard]] bool is_due(const Settings& settings, std::int64_t step, std::int64_t steps);
// The settings with so few examples that all diagnoses of a training of `sequences` sequences stay
// within the share. At least one example.
[[nodiscard]] Settings within_share(Settings settings, std::int64_t steps, std::int64_t sequences);

}  // namespace lra::harness::diagnose
