#include "harness/run/run.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>

#include "attention/attention.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/runtime.h"
#include "harness/diagnose/diagnose.h"
#include "harness/run/checkpoint.h"
#include "harness/run/data.h"
#include "harness/run/ended.h"
#include "harness/run/environment.h"
#include "harness/run/event_file.h"
#include "harness/run/init.h"
#include "harness/run/lock.h"
#include "harness/run/measurement.h"
#include "harness/run/protocol.h"
#include "harness/run/record.h"
#include "harness/run/safetensors.h"
#include "harness/run/training.h"
#include "harness/workers/sample.h"
#include "models/schedule.h"

namespace lra::harness {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using engine::Shape;
using engine::Tensor;
using nlohmann::json;

constexpr std::string_view kEvaluation = "evaluation sample";

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Appends lines to metrics.jsonl; a continued run removes lines after its checkpoint.
class MetricsFile {
 public:
  MetricsFile(const fs::path& path, std::uint64_t keep) : path_(path) {
    std::string kept = fs::exists(path) ? read_file(path) : std::string();
    kept.resize(std::min<std::size_t>(kept.size(), keep));
    write_file_atomic(path, kept);
    size_ = kept.size();
  }
  void add(const json& line) {
    std::FILE* file = std::fopen(path_.c_str(), "ab");
    const std::string text = line.dump() + "\n";
    const bool written =
        file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
    const bool closed = file != nullptr && std::fclose(file) == 0;
    if (!written || !closed)
      fail(ErrorKind::io, "{}: cannot write: {}", path_.string(), std::strerror(errno));
    size_ += text.size();
  }
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  fs::path path_;
  std::uint64_t size_ = 0;
};

// The changing state of a run.
class Run {
 public:
  Run(const RunSpec& spec, const RunOptions& options, Workers& workers)
      : spec_(spec), options_(options), workers_(workers), drop_last_(drop_last_of(spec)) {}

  results::Record execute();

 private:
  [[nodiscard]] fs::path file(const char* name) const { return options_.folder / name; }
  [[nodiscard]] RunData open_data();
  void prepare(tasks::TaskData data);
  results::Record train();
  void prepare_baselines();
  void fill_baselines(results::Record& record);
  void restore();
  [[nodiscard]] CheckpointOwner owner() const;
  void save_checkpoint();
  void save_model() const;
  void log(const json& line);
  void finish_events(const results::Record& record);
  void train_steps();
  void one_step();
  void evaluate_if_due();
  void evaluate_val();
  void diagnose_if_due();
  void final_evaluation();
  void tell(const Progress& progress) const;
  std::vector<tasks::Shortcut> fit_shortcuts();
  void report(Progress::Phase phase);
  void log_training();
  [[nodiscard]] bool stopped() const { return options_.stop != nullptr && options_.stop->load(); }
  [[nodiscard]] bool selects(double accuracy) const;
  [[nodiscard]] bool out_of_patience() const;
  void require_finite(const Evaluation& e) const;

