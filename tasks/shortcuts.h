#pragma once
// Trivial predictors: what a score must be compared with before it means anything.

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "tasks/task.h"

namespace lra::tasks {

// Always the most frequent label of train (of test if train is empty; the smaller label of equals).
[[nodiscard]] Shortcut majority_class(const TaskData& data);

// The most frequent label of train for each value of a small feature of an example (the overall
// majority for values that train does not have). feature(example) is in [0, values).
[[nodiscard]] Shortcut majority_given(const TaskData& data, std::string name,
                                      std::string description, std::size_t values,
                                      const std::function<std::size_t(const Example&)>& feature);

// A rule without anything fitted.
[[nodiscard]] Shortcut rule(const TaskData& data, std::string name, std::string description,
                            const std::function<std::int32_t(const Example&)>& predict);

// How often a model's predictions on the test split equal each shortcut's: {name: share in [0, 1]}.
// Throws Error(shape) if the lengths differ.
[[nodiscard]] nlohmann::json shortcut_agreement(std::span<const Shortcut> shortcuts,
                                                std::span<const std::int32_t> predictions);

}  // namespace lra::tasks
