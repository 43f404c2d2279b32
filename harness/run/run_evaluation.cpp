// The evaluations and diagnoses of a run in progress, and what they decide: which weights are kept,
// and when training ends early.

#include <cmath>
#include <cstring>
#include <string_view>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "harness/diagnose/diagnose.h"
#include "harness/run/active_run.h"
#include "harness/workers/sample.h"

namespace lra::harness {
namespace {

using nlohmann::json;

constexpr std::string_view kEvaluation = "evaluation sample";

}  // namespace

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

}  // namespace lra::harness
