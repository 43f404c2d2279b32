#pragma once
// A typed view of result.json, the full record of one run. The layout, ranges and meaning
// of each field are in results/schema/result.schema.json, which every reading and writing checks.
// Accuracies are fractions in [0, 1]; units are in the names; an empty optional is `null`: not
// measured, never 0.

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/origin.h"
#include "engine/base/precision.h"

namespace lra::results {

using lra::Origin;

inline constexpr std::string_view kResultSchema = "lra-result/1";

enum class Status { completed, diverged, interrupted, failed };
constexpr auto texts(Status) {
  return enum_texts("completed", "diverged", "interrupted", "failed");
}
enum class Timing { exclusive, shared };  // alone on the machine, or while other runs ran
constexpr auto texts(Timing) { return enum_texts("exclusive", "shared"); }
enum class Division { apples_to_apples, free_for_all };
constexpr auto texts(Division) { return enum_texts("apples-to-apples", "free-for-all"); }

using Real = std::optional<double>;
using Count = std::optional<std::int64_t>;

// A value for each split.
template <class T>
struct PerSplit {
  T train{}, val{}, test{};
};

struct Interval {
  double low = 0;
  double high = 0;
};

// Quantiles of a time over `count` repetitions, in milliseconds.
struct Quantiles {
  double median = 0;
  double p10 = 0;
  double p90 = 0;
  std::int64_t count = 0;
};

// A JSON object as compact text with sorted keys.
struct JsonText {
  std::string text = "{}";
  bool operator==(const JsonText&) const = default;
};

struct TaskPart {
  std::string name;
  std::string title;  // for tables
  std::int64_t version = 1;
  JsonText options;
  std::optional<Origin> origin;  // empty if the data could not be opened
  std::optional<std::string> data_sha256;
  std::string data_description;
  PerSplit<Count> counts;  // examples of each split
};

struct AttentionPart {
  std::string name;
  std::string label;  // for tables
  JsonText options;   // all of them, defaults filled in
  // Names of the options that differ from the variant's defaults; empty if not recorded.
  std::vector<std::string> changed = {};
};

// LRA's rule: apples-to-apples needs the preset unchanged and at most 10 % more or fewer parameters
// than the Transformer under the same preset.
struct DivisionPart {
  Division name = Division::free_for_all;
  Count baseline_parameters;         // of the softmax Transformer
  Real parameter_ratio;              // parameters / baseline_parameters
  std::vector<std::string> reasons;  // why not apples-to-apples
};

struct TrainingPart {
  Count steps;               // planned
  Count steps_done;          // done
  Count batch;               // examples an optimiser step
  Count examples;            // seen
  Count tokens;              // seen, without padding
  std::string stopped = {};  // why it ended before the planned steps; empty: it did not
  JsonText init = {};        // {file, sha256, taken [names], left [names]}; {}: new weights
};

// Accuracy on one named part of the test data, e.g. a range of lengths.
struct Slice {
  std::string name;
  double accuracy = 0;
  std::int64_t count = 0;
};

struct AccuracyPart {
  PerSplit<Real> value;
  Count best_step;
  std::optional<std::string> selected_by;  // "best_validation" or "last_step"
  std::string unit = "examples";           // what is counted: "examples", "pairs", "tokens"
  PerSplit<Count> counts;                  // evaluated
  std::optional<Interval> test_wilson95;
  // Effective number of test labels if each had a separate sequence; none: `counts`.
  Count test_independent;
  // The test examples answered right (answers.h); empty in older files and if an example has
  // several labels.
  std::string test_right;
  std::vector<Slice> slices;
};

// Test accuracy on sequences of another length than in training; without an accuracy, with a
// `reason`, where the model is not defined for them.
struct LengthPoint {
  std::int64_t factor = 1;  // of the trained length
  Count length;             // of the longest sequence
  Count count;              // predictions: labelled positions or sequences
  Real accuracy;
  Real exact;  // of token-level tasks: sequences with every label right
  std::optional<Interval> wilson95;
  std::optional<std::string> reason;
};

struct LengthPart {
  std::vector<LengthPoint> points;  // by factor; none: not evaluated
  Count reach;                      // the largest length with an accuracy of 0.9 or more
  Real area;  // mean accuracy over log2 of the length; none unless every point has one
};

// A predictor that needs no model, on the same test data; `agreement` is the share of test examples
// on which the model predicts the same. Rungs of a shortcut ladder have `ladder` set.
struct Baseline {
  std::string name;
  std::string title;
  double accuracy = 0;
  Real agreement;
  std::int64_t count = 0;
  bool ladder = false;
};

// A trial of a search for settings, with the attention and task of the run that records it.
struct SearchTrial {
  JsonText settings;       // what it changed
  std::int64_t rungs = 0;  // that it took part in
  Real first;              // validation accuracy after the first rung; none: diverged or failed
  Real last;               // likewise after its last one
};

// Steps and number of the trials of one rung.
struct SearchRung {
  std::int64_t steps = 0;
  std::int64_t trials = 0;
};

// Runs of trials in the search's folder that are no part of it: of earlier calls with more trials
// or other options, whose results were there when it was chosen.
struct SearchFurther {
  std::int64_t runs = 0;
  std::int64_t tokens = 0;  // of their training
};

// The search (`lra tune`) that chose a run's settings by validation accuracy.
struct SearchPart {
  std::int64_t seed = 0;    // of the draw from the grid
  std::int64_t tokens = 0;  // of the training of all trials, repetitions counted
  std::vector<SearchRung> rungs;
  std::vector<SearchTrial> trials;  // in the order in which they were drawn
  std::string data_sha256{};        // of the data of the trials; empty in earlier records
  SearchFurther further{};
};

struct SpeedPart {
  Real train_steps_per_second;
  Real train_examples_per_second;
  Real train_tokens_per_second;  // without padding
  Real infer_examples_per_second;
  Real infer_tokens_per_second;  // without padding
  std::optional<Quantiles> train_step_ms;
  std::optional<Quantiles> infer_batch_ms;
  Real padding_share;  // padded positions / all computed positions
  std::optional<Timing> measured;
  // "0.1.0 (2b7c8d98)", of the program that measured later; empty, and not written, where it is the
  // environment's.
  std::string measured_by = {};
};

struct MemoryPart {
  Count peak_tensor_bytes;
  Count peak_rss_bytes;
};

struct CostPart {
  Real train_flops_per_token;  // forward and backward, counted from the operations that ran
  Real infer_flops_per_token;
  Real energy_joules;  // of training; written as "unavailable" where the machine has no counter
};

// Steps of training with one number of threads.
struct Stretch {
  std::int64_t threads = 0;
  std::int64_t steps = 0;
};

struct TimePart {
  std::string started;  // UTC, 2026-01-31T12:00:00Z
  Real seconds;         // training
  Real eval_seconds;
  // How the training was timed; none, and not written, in records of earlier versions.
  std::optional<Timing> measured = {};
  // Of a continued run, unless all steps were with the last process's environment.threads. Steps
  // of earlier versions are in none.
  std::vector<Stretch> stretches = {};
};

struct Environment {
  std::string cpu;
  std::string isa;
  std::int64_t cores = 1;
  std::int64_t threads = 1;  // of the last process
  std::int64_t lanes = 1;    // gradient lanes: fixed, so that bits do not depend on threads
  std::string onednn;
  std::string tbb;
  std::string compiler;
  std::string version;  // of lra
  std::optional<std::string> commit;
  std::optional<bool> dirty;  // uncommitted changes
  // Cluster node on which the run ended; empty, and not written, outside of a cluster.
  std::string node = {};
};

// Names of the run folder's other files, relative to it.
struct FilesPart {
  std::optional<std::string> curve;  // metrics.jsonl
  std::optional<std::string> model;
  std::optional<std::string> spec;
};

struct Record {
  std::string run_id;       // first 16 digits of spec_sha256
  std::string spec_sha256;  // of the full specification
  Status status = Status::completed;
  std::optional<std::string> failure;  // why it is not completed
  TaskPart task;
  AttentionPart attention;
  std::optional<SearchPart> search;  // empty: its settings were not searched for
  // "validation" for a trial of a search, which is not evaluated on train and test; else empty.
  std::string evaluated;
  std::string preset;
  std::string protocol;
  std::vector<std::string> deviations;  // from the protocol, e.g. "steps: 300 instead of 5000"
  std::int64_t seed = 0;
  Precision precision = Precision::f32;
  Count parameters;
  DivisionPart division;
  TrainingPart training;
  AccuracyPart accuracy;
  LengthPart lengths;  // added by `lra evaluate --save`
  PerSplit<Real> loss;
  std::vector<Baseline> baselines;
  std::optional<std::string> verdict;  // e.g. "root-operator solution"
  SpeedPart speed;
  MemoryPart memory;
  CostPart cost;
  TimePart time;
  Environment environment;
  FilesPart files;
  JsonText diagnostics;                     // of the attention; {} if none
  std::map<std::string, double> diagnosis;  // its means by name, those that were measured

