#pragma once
// What a run has counted, and the record that is made of it.

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/run/spec.h"
#include "harness/workers/workers.h"
#include "results/record/record.h"

namespace lra::harness {

// Predictions on examples of a split, summed up.
struct Evaluation {
  double loss = 0;  // mean over labels
  double accuracy = 0;
  std::int64_t correct = 0;
  std::int64_t counted = 0;
  std::int64_t examples = 0;
  std::int64_t exact = 0;  // examples with every label right
  std::int64_t tokens = 0;
  double seconds = 0;
  std::vector<std::int32_t> labels;  // predicted, in the order of the examples
  std::vector<bool> right;           // whether every label of an example is right, in that order
};
[[nodiscard]] Evaluation evaluate(Workers& workers, const models::Model& model,
                                  const tasks::Dataset& data, std::span<const std::size_t> indices,
                                  std::int64_t seed);

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

// The part of a run that a checkpoint keeps beside the weights.
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
  std::array<Evaluation, 3> evaluations;                // final ones, by split
  nlohmann::json diagnosis = nlohmann::json::object();  // of the selected weights; {} if none

  void add(const BatchResult& result, double seconds);
  [[nodiscard]] nlohmann::json to_json() const;
  [[nodiscard]] static RunState from_json(const nlohmann::json& json);
};

struct RecordInputs {
  const RunSpec& spec;
  const tasks::Task& task;
  const tasks::TaskData& data;
  const models::Model& model;
  const RunState& state;
  const Workers& workers;
  bool shared;
};
[[nodiscard]] results::Record make_record(const RecordInputs& in, results::Status status,
                                          const std::string& failure);

// A record for a run that could not start or broke off: what is known is the specification.
[[nodiscard]] results::Record make_failed_record(const RunSpec& spec, int threads,
                                                 const std::string& failure);

// Parameters of the softmax Transformer under the same model configuration.
[[nodiscard]] std::int64_t baseline_parameters(const RunSpec& spec, const tasks::TaskInfo& info);

// Quantiles of at least one time in ms.
[[nodiscard]] results::Quantiles quantiles_of(std::vector<double> times);

// This moment in UTC: 2026-01-31T12:00:00Z.
[[nodiscard]] std::string utc_now();
[[nodiscard]] results::Environment environment(int threads, std::int64_t lanes);

}  // namespace lra::harness
