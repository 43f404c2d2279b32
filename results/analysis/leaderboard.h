#pragma once
// A leaderboard: a pure function of a set of records, the same for the same records in any order.
// A column is a task on one set of data; a row (Entry) is a variant: an attention with its options
// under one preset, protocol and precision on one machine. Settings changed from the preset get
// separate rows only where they distinguish runs of one attention within a column; settings shared
// by a column or by the whole board are listed once. Runs that are not comparable are never merged.
// A run that did not complete is listed with its reason and adds nothing to any mean.

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "results/analysis/statistics.h"
#include "results/record/record.h"
#include "results/record/tasks.h"

namespace lra::results {

// Conditions under which two runs of a task are comparable.
struct DataClass {
  std::optional<Origin> origin;
  std::optional<std::string> sha256;
  std::int64_t version = 1;  // of the task
  JsonText options;          // of the task
  bool operator==(const DataClass&) const = default;
  // Official, generated, official-cut, stand-in, own, unknown; then by the rest.
  bool operator<(const DataClass& other) const;
  // True for official or generated data, which are comparable with the literature.
  [[nodiscard]] bool comparable() const;
};

struct RunLine {
  std::string run_id;
  std::int64_t seed = 0;
  Status status = Status::completed;
  std::string failure;  // empty if completed
  Real accuracy;        // test
  std::string started;  // UTC
  std::string threads;  // threads_of() its stretches
  std::string version;  // of the program
  std::optional<std::string> commit;
  std::optional<bool> dirty;               // uncommitted changes
  std::optional<std::string> data_sha256;  // none if its data could not be opened
};

// Comparison with the entry of the baseline attention under the same conditions, over common seeds,
// in fractions of test accuracy.
struct Versus {
  std::size_t against = 0;  // index of that entry
  std::vector<std::int64_t> seeds;
  PairedTest test;
  // For a single common seed: McNemar's test on the answers to the same test examples, if both
  // records contain them.
  std::optional<double> p_mcnemar;
};

// One entry in one column: all its seeds.
struct Cell {
  Division division = Division::apples_to_apples;  // free-for-all if any run is
  std::vector<std::string> division_reasons;
  std::vector<std::string> deviations;  // from the protocol, the same in all its runs
  std::vector<RunLine> runs;            // by seed
  // Metric name -> summary over completed runs, in recorded units. Timings are taken from
  // exclusively measured runs if there are any.
  std::map<std::string, Summary> metrics;
  std::optional<Timing> measured;           // how speed and memory were taken; none: not measured
  std::set<std::string> shared;             // timings, by metric, that were taken beside others
  std::optional<Interval> wilson95;         // of a single run's test accuracy
  std::map<std::string, double> agreement;  // baseline name -> mean agreement
  std::vector<std::string> verdicts;
  std::vector<std::string> searches;  // describe() of the searches behind its settings
  std::optional<Versus> versus;

  [[nodiscard]] const Summary* metric(std::string_view name) const;  // nullptr: missing
  // 95 % interval of the test accuracy: Wilson's of a single run, Student's over several seeds.
  [[nodiscard]] std::optional<Interval> interval() const;
};

struct BoardColumn {
  std::string id;     // the task; of its further data "TASK@" and the first digits of the digest
  std::string task;   // name
  std::string title;  // of the task; of further data with what tells them from the first
  DataClass data;
  std::vector<std::string> deviations;  // of every run in it, but not of the whole board
  std::string unit;                     // of test_count
  Count test_count;                     // evaluated test examples of a run
};

struct Entry {
  AttentionPart attention;
  std::string preset;
  std::string protocol;
  // "train.steps=300": changed settings that distinguish its runs from others of the same
  // attention.
  std::vector<std::string> settings;
  Precision precision = Precision::f32;
  Environment environment;            // of its first run; all share machine_of()
  std::map<std::size_t, Cell> cells;  // by index into Leaderboard::columns
};

// The trivial predictors on one set of test data.
struct ColumnBaselines {
  std::size_t column = 0;
  std::vector<Baseline> baselines;  // agreement is not filled
};

// Average of the test accuracies of LRA's first tasks.
struct Average {
  double mean = 0;
  std::int64_t seeds = 0;    // that every task has in common, 0 unless each has these alone
  std::optional<double> sd;  // over the seeds' averages
  // Student's over the seeds' averages; of a single seed from the tasks' Wilson intervals.
  std::optional<Interval> interval95;
};

struct Leaderboard {
  std::vector<BoardColumn> columns;  // in LRA's order; of a task the first data are the usual ones
  std::vector<Entry> entries;        // by attention, options, preset, protocol, ... in this order
  std::vector<ColumnBaselines> baselines;
  std::vector<std::string> settings;        // "train.steps=20": changed alike in every run
  std::map<Status, std::int64_t> runs;      // of each status
  std::vector<std::string> programs;        // program_of() of the runs, sorted
  std::string first_started, last_started;  // UTC
  // Attention that Cell::versus compares with: its entries with default options, if it has any.
  std::string baseline;

  // Index of a task's first column; columns.size() if it has none.
  [[nodiscard]] std::size_t column_of(std::string_view task) const;
  // Average over LRA's first five or all six tasks, each in its first column; empty unless every
  // task has a completed run.
  [[nodiscard]] std::optional<Average> average(const Entry& entry, std::size_t tasks) const;
};

// A deviation as a record states it ("train.steps: 20 instead of 5000") in short: "train.steps=20".
[[nodiscard]] std::string short_setting(const std::string& deviation);

// p of McNemar's test between two runs that answered the same test examples; empty if a record
// lacks its answers, or for different data.
[[nodiscard]] std::optional<double> same_examples_p(const Record& a, const Record& b);

// Throws Error(data) if a run id occurs twice for one machine and one set of data.
[[nodiscard]] Leaderboard build_leaderboard(const std::vector<Record>& records,
                                            const std::string& baseline = "softmax");

// leaderboard.json (results/schema/leaderboard.schema.json). Without timings it contains only
// values that a repetition reproduces bit for bit: no speed, time, memory or date.
[[nodiscard]] nlohmann::json to_json(const Leaderboard& board, bool timings = true);

}  // namespace lra::results
