#pragma once
// The event stream of `lra run --events FILE`: one JSON object per line, for monitoring programs.
//
//   {"event": "suite",    "time": UTC, "suite": NAME, "runs": [NAME...]}
//   {"event": "progress", "time": UTC, "run": NAME, "phase": "data" | "training" | "evaluation" |
//    "finished", "step", "steps", "loss", "accuracy", "tokens_per_second", "seconds_left",
//    "val_accuracy"}                                    fields that are not known yet are missing
//   {"event": "work",     "time": UTC, "phase", "runs": [NAME...], "first", "total"}  the current
//    estimates or measurements, the first of them being number `first` (from 1) of `total`
//   {"event": "record",   "time": UTC, "run": NAME, "status", "test_accuracy", "failure"}
//   {"event": "end",      "time": UTC, "completed": NUMBER, "diverged": NUMBER, "failed": NUMBER,
//    "stopped": BOOL}                                   numbers of runs; the others have not ended

#include <filesystem>
#include <fstream>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "harness/suite/execute.h"

namespace lra::harness::cli {

class EventStream {
 public:
  // Appends to the file, so that a continued suite continues its stream. Throws Error(io) if it
  // cannot be opened; an empty path writes nothing. A write that fails ends the stream with a line
  // on stderr, not the suite.
  explicit EventStream(const std::filesystem::path& path);
  void suite(const Suite& suite);
  void progress(const std::string& run, const Progress& progress);
  void record(const std::string& run, const results::Record& record);
  void measured(const std::string& run, const Measurement& measurement);
  void bench(const results::BenchRecord& record, const results::BenchPoint& point);
  void phase(const std::string& name);
  void work(const std::string& phase, const std::vector<std::string>& runs, std::size_t first,
            std::size_t total);
  void usage(const std::string& phase, const Usage& usage);
  void end(const SuiteOutcome& outcome, bool stopped);

 private:
  void write(nlohmann::json event);
  std::string path_;
  std::ofstream file_;
};

}  // namespace lra::harness::cli
