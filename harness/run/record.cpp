#include "harness/run/record.h"

#include <algorithm>

#include "attention/attention.h"
#include "engine/runtime.h"
#include "harness/run/environment.h"
#include "results/analysis/statistics.h"
#include "results/record/answers.h"

namespace lra::harness {

using nlohmann::json;
using results::Record;

namespace {

// x / y, empty where y is not positive.
results::Real ratio(double x, double y) {
  if (!(y > 0)) return std::nullopt;
  return x / y;
}

void fill_identity(Record& record, const RunSpec& spec) {
  record.spec_sha256 = spec_digest(spec);
  record.run_id = record.spec_sha256.substr(0, 16);
  record.task.name = task_name(spec);
  record.task.options = {spec.task_options.dump()};
  const auto info = tasks::create_task(spec.task, spec.task_options)->info();
  record.task.title = info.title;
  record.task.version = info.version;
  record.attention.name = spec.attention;
  record.attention.label = attention::registry().at(spec.attention).traits.label;
  record.attention.options = {spec.attention_options.dump()};
  const json defaults = attention::resolved_options(spec.attention, json::object());
  for (const auto& [name, value] : spec.attention_options.items()) {
    if (!defaults.contains(name) || defaults[name] != value) {
      record.attention.changed.push_back(name);
    }
  }
  if (spec.validation_only) record.evaluated = "validation";
  record.preset = spec.preset;
  record.protocol = spec.protocol;
  record.deviations = spec.deviations;
  record.seed = spec.seed;
  record.precision = spec.precision;
  record.training.steps = spec.train.steps;
  record.training.batch = spec.train.batch_size;
  record.files.spec = "spec.json";
}

void fill_accuracy(Record& record, const RunState& state, const RunSpec& spec,
                   const tasks::TaskInfo& info) {
  const auto set = [](const Evaluation& e, results::Real& accuracy, results::Count& count,
                      results::Real& loss) {
    if (e.counted == 0) return;
    accuracy = e.accuracy;
    count = e.counted;
    loss = e.loss;
  };
  auto& a = record.accuracy;
  a.unit = info.head == Head::token        ? "tokens"
           : info.head == Head::pair_class ? "pairs"
                                           : "examples";
  set(state.evaluations[0], a.value.train, a.counts.train, record.loss.train);
  set(state.evaluations[1], a.value.val, a.counts.val, record.loss.val);
  set(state.evaluations[2], a.value.test, a.counts.test, record.loss.test);
  const bool best = state.best_step >= 0;
  a.selected_by = spec.train.selection == models::Selection::last_step || !best ? "last_step"
                                                                                : "best_validation";
  a.best_step = best ? state.best_step : state.step;
  const Evaluation& test = state.evaluations[2];
  if (test.counted > 0) a.test_wilson95 = results::wilson(test.accuracy, test.independent);
  if (test.independent != test.counted) a.test_independent = test.independent;
  if (info.head != Head::token && test.counted == test.examples) {
    a.test_right = results::encode_answers(test.right);
  }
  if (info.head == Head::token && test.examples > 0) {
    a.slices.push_back({"exact",
                        static_cast<double>(test.exact) / static_cast<double>(test.examples),
                        test.examples});
  }
}

void fill_diagnostics(Record& record, const RunState& state) {
  if (state.diagnosis.empty()) return;
  json diagnosis = state.diagnosis;
  diagnosis["step"] = *record.accuracy.best_step;
  diagnosis["seconds"] = state.diagnosis_seconds;
  results::set_diagnostics(record, diagnosis);
}

void fill_speed(Record& record, const RecordInputs& in) {
  const StepSums& t = in.state.total;
  auto& speed = record.speed;
  const auto steps = static_cast<double>(t.steps);
  const auto tokens = static_cast<double>(t.tokens);
  speed.train_steps_per_second = ratio(steps, t.seconds);
  speed.train_examples_per_second =
      ratio(steps * static_cast<double>(in.spec.train.batch_size), t.seconds);
  speed.train_tokens_per_second = ratio(tokens, t.seconds);
  const Evaluation& test = in.state.evaluations[2];
  speed.infer_examples_per_second = ratio(static_cast<double>(test.examples), test.seconds);
  speed.infer_tokens_per_second = ratio(static_cast<double>(test.tokens), test.seconds);
  if (!in.state.step_ms.empty()) {
    speed.train_step_ms = quantiles_of({in.state.step_ms.begin(), in.state.step_ms.end()});
  }
  if (t.rows > 0) speed.padding_share = 1 - tokens / static_cast<double>(t.rows);
  speed.measured = in.shared ? results::Timing::shared : results::Timing::exclusive;
  record.time.measured = speed.measured;
  record.cost.train_flops_per_token = ratio(static_cast<double>(t.flops), tokens);
}

// The numbers of threads, unless every step was with that of the environment.
void fill_stretches(Record& record, const RunState& state) {
  bool others = false;
  auto& stretches = record.time.stretches;
  for (const StepStretch& stretch : state.stretches) {
    if (stretch.steps == 0) continue;
    stretches.push_back({stretch.threads, stretch.steps});
    others = others || stretch.threads != record.environment.threads;
  }
  if (!others) stretches.clear();
}

}  // namespace

results::Quantiles quantiles_of(std::vector<double> times) {
  const auto at = [&times](double q) { return results::quantile(times, q); };
  return {at(0.5), at(0.1), at(0.9), static_cast<std::int64_t>(times.size())};
}

std::int64_t baseline_parameters(const RunSpec& spec, const tasks::TaskInfo& info) {
  return models::Model(spec.model, model_task(info), "softmax", json::object()).parameter_count();
}

Record make_record(const RecordInputs& in, results::Status status, const std::string& failure) {
  Record record;
  const tasks::TaskInfo info = in.task.info();
  fill_identity(record, in.spec);
  record.status = status;
  if (!failure.empty()) record.failure = failure;
  record.task.origin = in.data.origin;
  record.task.data_sha256 = in.data.sha256;
  record.task.data_description = in.data.description;
  const auto count = [&](tasks::Split split) {
    return static_cast<std::int64_t>(in.data.split(split).size());
  };
  record.task.counts = {count(tasks::Split::train), count(tasks::Split::val),
                        count(tasks::Split::test)};
  record.parameters = in.model.parameter_count();
  results::judge_division(record, baseline_parameters(in.spec, info));
  record.training.steps_done = in.state.step;
  record.training.examples = in.state.step * in.spec.train.batch_size;
  record.training.tokens = in.state.total.tokens;
  if (status == results::Status::completed && in.state.step < in.spec.train.steps) {
    record.training.stopped = fmt::format(
        "no better validation accuracy in {} evaluations (train.patience)", in.spec.train.patience);
  }
  if (status == results::Status::completed) {
    fill_accuracy(record, in.state, in.spec, info);
    fill_diagnostics(record, in.state);
  }
  fill_speed(record, in);
  record.memory.peak_tensor_bytes = in.workers.meter()->peak_bytes();
  // A process with several runs cannot tell the resident memory of one of them.
  if (in.own_process)
    record.memory.peak_rss_bytes = static_cast<std::int64_t>(engine::peak_rss_bytes());
  record.time.started = in.state.started;
  record.time.seconds = in.state.total.seconds;
  record.time.eval_seconds = in.state.eval_seconds;
  record.environment = environment(in.workers.threads(), in.state.lanes);
  fill_stretches(record, in.state);
  record.files.curve = "metrics.jsonl";
  if (status == results::Status::completed) record.files.model = "model.safetensors";
  return record;
}

void add_baselines(Record& record, std::span<const tasks::Shortcut> shortcuts,
                   const Evaluation& test) {
  if (test.counted == 0) return;
  for (const tasks::Shortcut& s : shortcuts) {
    results::Baseline baseline;
    baseline.name = s.name;
    baseline.title = s.description;
    baseline.accuracy = s.accuracy;
    baseline.count = s.count;
    baseline.ladder = s.looks;
    baseline.agreement = tasks::agreement(s, test.labels);
    record.baselines.push_back(std::move(baseline));
  }
}

Record make_failed_record(const RunSpec& spec, int threads, const std::string& failure) {
  Record record;
  fill_identity(record, spec);
  record.status = results::Status::failed;
  record.failure = failure;
  record.time.started = utc_now();
  record.environment = environment(threads, lanes_of(spec));
  return record;
}

}  // namespace lra::harness
