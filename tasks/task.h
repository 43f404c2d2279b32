#pragma once
// Interface of tasks: named, typed examples in three splits, read from a memory-mapped cache, with
// their origin, their digest and the predictors to compare a model with.
//
// A task file defines the location of its data (find), the conversion of records to examples
// (read), the properties needed by a model (info) and predictors without a model (predictors).
// Finding folders, caching, counting, checking, and fitting and evaluating the predictors are
// shared.

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/head.h"
#include "engine/base/options.h"
#include "engine/base/origin.h"
#include "engine/base/registry.h"
#include "tasks/io/progress.h"

namespace lra::tasks {

struct FetchPlan;

using Token = std::uint16_t;

enum class Split { train = 0, val = 1, test = 2 };
inline constexpr std::array<Split, 3> kSplits{Split::train, Split::val, Split::test};
[[nodiscard]] std::string_view split_name(Split split);
[[nodiscard]] constexpr std::size_t split_index(Split split) {
  return static_cast<std::size_t>(split);
}

// One example: token ids (or pixel values), already cut to the task's maximum length, not padded.
// Views stay valid as long as the Dataset. Id 0 is padding and does not occur in `tokens`, unless
// TaskInfo::zero_is_padding says so.
struct Example {
  std::span<const Token> tokens;               // [n]
  std::span<const Token> second;               // [n2], pair tasks only
  std::int32_t label = 0;                      // class
  std::span<const std::int32_t> token_labels;  // [n], token-level tasks only; -100 = none
};

// One split, random access, thread-safe reads, no copies (spans point into the mapped cache). The
// order is fixed but not shuffled (text, for example, may be sorted by class): a trainer shuffles.
class Dataset {
 public:
  Dataset() = default;
  Dataset(const Dataset&) = delete;
  Dataset& operator=(const Dataset&) = delete;
  virtual ~Dataset() = default;
  [[nodiscard]] virtual std::size_t size() const = 0;
  [[nodiscard]] virtual Example operator[](std::size_t index) const = 0;
};

using lra::Origin;

// An opened task.
struct TaskData {
  std::array<std::shared_ptr<const Dataset>, 3> splits;  // by Split
  Origin origin = Origin::generated;
  std::string sha256;                           // digest over the splits' digests
  std::string description;                      // one line: what it is and where it was found
  std::shared_ptr<const nlohmann::json> extra;  // added by details(); may be null
  std::filesystem::path cache;                  // the folder of the cache; empty: not cached

  // {task, version, origin, sha256, description, counts {train, val, test}, digests {...}} and what
  // the task adds (seed, generator's parameters, ...).
  [[nodiscard]] nlohmann::json details() const;
  [[nodiscard]] const Dataset& split(Split which) const { return *splits[split_index(which)]; }
};

using lra::Head;

// Sources of a task's examples, one line each, as printed by `lra list tasks`.
struct DataSource {
  std::string examples;  // what an example is
  std::string origin;    // who made the data, and the terms under which they are published
  // Examples of the official set by Split; 0: no such split. All 0: there is no official set.
  std::array<std::int64_t, 3> counts{};
  std::string command;    // how to get them
  std::string otherwise;  // replacement if they are absent
  std::string folder{};   // of what make() writes, in a folder of data; empty: make() names it
};

// Properties of a task that a model needs, after its options were set.
struct TaskInfo {
  std::string name;
  std::string set;    // name of a user's data set, shown in tables instead of the task's
  bool open = false;  // classes, vocabulary and length depend on data not yet known
  std::string title;  // for tables
  std::string cite;
  int version = 1;  // bumped whenever scores could change
  Head head = Head::pooled_class;
  std::int64_t classes = 0;
  std::vector<std::string> class_names;  // none: they are numbers
  std::int64_t vocabulary = 0;           // ids are 0..vocabulary-1; 0 is padding
  std::int64_t max_length = 0;           // of one sequence
  bool pixels = false;                   // tokens are grey values (value = id - pixel_offset)
  std::int64_t pixel_offset = 1;
  bool zero_is_padding = false;  // id 0 occurs inside a sequence and is left out of it
  DataSource source;
  // The options that grow with the length of generated sequences, all by the same factor; empty:
  // the length is fixed.
  std::vector<std::string> length_axis;
  bool validates_on_test = false;  // its validation split is the test split, as set by a protocol
  // Splits are parts of one shuffled set: the examples of a split depend on the total number.
  bool splits_from_one_set = false;
  Origin without_files = Origin::generated;  // of the data generated if no files are found
};

struct OpenOptions {
  std::filesystem::path data;   // --data; empty: $LRA_DATA, then the user's cache, then make it
  std::filesystem::path cache;  // where memory-mapped caches live; empty: <user cache>/cache
  std::uint64_t seed = 0;       // of generated data
  std::array<std::int64_t, 3> counts{-1, -1, -1};  // wanted sizes; -1: the task's official ones
  // Splits for which fewer examples than wanted are accepted; otherwise throws Error(data).
  std::array<bool, 3> at_most{};
  Progress progress;           // may be empty
  std::string via = "--data";  // who named `data`, for descriptions
};

// The requested sizes, with defaults for missing ones.
[[nodiscard]] std::array<std::int64_t, 3> wanted_counts(const OpenOptions& options,
                                                        std::array<std::int64_t, 3> defaults);

// Receives the examples of a reader, in order.
class ExampleSink {
 public:
  ExampleSink() = default;
  ExampleSink(const ExampleSink&) = delete;
  ExampleSink& operator=(const ExampleSink&) = delete;
  virtual ~ExampleSink() = default;
  virtual void add(Split split, const Example& example) = 0;
  // A record that could not be read; `message` names file and line or record. Throws Error(data)
  // unless the sink collects faults; reading then continues with the next record.
  virtual void fault(const std::string& message);
};

// Source of the examples: a folder or archive, or empty (generated).
struct Source {
  std::filesystem::path path;  // empty: generated
  std::string via;             // "--data", "$LRA_DATA", "the user's cache" or empty
  // Text that changes whenever the examples would: options, files with sizes and times, seed.
  std::string identity;
};

// Facts known to a reader after reading.
struct Reading {
  Origin origin = Origin::generated;
  std::string description;
  std::shared_ptr<const nlohmann::json> extra;  // for details(); may be null
};

// A trivial or classical predictor, the reference for a model's score.
struct Predictor {
  std::string name;  // of letters, digits and underscores; unique among all tasks, save for equals
  std::string sees;  // one line: what it looks at and how it answers
  // Fits on the train split and answers the test split: one label per example (per labelled
  // position for a token-level task), in order and the same for any number of threads.
  std::function<std::vector<std::int32_t>(const TaskData&)> answer;
  std::optional<double> accuracy;  // if it follows from the task's rules; `answer` is then empty
  bool looks = true;               // at the example; false: the answer is a constant or a guess
};

// A task with its options. Registered by LRA_TASK in a separate file.
class Task {
 public:
  Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  virtual ~Task() = default;
  [[nodiscard]] virtual TaskInfo info() const = 0;
  virtual void options(OptionTable& table) { static_cast<void>(table); }
  // Throws Error(config) for incompatible options; called after they are set.
  virtual void check_options() const {}

