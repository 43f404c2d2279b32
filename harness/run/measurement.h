#pragma once
// Speed and memory of a run, measured separately, and their file in the run's folder.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "results/record/record.h"

namespace lra::harness {

// Times of the same batches in every round, and the contents of these batches.
struct TimedBatches {
  std::vector<std::vector<double>> round_ms;         // [round][batch]
  std::int64_t examples = 0, tokens = 0, flops = 0;  // of one round

  [[nodiscard]] double seconds() const;  // of all rounds
  [[nodiscard]] results::Real per_second(std::int64_t count_of_a_round) const;
  [[nodiscard]] std::optional<results::Quantiles> quantiles() const;  // over batches and rounds
};

struct Measurement {
  TimedBatches train, infer;
  std::int64_t peak_tensor_bytes = 0;  // over training steps, including one on the longest examples
  std::int64_t peak_rss_bytes = 0;     // of a separate process
  std::string machine;                 // and the program's version
  std::string data_sha256;             // of the data that it was measured on

  // Replaces the times and bytes measured by the run itself next to other runs.
  void fill(results::Record& record) const;
};

[[nodiscard]] nlohmann::json to_json(const Measurement& measurement);
// Empty if the file is missing, unreadable or of another version, or was measured on other data, on
// another machine, with another number of threads or by another version of the program.
[[nodiscard]] std::optional<Measurement> load_measurement(const std::filesystem::path& file,
                                                          int threads,
                                                          const std::string& data_sha256);

// Reads the form of to_json().
[[nodiscard]] Measurement measurement_of(const nlohmann::json& result);
// True for a completed run that was timed next to others, on a machine like this one and with as
// many threads: measured now, it would say "exclusive".
[[nodiscard]] bool can_be_measured(const results::Record& record, int threads);
// Puts the measurement into the record of such a run, with the program that measured.
void fill_later(const Measurement& measurement, results::Record& record);
// This machine and the program's version, in the form used by measurements.
[[nodiscard]] std::string machine_text(int threads);

}  // namespace lra::harness
