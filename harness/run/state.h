#pragma once
// Counters of a run, and their JSON form in a checkpoint.

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/workers/evaluation.h"

namespace lra::harness {

// Sums of training steps.
struct StepSums {
  double loss = 0;
  std::int64_t steps = 0;
  std::int64_t correct = 0;
  std::int64_t counted = 0;
  std::int64_t tokens = 0;
  std::int64_t rows = 0;
  std::int64_t flops = 0;
  double seconds = 0;
  void add(const BatchResult& result, double step_seconds);
};

// Consecutive steps with one number of threads.
struct StepStretch {
  std::int64_t threads = 0;
  std::int64_t steps = 0;
};

// The state of a run that a checkpoint stores in addition to the weights.
struct RunState {
  std::int64_t step = 0;
  std::int64_t lanes = 0;
  std::string started;
  double eval_seconds = 0;
  std::int64_t diagnosed = -1;  // step of the last diagnosis
  double diagnosis_seconds = 0;
  std::int64_t evaluated = 0;  // step of the last validation
  double val_accuracy = -1;
  double best_accuracy = -1;
  std::int64_t best_step = -1;
  StepSums total, window;      // of the run, and since the last line of metrics
  std::vector<float> step_ms;  // a sample of step times: at most 4,096, thinned evenly
  std::int64_t step_stride = 1;
  std::vector<StepStretch> stretches;     // of steps; checkpoints of earlier versions have none
  std::array<Evaluation, 3> evaluations;  // final ones, by split
  nlohmann::json diagnosis = nlohmann::json::object();  // of the selected weights; {} if none

  void add(const BatchResult& result, double seconds);
  // The following steps are with this number of threads.
  void go_on_with(std::int64_t threads);
  [[nodiscard]] nlohmann::json to_json() const;
  // Throws Error(data) that names `where`.
  [[nodiscard]] static RunState from_json(const nlohmann::json& json, const std::string& where);
};

}  // namespace lra::harness
