#pragma once
// What can be scored on data sets of one's own without a trained model.

#include <vector>

#include "tasks/file/settings.h"

namespace lra::tasks::file {

// By kind and vocabulary, from the most frequent label on.
[[nodiscard]] std::vector<Predictor> predictors(const Settings& settings, const TaskInfo& info);

}  // namespace lra::tasks::file