  std::filesystem::path file;  // source file; not part of the JSON
};

// The record as JSON. Throws Error(numeric) that names a NaN or infinite field and Error(config)
// if the result does not fit the schema: a fault of the writer.
[[nodiscard]] nlohmann::json to_json(const Record& record);

// Strict: throws Error(data) "where: /path: what" for an unknown schema version, for missing,
// unknown or out-of-range fields, and for contradictions (a completed run without a test accuracy,
// a run id that is not the specification's, an accuracy outside its interval).
[[nodiscard]] Record from_json(const nlohmann::json& value, std::string_view where);

// Parses a result file. In addition to from_json, reports truncation, NaN and Infinity explicitly
// (the latter are not JSON).
[[nodiscard]] Record parse_record(std::string_view text, std::string_view where);

// Sets the run id of a specification: spec_sha256 and its first 16 digits.
void set_run_id(Record& record, std::string_view spec_json);

// "2, then 1": the numbers of threads of a run's stretches; empty if there are none.
[[nodiscard]] std::string threads_of(const TimePart& time);

// A search as JSON, and back; the JSON is that of the record's member `search`. search_from_json
// throws Error(data) "where: /path: what" for malformed JSON.
[[nodiscard]] nlohmann::json to_json(const SearchPart& search);
[[nodiscard]] SearchPart search_from_json(const nlohmann::json& value, std::string_view where);

// "best validation of 8 trials of 125, 250 and 500 steps, 1.2 M tokens".
[[nodiscard]] std::string describe(const SearchPart& search);

// Sets `diagnostics` and `diagnosis`.
void set_diagnostics(Record& record, const nlohmann::json& diagnostics);

// Adds the points of `fresh` to those of other factors and judges them all. A point replaces that
// of its factor; one without an accuracy does not replace one that has it.
void merge_lengths(LengthPart& lengths, const LengthPart& fresh);

// Fills `reach` and `area` from the points.
void judge_lengths(LengthPart& lengths);

// Fills `division` from the parameters and the deviations: the 10 % rule.
void judge_division(Record& record, Count baseline_parameters);

// Identity of the machine for tables: CPU, ISA, cores and threads in one line.
[[nodiscard]] std::string machine_of(const Environment& environment);

// The program that made a record, with the commit's first digits: "0.1.0 (0123abc, with changes)".
[[nodiscard]] std::string program_of(const Environment& environment);

// The conditions of a run besides its attention: "nystromformer, protocol exact [train.steps: 300
// instead of 5000], f32".
[[nodiscard]] std::string setting_of(const Record& record);

// The text of an included schema: "result", "bench", "leaderboard", "published", "metrics".
[[nodiscard]] std::string_view schema_text(std::string_view name);

}  // namespace lra::results
