#pragma once
// Speed and memory of runs, measured while nothing else of the suite goes on.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "harness/measure/side_by_side.h"
#include "harness/run/spec.h"
#include "results/record/record.h"

namespace lra::harness {

// Times of the same batches in every round, and what these batches hold.
struct TimedBatches {
  std::vector<std::vector<double>> round_ms;         // [round][batch]
  std::int64_t examples = 0, tokens = 0, flops = 0;  // of one round

  [[nodiscard]] double seconds() const;  // of all rounds
  [[nodiscard]] results::Real per_second(std::int64_t count_of_a_round) const;
  [[nodiscard]] std::optional<results::Quantiles> quantiles() const;  // over batches and rounds
};

struct Measurement {
  TimedBatches train, infer;
  std::int64_t peak_tensor_bytes = 0;  // over training steps, one of them on the longest examples
  std::int64_t peak_rss_bytes = 0;     // of a process that did nothing else
  std::string machine;                 // and the program's version

  // Replaces the times and bytes that a run measured of itself beside others.
  void fill(results::Record& record) const;
};

[[nodiscard]] nlohmann::json to_json(const Measurement& m);
// Empty if the file is not there, is of another version, or was measured on another machine or by
// another version of the program.
[[nodiscard]] std::optional<Measurement> load_measurement(const std::filesystem::path& file,
                                                          int threads);

struct MeasureOptions {
  std::filesystem::path data;  // as OpenOptions
  int threads = 1;
  double seconds = 1;  // of training steps of a run, over all rounds; a third more of inference
};

inline constexpr int kMeasuredRounds = 3;

// Opens a run's data and does its warm-up steps; each round repeats its first steps.
[[nodiscard]] std::unique_ptr<Rehearsal> rehearse(const RunSpec& spec,
                                                  const MeasureOptions& options, const Tell& tell);
// What a rehearsal says at its end.
[[nodiscard]] Measurement measurement_of(const nlohmann::json& result);

}  // namespace lra::harness