  // Fills in the unset options from the data at `options.data` (classes, vocabulary, longest
  // sequence), so that the options then fully describe the examples. Default: no option is open.
  // Throws Error(data) if there are no readable data.
  virtual void settle(const OpenOptions& options) { static_cast<void>(options); }

  // The location of the data; cheap (names, sizes, times). Throws Error(data) if `options.data` was
  // given and contains none.
  [[nodiscard]] virtual Source find(const OpenOptions& options) const = 0;
  // Reads or generates all examples into the sink, with the same examples and order for any number
  // of threads. Throws Error(data) for a fault of a whole file; calls sink.fault() for a record's.
  [[nodiscard]] virtual Reading read(const Source& source, const OpenOptions& options,
                                     ExampleSink& sink) const = 0;
  // The task's predictors without a model, starting with the simplest; shortcuts.h fits and
  // evaluates them. Default: the majority class.
  [[nodiscard]] virtual std::vector<Predictor> predictors() const;
  // Writes generated data in the official file format (`lra data make`) and returns the data card
  // written beside them. Throws Error(usage) if the task has no generator.
  // NOLINTNEXTLINE(modernize-use-nodiscard): the card is also a file.
  virtual nlohmann::json make(const OpenOptions& options, const std::filesystem::path& out) const;
  // The address of the official data (io/fetch.h). Throws Error(usage) if there is none.
  [[nodiscard]] virtual FetchPlan download() const;

  // Finds or generates the data, builds a missing or damaged cache (safe with several processes),
  // maps it. Throws Error(data) naming file and line of a fault, or a split without examples; no
  // partial files remain.
  [[nodiscard]] virtual TaskData open(const OpenOptions& options) const;
  // The result of open() if the cache is complete; otherwise nothing is read, generated or written.
  [[nodiscard]] std::optional<TaskData> open_cached(const OpenOptions& options) const;
};

struct TaskEntry {
  std::unique_ptr<Task> (*create)();
};

[[nodiscard]] Registry<TaskEntry>& task_registry();

// Creates a task and sets its options from a JSON object (null: all defaults).
// Throws Error(usage) for an unknown task and Error(config) for a wrong option.
[[nodiscard]] std::unique_ptr<Task> create_task(std::string_view name,
                                                const nlohmann::json& options);
// The same, with unset options filled in from the data.
[[nodiscard]] std::unique_ptr<Task> create_task(std::string_view name,
                                                const nlohmann::json& options,
                                                const OpenOptions& data);

#define LRA_TASK(name, type)                                                        \
  static const bool lra_task_registered_##name = ::lra::tasks::task_registry().add( \
      #name, {[]() -> std::unique_ptr<::lra::tasks::Task> { return std::make_unique<type>(); }})

}  // namespace lra::tasks
