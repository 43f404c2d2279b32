#pragma once
// Predictors for the user's own data sets without a trained model.

#include <vector>

#include "tasks/file/settings.h"

namespace lra::tasks::file {

// The predictors by kind and vocabulary, starting with the most frequent label.
[[nodiscard]] std::vector<Predictor> predictors(const Settings& settings, const TaskInfo& info);

}  // namespace lra::tasks::file
