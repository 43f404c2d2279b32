#pragma once
// The shortcut ladder of ListOps: predictors that do not solve the task. Their accuracies on a data
// set are computed from its own test split.

#include <span>
#include <vector>

#include "tasks/task.h"

namespace lra::tasks::listops {

// Majority class; majority given the root operator (the first token); the root operator on its own
// direct digits; the root operator with typical values for its sub-lists; the same one level
// deeper. The last three need end brackets in the data: without (`brackets` false) they are left
// out.
[[nodiscard]] std::vector<Predictor> ladder(bool brackets);

// The root operator applied to its direct digits, sub-lists ignored; its typical value if it has
// no direct digit. A single digit is itself.
[[nodiscard]] int direct_digits_value(std::span<const Token> tree);

}  // namespace lra::tasks::listops
