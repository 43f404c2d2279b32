#include "harness/run/evaluate.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "harness/run/data.h"
#include "harness/workers/sample.h"
#include "results/analysis/statistics.h"

namespace lra::harness {
namespace {

using nlohmann::json;

// The trained weights in a model for the sequences of `info`.
std::unique_ptr<models::Model> model_for(const SavedRun& run, const tasks::TaskInfo& info,
                                         Workers& workers) {
  Weights trained{{}, "the trained weights", ErrorKind::config, "made for other sequences"};
  const auto& parameters = run.model->parameters();
  for (const auto& entry : parameters.entries()) {
    trained.tensors.emplace_back(entry.name, parameters.tensor(entry));
  }
  return model_with(trained, run.spec, info, workers);
}

}  // namespace

TestResult evaluate_on(const SavedRun& run, const json& task_options, const TestOptions& options,
                       Workers& workers) {
  RunSpec spec = run.spec;
  spec.task_options = task_options;
  const tasks::TaskInfo info = tasks::create_task(spec.task, task_options)->info();
  const tasks::TaskInfo own = tasks::create_task(spec.task, run.spec.task_options)->info();
  DataOptions where{options.data, options.cache, {}};
  tasks::TaskData data;
  if (task_values(spec.task, task_options) == run.spec.task_options) {
    data = open_data_of(run, where, options.other_data, tasks::Split::test).data;
  } else {
    // Only the test split of other data is generated, or read from the run's files.
    const bool from_files = run.data && run.data->origin != name_of(Origin::generated);
    if (from_files) where = as_trained(run, std::move(where));
    // Files are read completely, and the run's own data as far as they were tested, because they
    // may be sorted by class; a sample is taken below.
    std::int64_t& count = spec.counts[tasks::split_index(tasks::Split::test)];
    if (!from_files) count = options.examples;
    if (from_files && !options.data.empty()) count = -1;
    spec = with_one_split(std::move(spec), tasks::Split::test);
    data = open_data(spec, where).data;
  }
  const tasks::Dataset& test = data.split(tasks::Split::test);
  const auto indices = sample_of(test.size(), options.examples, "evaluate");
  if (indices.empty()) fail(ErrorKind::data, "{}: no test examples", spec.task);
  TestResult result;
  for (const std::size_t i : indices) {
    const tasks::Example example = test[i];
    result.length =
        std::max(result.length,
                 static_cast<std::int64_t>(std::max(example.tokens.size(), example.second.size())));
  }
  // Lengths within the trained model keep its tables; a longer one exceeds the position tables.
  std::unique_ptr<models::Model> longer;
  if (result.length > own.max_length || info.classes != own.classes ||
      info.vocabulary != own.vocabulary) {
    longer = model_for(run, info, workers);
  }
  result.evaluation = evaluate(workers, longer ? *longer : *run.model, test, indices, spec.seed);
  result.data = data.description;
  return result;
}

results::LengthPart evaluate_lengths(const SavedRun& run, std::span<const std::int64_t> factors,
                                     const TestOptions& options, Workers& workers,
                                     const std::function<void(const results::LengthPoint&)>& done) {
  const tasks::TaskInfo info = tasks::create_task(run.spec.task, run.spec.task_options)->info();
  if (info.length_axis.empty()) {
    fail(ErrorKind::usage, "{}: sequence length is fixed for this task; --lengths is not available",
         run.spec.task);
  }
  results::LengthPart lengths;
  for (const std::int64_t factor : factors) {
    results::LengthPoint& point = lengths.points.emplace_back();
    point.factor = factor;
    json scaled = run.spec.task_options;
    for (const std::string& option : info.length_axis) {
      if (factor != 1)
        scaled[option] = run.spec.task_options.at(option).get<std::int64_t>() * factor;
    }
    try {
      const TestResult result = evaluate_on(run, scaled, options, workers);
      const Evaluation& e = result.evaluation;
      point.length = result.length;
      point.count = e.counted;
      point.accuracy = e.accuracy;
      if (info.head == Head::token) {
        point.exact = static_cast<double>(e.exact) / static_cast<double>(e.examples);
      }
      point.wilson95 = results::wilson(e.accuracy, e.independent);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::config) throw;
      point.reason = error.what();
    }
    if (done) done(point);
  }
  results::judge_lengths(lengths);
  return lengths;
}

}  // namespace lra::harness
