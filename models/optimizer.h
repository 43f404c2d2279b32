#pragma once
// Adam and AdamW on the flat parameter array.

#include <cstdint>
#include <vector>

#include "engine/tape/parameters.h"
#include "models/config.h"

namespace lra::models {

// First and second moments and the number of updates.
struct OptimizerState {
  engine::Tensor m, v;  // [flat_size] f32
  std::int64_t updates = 0;
};
[[nodiscard]] OptimizerState make_optimizer_state(const engine::Parameters& parameters);

// Values used by one update.
struct UpdateReport {
  double gradient_norm = 0;  // before clipping
  double learning_rate = 0;
};

// One update from the gradient sums of several lanes: lanes[0] + lanes[1] + ... in this order, so
// that the result does not depend on threads. Clears the lanes. Runs on the TBB arena of the
// caller.
//   adam, adamw: p -= lr (m^ / (sqrt(v^) + eps) + weight_decay p)     (Loshchilov, Hutter 2019)
//   adam_l2:     g += weight_decay p first                            (Kingma, Ba 2015)
// Entries marked `slow` use no decay and a rate of at most 1e-3. A gradient that is not finite
// throws Error(numeric) before anything changes.
UpdateReport update(engine::Parameters& parameters, const std::vector<engine::Tensor>& lanes,
                    OptimizerState& state, const TrainConfig& config, std::int64_t step);

}  // namespace lra::models
