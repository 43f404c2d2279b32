#pragma once
// Learning-rate schedules.

#include <cstdint>

#include "models/config.h"

namespace lra::models {

// Learning rate of an update; the first update has step 0. With s = step, w = warmup_steps, T =
// steps:
// - rsqrt: lr min(1, s/w) / sqrt(max(s, w)), LRA's constant * linear_warmup * rsqrt_decay;
// - rsqrt_normalized: the same times sqrt(w), so that lr is the peak;
// - cosine: lr min(1, s/w) max(0, (1 + cos(pi (p mod 1))) / 2) with p = max(0, s - w) / T (LRA's);
// - cosine_floor: lr s/w, then f + (lr - f) (1 + cos(pi p)) / 2 with f = lr_floor and
//   p = (s - w) / (T - w): half a cosine from the end of the warm-up to the floor at T;
// - onecycle: PyTorch's OneCycleLR, linear: lr/25 -> lr at w - 1 -> lr/25/1e4 at T - 1;
// - linear: lr min(1, s/w), then linear to 0 at T;
// - constant: lr min(1, s/w).
[[nodiscard]] double learning_rate(const TrainConfig& config, std::int64_t step);

// The first-moment factor: beta1, or with cycle_momentum 0.95 -> 0.85 -> 0.95 along onecycle;
// other schedules have no cycle.
[[nodiscard]] double first_beta(const TrainConfig& config, std::int64_t step);

}  // namespace lra::models