  const RunSpec& spec_;
  const RunOptions& options_;
  Workers& workers_;
  const DropLast drop_last_;
  RunState state_;
  diagnose::Settings diagnosis_settings_;
  StepSums logged_;  // the window of the last line of metrics
  std::optional<Training> training_;
  Tensor best_;  // weights of the best validation so far
  std::optional<MetricsFile> metrics_;
  std::optional<EventFile> events_;
  std::optional<InitUsed> init_;
  Clock::time_point last_checkpoint_ = Clock::now();
  Clock::time_point last_report_ = Clock::now();
};

RunData Run::open_data() {
  report(Progress::Phase::data);
  const auto progress = [this](const std::string& text) {
    if (stopped()) throw Interrupted();
    Progress p;
    p.text = text;
    tell(p);
  };
  return harness::open_data(spec_, {options_.data, options_.cache, progress});
}

void Run::prepare(tasks::TaskData data) {
  for (const tasks::Split split : {tasks::Split::val, tasks::Split::test}) {
    require_whole_batch(drop_last_, split, static_cast<std::int64_t>(data.split(split).size()),
                        spec_.train.batch_size);
  }
  if (spec_.validation_only && data.split(tasks::Split::val).size() == 0) {
    fail(ErrorKind::data,
         "{}: evaluate=validation needs a validation split; got no validation examples",
         spec_.task);
  }
  training_.emplace(spec_, std::move(data), workers_);
  if (!spec_.init_file.empty()) {
    init_ = take_weights(spec_, *training_->model, workers_);
    if (options_.on_init) options_.on_init(*init_);
  }
  state_.lanes = static_cast<std::int64_t>(training_->lanes.size());
  const std::int64_t sequences = spec_.train.steps * spec_.train.batch_size;
  diagnosis_settings_ = diagnose::within_share(spec_.diagnostics, spec_.train.steps, sequences);
}

CheckpointOwner Run::owner() const {
  return {spec_digest(spec_), training_->data.sha256, spec_.train.steps,
          training_->optimizer.m.numel()};
}

void Run::save_checkpoint() {
  Checkpoint checkpoint{state_,
                        training_->optimizer.updates,
                        metrics_->size(),
                        training_->model->parameters().master(),
                        training_->optimizer.m,
                        training_->optimizer.v,
                        best_};
  write_checkpoint(file(kCheckpointFile), owner(), checkpoint);
  last_checkpoint_ = Clock::now();
}

void Run::restore() {
  std::uint64_t metrics_bytes = 0;
  if (is_there(file(kCheckpointFile))) {
    const Checkpoint checkpoint = read_checkpoint(file(kCheckpointFile), owner());
    const std::int64_t lanes = state_.lanes;
    state_ = checkpoint.state;
    state_.lanes = lanes;
    training_->optimizer.updates = checkpoint.updates;
    metrics_bytes = checkpoint.metrics_bytes;
    const auto copy = [](const Tensor& from, const Tensor& to) {
      std::memcpy(to.raw(), from.raw(), from.bytes());
    };
    copy(checkpoint.master, training_->model->parameters().master());
    copy(checkpoint.m, training_->optimizer.m);
    copy(checkpoint.v, training_->optimizer.v);
    best_ = checkpoint.best;
    workers_.execute([this] { training_->model->parameters().refresh(); });
  }
  metrics_.emplace(file("metrics.jsonl"), metrics_bytes);
  if (!spec_.tensorboard) return;
  events_.emplace(options_.folder, state_.step);
  json values = identity_of(spec_).flatten();
  json named = json::object();
  for (const auto& [pointer, value] : values.items()) {
    std::string name = pointer.substr(1);
    std::replace(name.begin(), name.end(), '/', '.');
    named[name] = value;
  }
  events_->add_hyper_parameters(named);
}

void Run::finish_events(const results::Record& record) {
  if (!events_ || record.status == results::Status::interrupted) return;
  if (record.accuracy.value.test) {
    events_->add({{"split", "test"},
                  {"step", state_.step},
                  {"accuracy", *record.accuracy.value.test},
                  {"loss", record.loss.test.value_or(0)}});
  }
  events_->finish(record.status == results::Status::completed);
}

void Run::log(const json& line) {
  metrics_->add(line);
  if (events_) events_->add(line);
}

void Run::save_model() const {
  TensorFile weights;
  const models::ModelTask& task = training_->model->task();
  // Libraries around PyTorch look for "pt"; the task is described here because spec.json only names
  // it.
  weights.metadata = {{"format", "pt"},
                      {"lra", "lra-model/1"},
                      {"spec_sha256", spec_digest(spec_)},
                      {"task", json_text({{"head", name_of(task.head)},
                                          {"classes", task.classes},
                                          {"vocabulary", task.vocabulary},
                                          {"max_length", task.max_length},
                                          {"zero_is_padding", task.zero_is_padding},
                                          {"pixel_offset", task.pixel_offset}})}};
  const auto& parameters = training_->model->parameters();
  for (const auto& entry : parameters.entries()) {
    weights.tensors.emplace_back(entry.name, parameters.tensor(entry));
  }
  write_safetensors(file("model.safetensors"), weights);
}

// An observer cannot fail the run.
void Run::tell(const Progress& progress) const {
  if (!options_.progress) return;
  try {
    options_.progress(progress);
  } catch (const std::exception&) {
  }
}

void Run::report(Progress::Phase phase) {
  if (!options_.progress) return;
  Progress p;
  p.phase = phase;
  p.step = state_.step;
  p.steps = spec_.train.steps;
  // Right after a line of metrics the window is empty, and the previous one is shown.
  const StepSums& w = state_.window.steps > 0 ? state_.window : logged_;
  if (w.steps > 0) {
    const auto steps = static_cast<double>(w.steps);
    p.loss = w.loss / steps;
    p.accuracy =
        static_cast<double>(w.correct) / static_cast<double>(std::max<std::int64_t>(w.counted, 1));
    p.tokens_per_second = static_cast<double>(w.tokens) / std::max(w.seconds, 1e-9);
    p.seconds_left = w.seconds / steps * static_cast<double>(spec_.train.steps - state_.step);
  }
  p.val_accuracy = state_.val_accuracy;
  p.best_accuracy = state_.best_accuracy;
  tell(p);
  last_report_ = Clock::now();
}

void Run::one_step() {
  const auto start = Clock::now();
  const BatchResult result = training_->step(state_.step);
  const double seconds = seconds_since(start);
  ++state_.step;
  state_.add(result, seconds);
}

void Run::log_training() {
  const StepSums& w = state_.window;
  log({{"split", "train"},
       {"step", state_.step},
       {"loss", w.loss / static_cast<double>(w.steps)},
       {"accuracy",
        static_cast<double>(w.correct) / static_cast<double>(std::max<std::int64_t>(w.counted, 1))},
       {"lr", models::learning_rate(spec_.train, state_.step - 1)},
       {"examples", state_.step * spec_.train.batch_size}});
  logged_ = std::exchange(state_.window, {});
}

bool Run::selects(double accuracy) const {
  if (spec_.train.selection == models::Selection::last_step) return false;
  const bool late = state_.step * 5 >= spec_.train.steps;
  if (spec_.train.selection == models::Selection::best_val_after_20_percent && !late) return false;
  return accuracy > state_.best_accuracy;
}

// True after train.patience evaluations without improvement. Depends only on the state, so that a
// continued run ends at the same step.
bool Run::out_of_patience() const {
  return spec_.train.patience > 0 && state_.best_step >= 0 && state_.evaluated == state_.step &&
         state_.step - state_.best_step >= spec_.train.patience * spec_.train.eval_every;
}

// A model whose loss overflows has diverged, whatever its accuracy.
void Run::require_finite(const Evaluation& e) const {
  if (std::isfinite(e.loss)) return;
  fail(ErrorKind::numeric, "evaluation: the loss is {} at step {}", number_text(e.loss),
       state_.step);
}

void Run::evaluate_val() {
  const auto start = Clock::now();
  const auto& val = training_->data.split(tasks::Split::val);
  if (val.size() == 0) return;
  const Evaluation e =
      evaluate(workers_, *training_->model, val,
               sample_of(val.size(), spec_.train.eval_examples, kEvaluation), spec_.seed);
  require_finite(e);
  state_.val_accuracy = e.accuracy;
  if (selects(e.accuracy)) {
    state_.best_accuracy = e.accuracy;
    state_.best_step = state_.step;
    best_ = training_->model->parameters().master().clone();
  }
  log({{"split", "val"},
       {"step", state_.step},
       {"loss", e.loss},
       {"accuracy", e.accuracy},
       {"count", e.counted}});
  state_.eval_seconds += seconds_since(start);
}

void Run::diagnose_if_due() {
  const auto& val = training_->data.split(tasks::Split::val);
  if (val.size() == 0 || state_.diagnosed == state_.step ||
      !diagnose::is_due(diagnosis_settings_, state_.step, spec_.train.steps)) {
    return;
  }
  const auto start = Clock::now();
  const diagnose::Diagnosis d =
      diagnose::diagnose(workers_, *training_->model, val, diagnosis_settings_, spec_.seed);
  json line = d.mean().to_json();
  line.update({{"split", "diagnosis"}, {"step", state_.step}, {"samples", d.samples}});
  log(line);
  state_.diagnosed = state_.step;
  state_.diagnosis_seconds += seconds_since(start);
}

// Also applies to a continued run that was stopped within this evaluation.
void Run::evaluate_if_due() {
  const bool last = state_.step == spec_.train.steps;
  if (state_.evaluated == state_.step) return;
  if (state_.step % spec_.train.eval_every != 0 && !last) return;
  if (state_.window.steps > 0) {
    report(Progress::Phase::training);
    log_training();
  }
  report(Progress::Phase::evaluation);
  evaluate_val();
  state_.evaluated = state_.step;
}

void Run::train_steps() {
  evaluate_if_due();
  diagnose_if_due();
  while (state_.step < spec_.train.steps && !out_of_patience() && !stopped()) {
    one_step();
    evaluate_if_due();
    diagnose_if_due();
    if (seconds_since(last_report_) > options_.report_seconds) report(Progress::Phase::training);
    if (seconds_since(last_checkpoint_) > options_.checkpoint_seconds) save_checkpoint();
  }
}

void Run::final_evaluation() {
  report(Progress::Phase::evaluation);
  const auto start = Clock::now();
  if (best_.defined()) {
    auto& parameters = training_->model->parameters();
    std::memcpy(parameters.master().raw(), best_.raw(), best_.bytes());
    workers_.execute([&] { parameters.refresh(); });
  }
  for (const tasks::Split split : tasks::kSplits) {
    const auto& data = training_->data.split(split);
    if (data.size() == 0 || (spec_.validation_only && split != tasks::Split::val)) continue;
    // The training split is measured on as many examples as the test split has; the others on all
    // that the protocol counts.
    auto indices = sample_of(data.size(), 0, kEvaluation);
    if (split == tasks::Split::train) {
      indices = sample_of(
          data.size(), static_cast<std::int64_t>(training_->data.split(tasks::Split::test).size()),
          kEvaluation);
    } else {
      const auto all = static_cast<std::int64_t>(data.size());
      indices.resize(static_cast<std::size_t>(evaluated_examples(
          drop_last_, split == tasks::Split::test, all, spec_.train.batch_size)));
    }
    state_.evaluations[tasks::split_index(split)] =
        evaluate(workers_, *training_->model, data, indices, spec_.seed);
    require_finite(state_.evaluations[tasks::split_index(split)]);
  }
  state_.eval_seconds += seconds_since(start);
  const auto& val = training_->data.split(tasks::Split::val);
  if (diagnosis_settings_.samples == 0 || val.size() == 0) return;
  const auto begin = Clock::now();
  state_.diagnosis =
      diagnose::diagnose(workers_, *training_->model, val, diagnosis_settings_, spec_.seed)
          .to_json();
  state_.diagnosis_seconds += seconds_since(begin);
}

// The first run on some data fits the predictors without a model; later runs read their
// predictions.
std::vector<tasks::Shortcut> Run::fit_shortcuts() {
  std::vector<tasks::Shortcut> all;
  workers_.execute([&] {
    all = tasks::shortcuts(*training_->task, training_->data,
                           [this](std::string_view name, std::int64_t number, std::int64_t count) {
                             if (stopped()) throw Interrupted();
                             Progress p;
                             p.step = p.steps = spec_.train.steps;
                             p.text = fmt::format("baseline {}/{}: {}", number, count, name);
                             tell(p);
                           });
  });
  return all;
}

// Continues the run from its current step to its end, or until it is stopped.
results::Record Run::train() {
  const RecordInputs inputs{spec_,  *training_->task, training_->data, *training_->model,
                            state_, workers_,         options_.shared, options_.own_process};
  try {
    train_steps();
    if (state_.step == spec_.train.steps || out_of_patience()) {
      final_evaluation();
      save_model();
      return make_record(inputs, results::Status::completed, "");
    }
  } catch (const Interrupted&) {
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::numeric) throw;
    return make_record(inputs, results::Status::diverged, error.what());
  }
  state_.evaluations = {};  // of some splits only
  save_checkpoint();
  return make_record(inputs, results::Status::interrupted, "stopped by the user");
}

