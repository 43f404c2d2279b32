#pragma once
// Predictors for Pathfinder without a trained network.

#include <cstdint>
#include <vector>

#include "tasks/pathfinder/setting.h"
#include "tasks/task.h"

namespace lra::tasks::pathfinder {

// The most frequent label; the same given the discs' distance, the number of lit pixels, the
// brightness of the straight line between the discs, the cost of tracing a dashed line from one to
// the other, and that of a chain of bars as the generator grows it. Token ids are grey value +
// offset.
[[nodiscard]] std::vector<Predictor> predictors(const Setting& setting, std::int64_t offset);

}  // namespace lra::tasks::pathfinder
