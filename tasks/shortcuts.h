#pragma once
// Predictors without a trained model, fitted on train and evaluated on test: building blocks of
// predictors, their evaluation, and the file beside the cache with the answers of all predictors of
// a task.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tasks/task.h"

namespace lra::tasks {

// A predictor's answers on the test split.
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

// The same for a number: its range is divided into `groups` with equally many examples of train
// (equal numbers stay together). Fitted on the first `most` examples of train.
[[nodiscard]] Predictor majority_given_number(std::string name, std::string sees,
                                              std::size_t groups, std::size_t most,
                                              std::function<double(const Example&)> number);

// A rule without fitted parameters.
[[nodiscard]] Predictor rule(std::string name, std::string sees,
                             std::function<std::int32_t(const Example&)> predict);

// The split for fitting: train, or test if there is no train.
[[nodiscard]] const Dataset& fitting_split(const TaskData& data);
// The labels of the first `most` examples of a split.
[[nodiscard]] std::vector<std::int32_t> labels_of(const Dataset& split, std::size_t most);
// 1 + the largest label of these; at least 2.
[[nodiscard]] std::size_t classes_of(std::span<const std::int32_t> labels);

// Fits and evaluates a predictor. Throws Error(shape) if its number of answers differs from the
// number of test labels.
[[nodiscard]] Shortcut judge(const Predictor& predictor, const TaskData& data);

// The answers of all predictors of a task on opened data. Fitted at the first call for the same
// test and train data, by one process while others wait, then read from a file in the data's cache
// folder. A damaged file is recomputed; with a read-only folder each call fits again. `progress` is
// called before each predictor is fitted, with its name, its number and the number of all.
[[nodiscard]] std::vector<Shortcut> shortcuts(const Task& task, const TaskData& data,
                                              const Progress& progress = {});

// Agreement with a model: the share of equal answers among the first predictions.size() examples of
// the test split. Empty if either has no answers, or the shortcut has too few.
[[nodiscard]] std::optional<double> agreement(const Shortcut& shortcut,
                                              std::span<const std::int32_t> predictions);

}  // namespace lra::tasks
