#include "harness/run/state.h"

#include <cstddef>

#include "engine/base/error.h"
#include "engine/base/fields.h"

namespace lra::harness {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxStepTimes = 4096;

}  // namespace

template <class V>
void describe(V& v, StepSums& sums) {
  v("loss", sums.loss);
  v("steps", sums.steps);
  v("correct", sums.correct);
  v("counted", sums.counted);
  v("tokens", sums.tokens);
  v("rows", sums.rows);
  v("flops", sums.flops);
  v("seconds", sums.seconds);
}

template <class V>
void describe(V& v, StepStretch& stretch) {
  v("threads", stretch.threads);
  v("steps", stretch.steps);
}

template <class V>
void describe(V& v, RunState& state) {
  v("step", state.step);
  v("started", state.started);
  v("eval_seconds", state.eval_seconds);
  v("diagnosed", state.diagnosed);
  v("diagnosis_seconds", state.diagnosis_seconds);
  v.part("evaluated", state.evaluated, true);
  v("val_accuracy", state.val_accuracy);
  v("best_accuracy", state.best_accuracy);
  v("best_step", state.best_step);
  v("total", state.total);
  v("window", state.window);
  v("step_ms", state.step_ms);
  v("step_stride", state.step_stride);
  v.part("stretches", state.stretches, !state.stretches.empty());
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
  if (!stretches.empty()) ++stretches.back().steps;
  if (total.steps % step_stride != 0) return;
  step_ms.push_back(static_cast<float>(seconds * 1e3));
  if (step_ms.size() < kMaxStepTimes) return;
  for (std::size_t i = 0; i < step_ms.size() / 2; ++i) step_ms[i] = step_ms[2 * i + 1];
  step_ms.resize(step_ms.size() / 2);
  step_stride *= 2;
}

void RunState::go_on_with(std::int64_t threads) {
  if (!stretches.empty() && stretches.back().steps == 0) stretches.pop_back();
  if (stretches.empty() || stretches.back().threads != threads) stretches.push_back({threads, 0});
}

json RunState::to_json() const { return to_fields(*this); }

RunState RunState::from_json(const json& j, const std::string& where) {
  RunState state;
  try {
    from_fields(j, state);
  } catch (const json::exception& error) {
    fail(ErrorKind::data, "{}: malformed: {}", where, error.what());
  }
  // Earlier versions stopped only between a validation and the next step.
  if (!j.contains("evaluated")) state.evaluated = state.step;
  return state;
}

}  // namespace lra::harness
