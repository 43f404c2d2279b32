#pragma once
// A leaderboard: a pure function of a set of records, the same for the same records in any order.
// What is not comparable is never merged: another attention option, preset, protocol, deviation,
// precision or machine makes another entry, other data another cell. A run that did not complete
// is listed with its reason and adds nothing to any mean.

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "results/analysis/statistics.h"
#include "results/record/record.h"
#include "results/record/tasks.h"

namespace lra::results {

// What makes two runs of a task comparable.
struct DataClass {
  std::optional<Origin> origin;
  std::optional<std::string> sha256;
  std::int64_t version = 1;  // of the task
  JsonText options;          // of the task
  bool operator==(const DataClass&) const = default;
  // Official before generated before stand-in before unknown; then by the rest.
  bool operator<(const DataClass& other) const;
  // "official" or "generated": may stand beside the literature.
  [[nodiscard]] bool comparable() const;
};

struct RunLine {
  std::string run_id;
  std::int64_t seed = 0;
  Status status = Status::completed;
  std::string failure;  // empty if completed
  Real accuracy;        // test
};

// Against the entry of the baseline attention under the same conditions, over common seeds, in
// fractions of test accuracy.
struct Versus {
  std::vector<std::int64_t> seeds;
  PairedTest test;
};

// One entry on one task: all its seeds.
struct Cell {
  std::string title;  // of the task
  DataClass data;
  Division division = Division::apples_to_apples;  // free-for-all if any run is
  std::vector<std::string> division_reasons;
  std::vector<RunLine> runs;  // by seed
  // Metric name -> summary over completed runs, in recorded units. Timings are taken from
  // exclusively measured runs where there is one.
  std::map<std::string, Summary> metrics;
  std::string measured;              // how the timings were taken: "exclusive", "shared" or empty
  std::string unit;                  // of test_count
  Count test_count;                  // evaluated test examples of a run
  std::optional<Interval> wilson95;  // of a single run's test accuracy
  std::map<std::string, double> agreement;  // baseline name -> mean agreement
  std::vector<std::string> verdicts;
  std::vector<std::string> versions;  // of the program, sorted
  std::optional<Versus> versus;

  [[nodiscard]] const Summary* metric(std::string_view name) const;  // nullptr: missing
};

struct Entry {
  AttentionPart attention;
  std::string preset;
  std::string protocol;
  std::vector<std::string> deviations;
  std::string precision;
  Environment environment;  // of its first run; all share machine_of()
  int alternative = 0;      // counts up where the same conditions met several data of one task
  std::map<std::string, Cell, TaskBefore> cells;

  // Mean test accuracy (fraction) over LRA's first five or all six tasks; empty unless every one
  // has a completed run.
  [[nodiscard]] Real average(std::size_t tasks) const;
};

// The trivial predictors on one set of test data.
struct TaskBaselines {
  std::string task;
  DataClass data;
  std::vector<Baseline> baselines;  // agreement is not filled
};

struct Leaderboard {
  std::vector<Entry> entries;  // by attention, options, preset, protocol, ... in this order
  std::vector<TaskBaselines> baselines;
  std::map<Status, std::int64_t> runs;  // of each status
  std::string baseline;                 // attention that Cell::versus compares with
};

// Throws Error(data) if a run id stands twice for one machine.
[[nodiscard]] Leaderboard build_leaderboard(const std::vector<Record>& records,
                                            const std::string& baseline = "softmax");

// leaderboard.json (results/schema/leaderboard.schema.json). Without timings it holds only what a
// repetition reproduces bit for bit: no speed, time or memory.
[[nodiscard]] nlohmann::json to_json(const Leaderboard& board, bool timings = true);

}  // namespace lra::results
