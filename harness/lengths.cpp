#include "harness/lengths.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>

#include "engine/base/error.h"
#include "harness/trainer.h"
#include "results/statistics.h"

namespace lra::harness {
namespace {

using nlohmann::json;

// The trained weights in a model for the sequences of `info`.
std::unique_ptr<models::Model> model_for(const SavedRun& run, const tasks::TaskInfo& info,
                                         Workers& workers) {
  auto model = std::make_unique<models::Model>(run.spec.model, model_task(info), run.spec.attention,
                                               run.spec.attention_options);
  std::map<std::string, engine::Tensor> trained;
  const auto& from = run.model->parameters();
  for (const auto& entry : from.entries()) trained.emplace(entry.name, from.tensor(entry));
  for (const auto& entry : model->parameters().entries()) {
    const auto found = trained.find(entry.name);
    if (found == trained.end() || !(found->second.shape() == entry.shape)) {
      fail(ErrorKind::config, "the trained {} is {}; these sequences need {}", entry.name,
           found == trained.end() ? "missing" : found->second.shape().text(), entry.shape.text());
    }
  }
  workers.execute([&] {
    model->initialise(static_cast<std::uint64_t>(run.spec.seed), from.compute_type());
    for (const auto& entry : model->parameters().entries()) {
      const engine::Tensor to = model->parameters().tensor(entry);
      std::memcpy(to.raw(), trained.at(entry.name).raw(), to.bytes());
    }
    model->parameters().refresh();
  });
  return model;
}

// All options of a task, defaults filled in.
json all_options(const std::string& name, const json& options) {
  OptionTable table;
  const auto task = tasks::create_task(name, options);
  task->options(table);
  return table.values();
}

}  // namespace

TestResult evaluate_on(const SavedRun& run, const json& task_options, const TestOptions& options,
                       Workers& workers) {
  RunSpec spec = run.spec;
  spec.task_options = task_options;
  const tasks::TaskInfo info = tasks::create_task(spec.task, task_options)->info();
  const tasks::TaskInfo own = tasks::create_task(spec.task, run.spec.task_options)->info();
  std::unique_ptr<models::Model> longer;
  if (info.max_length > own.max_length || info.classes != own.classes ||
      info.vocabulary != own.vocabulary) {
    longer = model_for(run, info, workers);
  }
  // Of other data nothing but the test split is made.
  if (all_options(spec.task, task_options) != all_options(spec.task, run.spec.task_options)) {
    spec.counts = {0, 0, options.examples};
  }
  RunOptions open;
  open.data = options.data;
  open.cache = options.cache;
  const tasks::TaskData data = open_data(spec, open);
  const tasks::Dataset& test = data.split(tasks::Split::test);
  std::vector<std::size_t> indices(
      std::min(test.size(), static_cast<std::size_t>(std::max<std::int64_t>(options.examples, 0))));
  if (indices.empty()) fail(ErrorKind::data, "{}: no test examples", spec.task);
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  TestResult result;
  result.evaluation = evaluate(workers, longer ? *longer : *run.model, test, indices, spec.seed);
  result.data = data.description;
  result.length = info.max_length;
  return result;
}

results::LengthPart evaluate_lengths(const SavedRun& run, std::span<const std::int64_t> factors,
                                     const TestOptions& options, Workers& workers,
                                     const std::function<void(const results::LengthPoint&)>& done) {
  const tasks::TaskInfo info = tasks::create_task(run.spec.task, run.spec.task_options)->info();
  if (info.length_axis.empty()) {
    fail(ErrorKind::usage, "{}: the task's sequences have no other length", run.spec.task);
  }
  const json trained = all_options(run.spec.task, run.spec.task_options);
  results::LengthPart lengths;
  for (const std::int64_t factor : factors) {
    results::LengthPoint& point = lengths.points.emplace_back();
    point.factor = factor;
    json scaled = run.spec.task_options;
    for (const std::string& option : info.length_axis) {
      if (factor != 1) scaled[option] = trained.at(option).get<std::int64_t>() * factor;
    }
    try {
      const TestResult result = evaluate_on(run, scaled, options, workers);
      const Evaluation& e = result.evaluation;
      point.length = result.length;
      point.count = e.counted;
      point.accuracy = e.accuracy;
      if (info.head == tasks::Head::token) {
        point.exact = static_cast<double>(e.exact) / static_cast<double>(e.examples);
      }
      point.wilson95 = results::wilson(e.accuracy, e.counted);
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