// Keeps the data for the next process in case this one is killed.
void Run::prepare_baselines() {
  if (spec_.validation_only) return;
  try {
    save_checkpoint();
  } catch (const Error&) {  // the result comes before them
  }
}

// Adds baselines to a written result. A failure to fit them leaves the result unchanged; a stop
// leaves the checkpoint, from which the next call returns to this point.
void Run::fill_baselines(results::Record& record) {
  if (spec_.validation_only) return;
  try {
    add_baselines(record, fit_shortcuts(), state_.evaluations[2]);
    if (!record.baselines.empty()) write_json(file("result.json"), results::to_json(record));
  } catch (const Interrupted&) {
    throw;
  } catch (const std::exception& error) {
    record.baselines.clear();
    Progress p;
    p.step = p.steps = spec_.train.steps;
    p.text = fmt::format("no baselines: {}", error.what());
    tell(p);
  }
}

results::Record Run::execute() {
  require_same_run(spec_, options_.folder);  // before data are generated
  RunData opened = open_data();
  if (options_.on_data) options_.on_data(opened);
  if (auto ended = ended_record(spec_, opened.used, options_.folder)) return std::move(*ended);
  const auto lock = lock_run(options_.folder);
  // Another process may have ended the run before this one got the lock.
  if (auto ended = ended_record(spec_, opened.used, options_.folder)) return std::move(*ended);
  // A result without baselines, which survives a failure or stop while fitting them.
  const auto completed = completed_record(options_.folder);
  write_spec(spec_, opened.used, options_.folder);
  prepare(std::move(opened.data));
  results::Record record;
  bool again = false;
  try {
    restore();
    if (state_.started.empty()) state_.started = utc_now();
    workers_.meter()->reset_peak();
    workers_.stop_with(options_.stop);
    record = train();
    again = record.status == results::Status::completed;
  } catch (const Error&) {
    if (!completed) throw;
  }
  if (completed) {
    if (record.status == results::Status::interrupted) throw Interrupted();
    record = *completed;
    if (again) fill_baselines(record);
  } else {
    if (options_.measurement != nullptr) options_.measurement->fill(record);
    if (options_.search != nullptr) record.search = *options_.search;
    if (init_) record.training.init.text = to_json(*init_, spec_).dump();
    if (again) prepare_baselines();
    write_json(file("result.json"), results::to_json(record));
    finish_events(record);
    if (again) fill_baselines(record);
  }
  if (record.status != results::Status::interrupted) {
    std::error_code code;  // a remaining checkpoint is ignored
    fs::remove(file(kCheckpointFile), code);
  }
  report(Progress::Phase::finished);
  return record;
}

}  // namespace

results::Record run_training(const RunSpec& spec, const RunOptions& options, Workers& workers) {
  return Run(spec, options, workers).execute();
}

}  // namespace lra::harness
