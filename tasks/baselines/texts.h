#pragma once
// Predictors for text without a trained model.

#include <vector>

#include "tasks/task.h"

namespace lra::tasks::baselines {

// The most frequent label; the same given the length; naive Bayes and logistic regression on which
// byte n-grams occur in the first 4,000 bytes.
[[nodiscard]] std::vector<Predictor> text_predictors();

}  // namespace lra::tasks::baselines
