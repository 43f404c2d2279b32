#pragma once
// Run counters and the result record built from them.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "harness/run/spec.h"
#include "harness/run/state.h"
#include "harness/workers/workers.h"
#include "results/record/record.h"
#include "tasks/shortcuts.h"

namespace lra::harness {

struct RecordInputs {
  const RunSpec& spec;
  const tasks::Task& task;
  const tasks::TaskData& data;
  const models::Model& model;
  const RunState& state;
  const Workers& workers;
  bool shared;
  bool own_process;
};
[[nodiscard]] results::Record make_record(const RecordInputs& in, results::Status status,
                                          const std::string& failure);

// Compares the predictors without a model with the run's predictions on the test split.
void add_baselines(results::Record& record, std::span<const tasks::Shortcut> shortcuts,
                   const Evaluation& test);

// A record for a run that could not start or ended early, from its specification alone.
[[nodiscard]] results::Record make_failed_record(const RunSpec& spec, int threads,
                                                 const std::string& failure);

// Number of parameters of the softmax Transformer under the same model configuration.
[[nodiscard]] std::int64_t baseline_parameters(const RunSpec& spec, const tasks::TaskInfo& info);

// Quantiles of at least one time in ms.
[[nodiscard]] results::Quantiles quantiles_of(std::vector<double> times);

}  // namespace lra::harness
