#pragma once
// Predictors without a trained model, fitted on train and judged on test: how they are made of
// small pieces, how one is judged, and the file beside the cache that keeps what all of a task's
// say.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tasks/task.h"

namespace lra::tasks {

// What a predictor says on the test split.
struct Shortcut {
  std::string name;
  std::string description;                // Predictor::sees
  std::vector<std::int32_t> predictions;  // [count]; none where accuracy is known by the rules
  double accuracy = 0;                    // on the test split
  std::int64_t count = 0;                 // labels of the test split
  double seconds = 0;                     // to fit and to answer
  bool looks = true;                      // Predictor::looks
};

// Always the most frequent label of train (of test if train is empty; the smaller label of equals).
[[nodiscard]] Predictor majority_class();

// The most frequent label of train for each value of a small feature of an example (the overall
// majority for values that train does not have). feature(example) is in [0, values).
[[nodiscard]] Predictor majority_given(std::string name, std::string sees, std::size_t values,
                                       std::function<std::size_t(const Example&)> feature);

// The same for a number: its range is cut into `groups` that hold equally many examples of train
// (equal numbers stay together). Fitted on the first `most` examples of train.
[[nodiscard]] Predictor majority_given_number(std::string name, std::string sees,
                                              std::size_t groups, std::size_t most,
                                              std::function<double(const Example&)> number);

// A rule without anything fitted.
[[nodiscard]] Predictor rule(std::string name, std::string sees,
                             std::function<std::int32_t(const Example&)> predict);

// The split that predictors are fitted on: train, or test if there is no train.
[[nodiscard]] const Dataset& fitting_split(const TaskData& data);
// The labels of the first `most` examples of a split.
[[nodiscard]] std::vector<std::int32_t> labels_of(const Dataset& split, std::size_t most);
// 1 + the largest label of these; at least 2.
[[nodiscard]] std::size_t classes_of(std::span<const std::int32_t> labels);

// Fits a predictor and judges what it says. Throws Error(shape) if it gives another number of
// answers than the test split has labels.
[[nodiscard]] Shortcut judge(const Predictor& predictor, const TaskData& data);

// What all of a task's predictors say on opened data. Fitted at the first call for the same test
// and train data, by one process while others wait, then read from a file in the data's cache
// folder; a damaged file is made anew, and a folder that cannot be written to only costs the time
// again. `progress` is told the name of each predictor that is fitted, and its number of how many.
[[nodiscard]] std::vector<Shortcut> shortcuts(const Task& task, const TaskData& data,
                                              const Progress& progress = {});

// How often a model gives the same answers: the share of equals among the first predictions.size()
// examples of the test split. Nothing if there are no answers of either, or too few of the
// shortcut.
[[nodiscard]] std::optional<double> agreement(const Shortcut& shortcut,
                                              std::span<const std::int32_t> predictions);

}  // namespace lra::tasks
