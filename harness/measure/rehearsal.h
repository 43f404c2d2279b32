#pragma once
// Speed and memory of runs, measured while nothing else of the suite is running.

#include <filesystem>
#include <memory>

#include "harness/measure/side_by_side.h"
#include "harness/run/spec.h"

namespace lra::harness {

struct MeasureOptions {
  std::filesystem::path data;  // as OpenOptions
  int threads = 1;
  double seconds = 1;  // of training steps of a run, over all rounds; inference adds a third
};

inline constexpr int kMeasuredRounds = 3;

// Opens a run's data and does its warm-up steps; each round repeats its first steps.
[[nodiscard]] std::unique_ptr<Rehearsal> rehearse(const RunSpec& spec,
                                                  const MeasureOptions& options, const Tell& tell);

}  // namespace lra::harness
