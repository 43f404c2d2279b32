#include "harness/run/state.h"

#include <cstddef>

#include "engine/base/error.h"

namespace lra::harness {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxStepTimes = 4096;

json sums_to_json(const StepSums& s) {
  return {{"loss", s.loss},     {"steps", s.steps}, {"correct", s.correct}, {"counted", s.counted},
          {"tokens", s.tokens}, {"rows", s.rows},   {"flops", s.flops},     {"seconds", s.seconds}};
}
StepSums sums_from_json(const json& j) {
  return {j.at("loss"),   j.at("steps"), j.at("correct"), j.at("counted"),
          j.at("tokens"), j.at("rows"),  j.at("flops"),   j.at("seconds")};
}

}  // namespace

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

nlohmann::json RunState::to_json() const {
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

RunState RunState::from_json(const json& j, const std::string& where) {
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
    fail(ErrorKind::data, "{}: malformed: {}", where, error.what());
  }
  return state;
}

}  // namespace lra::harness
