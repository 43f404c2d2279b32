#pragma once
// Tests a trained model on other data of its task: with other options, or with longer sequences.

#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "harness/run/saved_run.h"
#include "harness/workers/evaluation.h"

namespace lra::harness {

struct TestOptions {
  std::filesystem::path data, cache;  // as RunOptions
  std::int64_t examples = 1000;       // at most, spread over the test split
  bool other_data = false;            // accepts data that the run was not trained on
};

struct TestResult {
  Evaluation evaluation;
  std::string data;         // what was evaluated
  std::int64_t length = 0;  // of its longest sequences
};

// Evaluates on the test split of the run's task with `task_options`. With the run's own options
// these are the examples of its test accuracy, and other data are Error(data). Throws Error(config)
// if the model has no weights for such sequences (for example, a shorter table of positions) or the
// task has no such options.
[[nodiscard]] TestResult evaluate_on(const SavedRun& run, const nlohmann::json& task_options,
                                     const TestOptions& options, Workers& workers);

// The length protocol: evaluates on test sequences that are `factors` times as long. If the model
// or the task does not allow a length, the point gives the reason. Throws Error(usage) for a task
// with a fixed length. `done` is called with each point.
[[nodiscard]] results::LengthPart evaluate_lengths(
    const SavedRun& run, std::span<const std::int64_t> factors, const TestOptions& options,
    Workers& workers, const std::function<void(const results::LengthPoint&)>& done = {});

}  // namespace lra::harness
