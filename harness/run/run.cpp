#include "harness/run/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "harness/run/active_run.h"
#include "harness/run/data.h"
#include "harness/run/ended.h"
#include "harness/run/environment.h"
#include "harness/run/lock.h"
#include "harness/run/measurement.h"
#include "harness/run/record.h"

namespace lra::harness {

namespace fs = std::filesystem;

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
    state_.go_on_with(workers_.threads());
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
    // A search on other data has not chosen the settings of this run.
    const auto* search = options_.search;
    if (search != nullptr &&
        (search->data_sha256.empty() || search->data_sha256 == record.task.data_sha256)) {
      record.search = *search;
    }
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

results::Record run_training(const RunSpec& spec, const RunOptions& options, Workers& workers) {
  return Run(spec, options, workers).execute();
}

}  // namespace lra::harness
