#include "harness/run/record.h"

#include <tbb/version.h>

#include <algorithm>
#include <chrono>
#include <ctime>

#include "attention/attention.h"
#include "engine/runtime.h"
#include "harness/version.h"
#include "results/analysis/statistics.h"
#include "results/record/answers.h"

namespace lra::harness {

using nlohmann::json;
using results::Record;

namespace {

constexpr std::size_t kMaxStepTimes = 4096;

// x / y, empty where y is not positive.
results::Real ratio(double x, double y) {
  if (!(y > 0)) return std::nullopt;
  return x / y;
}

json sums_to_json(const StepSums& s) {
  return {{"loss", s.loss},     {"steps", s.steps}, {"correct", s.correct}, {"counted", s.counted},
          {"tokens", s.tokens}, {"rows", s.rows},   {"flops", s.flops},     {"seconds", s.seconds}};
}
StepSums sums_from_json(const json& j) {
  return {j.at("loss"),   j.at("steps"), j.at("correct"), j.at("counted"),
          j.at("tokens"), j.at("rows"),  j.at("flops"),   j.at("seconds")};
}

results::Origin origin_of(tasks::Origin origin) {
  switch (origin) {
    case tasks::Origin::official:
      return results::Origin::official;
    case tasks::Origin::generated:
      return results::Origin::generated;
    case tasks::Origin::stand_in:
      return results::Origin::stand_in;
  }
  return results::Origin::stand_in;
}

void fill_identity(Record& record, const RunSpec& spec) {
  record.spec_sha256 = spec_digest(spec);
  record.run_id = record.spec_sha256.substr(0, 16);
  record.task.name = spec.task;
  record.task.options = {spec.task_options.dump()};
  const auto info = tasks::create_task(spec.task, spec.task_options)->info();
  record.task.title = info.title;
  record.task.version = info.version;
  record.attention.name = spec.attention;
  record.attention.label = attention::registry().at(spec.attention).traits.label;
  record.attention.options = {spec.attention_options.dump()};
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
  a.unit = info.head == tasks::Head::token        ? "tokens"
           : info.head == tasks::Head::pair_class ? "pairs"
                                                  : "examples";
  set(state.evaluations[0], a.value.train, a.counts.train, record.loss.train);
  set(state.evaluations[1], a.value.val, a.counts.val, record.loss.val);
  set(state.evaluations[2], a.value.test, a.counts.test, record.loss.test);
  const bool best = state.best_step >= 0;
  a.selected_by = spec.train.selection == "last_step" || !best ? "last_step" : "best_validation";
  a.best_step = best ? state.best_step : state.step;
  const Evaluation& test = state.evaluations[2];
  if (test.counted > 0) a.test_wilson95 = results::wilson(test.accuracy, test.counted);
  if (info.head != tasks::Head::token && test.counted == test.examples) {
    a.test_right = results::encode_answers(test.right);
  }
  if (info.head == tasks::Head::token && test.examples > 0) {
    a.slices.push_back({"exact",
                        static_cast<double>(test.exact) / static_cast<double>(test.examples),
                        test.examples});
  }
}

void fill_baselines(Record& record, const RecordInputs& in) {
  const Evaluation& test = in.state.evaluations[2];
  if (test.counted == 0) return;
  for (const tasks::Shortcut& s : in.task.shortcuts(in.data)) {
    results::Baseline baseline;
    baseline.name = s.name;
    baseline.title = s.description;
    baseline.accuracy = s.accuracy;
    baseline.count =
        s.predictions.empty() ? test.counted : static_cast<std::int64_t>(s.predictions.size());
    baseline.ladder = in.spec.task == "listops" && s.name != "majority";
    if (!test.labels.empty() && s.predictions.size() == test.labels.size()) {
      std::int64_t same = 0;
      for (std::size_t i = 0; i < test.labels.size(); ++i)
        same += s.predictions[i] == test.labels[i];
      baseline.agreement = static_cast<double>(same) / static_cast<double>(test.labels.size());
    }
    record.baselines.push_back(std::move(baseline));
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
  speed.measured = in.shared ? "shared" : "exclusive";
  record.cost.train_flops_per_token = ratio(static_cast<double>(t.flops), tokens);
}

}  // namespace

Evaluation evaluate(Workers& workers, const models::Model& model, const tasks::Dataset& data,
                    std::span<const std::size_t> indices, std::int64_t seed) {
  const auto start = std::chrono::steady_clock::now();
  Evaluation e;
  for (const Prediction& p :
       workers.predict(model, data, indices, static_cast<std::uint64_t>(seed))) {
    e.loss += double{p.loss};
    e.correct += p.correct;
    e.counted += p.counted;
    if (p.correct == p.counted) ++e.exact;
    e.right.push_back(p.correct == p.counted);
    if (p.label >= 0) e.labels.push_back(p.label);
  }
  for (const std::size_t i : indices) e.tokens += token_count(model, data[i]);
  e.examples = static_cast<std::int64_t>(indices.size());
  if (e.counted > 0) {
    e.accuracy = static_cast<double>(e.correct) / static_cast<double>(e.counted);
    e.loss /= static_cast<double>(e.counted);
  }
  e.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return e;
}

void StepSums::add(const BatchResult& result, double step_seconds) {
  loss += result.loss;
  ++steps;
  correct += result.correct;
  counted += result.counted;
  tokens += result.tokens;
  rows += result.rows;
  flops += result.flops;
  seconds += step_seconds;
}

void RunState::add(const BatchResult& result, double seconds) {
  total.add(result, seconds);
  window.add(result, seconds);
  if (total.steps % step_stride != 0) return;
  step_ms.push_back(static_cast<float>(seconds * 1e3));
  if (step_ms.size() < kMaxStepTimes) return;
  for (std::size_t i = 0; i < step_ms.size() / 2; ++i) step_ms[i] = step_ms[2 * i + 1];
  step_ms.resize(step_ms.size() / 2);
  step_stride *= 2;
}

json RunState::to_json() const {
  return {{"step", step},
          {"started", started},
          {"eval_seconds", eval_seconds},
          {"diagnosed", diagnosed},
          {"diagnosis_seconds", diagnosis_seconds},
          {"evaluated", evaluated},
          {"val_accuracy", val_accuracy},
          {"best_accuracy", best_accuracy},
          {"best_step", best_step},
          {"total", sums_to_json(total)},
          {"window", sums_to_json(window)},
          {"step_ms", step_ms},
          {"step_stride", step_stride}};
}

RunState RunState::from_json(const json& j) {
  RunState state;
  try {
    j.at("step").get_to(state.step);
    j.at("started").get_to(state.started);
    j.at("eval_seconds").get_to(state.eval_seconds);
    j.at("diagnosed").get_to(state.diagnosed);
    j.at("diagnosis_seconds").get_to(state.diagnosis_seconds);
    // Earlier versions stopped between a validation and the next step only.
    state.evaluated = j.value("evaluated", state.step);
    j.at("val_accuracy").get_to(state.val_accuracy);
    j.at("best_accuracy").get_to(state.best_accuracy);
    j.at("best_step").get_to(state.best_step);
    state.total = sums_from_json(j.at("total"));
    state.window = sums_from_json(j.at("window"));
    j.at("step_ms").get_to(state.step_ms);
    j.at("step_stride").get_to(state.step_stride);
  } catch (const json::exception& error) {
    fail(ErrorKind::data, "checkpoint: malformed state: {}", error.what());
  }
  return state;
}

results::Quantiles quantiles_of(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  const auto at = [&times](double q) {
    return times[static_cast<std::size_t>(q * static_cast<double>(times.size() - 1) + 0.5)];
  };
  return {at(0.5), at(0.1), at(0.9), static_cast<std::int64_t>(times.size())};
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

results::Environment environment(int threads, std::int64_t lanes) {
  const engine::Machine& machine = engine::machine();
  results::Environment e;
  e.cpu = machine.cpu;
  e.isa = machine.isa;
  e.cores = machine.cores;
  e.threads = threads;
  e.lanes = lanes;
  e.onednn = machine.onednn;
  e.tbb = fmt::format("{}.{}", TBB_VERSION_MAJOR, TBB_VERSION_MINOR);
  e.compiler = compiler_name();
  e.version = version();
  if (!commit().empty()) {
    e.commit = commit();
    e.dirty = commit_is_dirty();
  }
  return e;
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
  record.task.origin = origin_of(in.data.origin);
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
  if (status == results::Status::completed) {
    fill_accuracy(record, in.state, in.spec, info);
    fill_baselines(record, in);
    fill_diagnostics(record, in.state);
  }
  fill_speed(record, in);
  record.memory.peak_tensor_bytes = in.workers.meter()->peak_bytes();
  // A process that does several runs at once has no resident memory of one of them.
  if (!in.shared)
    record.memory.peak_rss_bytes = static_cast<std::int64_t>(engine::peak_rss_bytes());
  record.time.started = in.state.started;
  record.time.seconds = in.state.total.seconds;
  record.time.eval_seconds = in.state.eval_seconds;
  record.environment = environment(in.workers.threads(), in.state.lanes);
  record.files.curve = "metrics.jsonl";
  if (status == results::Status::completed) record.files.model = "model.safetensors";
  return record;
}

Record make_failed_record(const RunSpec& spec, int threads, const std::string& failure) {
  Record record;
  fill_identity(record, spec);
  record.status = results::Status::failed;
  record.failure = failure;
  record.time.started = utc_now();
  record.environment = environment(threads, std::max<std::int64_t>(spec.lanes, 1));
  return record;
}

}  // namespace lra::harness
