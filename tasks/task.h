#pragma once
// What a task is to the rest of the project: named, typed examples in three splits, read from a
// memory-mapped cache, with their origin and digest.

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/options.h"
#include "engine/base/registry.h"

namespace lra::tasks {

enum class Split { train = 0, val = 1, test = 2 };
inline constexpr std::array<Split, 3> kSplits{Split::train, Split::val, Split::test};
[[nodiscard]] std::string_view split_name(Split split);

// One example: token ids (or pixel values), already cut to the task's maximum length, not padded.
// Views stay valid as long as the Dataset. Id 0 is padding and does not occur in `tokens`, unless
// the task's protocol says so.
struct Example {
  std::span<const std::uint16_t> tokens;       // [n]
  std::span<const std::uint16_t> second;       // [n2], pair tasks only
  std::int32_t label = 0;                      // class
  std::span<const std::int32_t> token_labels;  // [n], token-level tasks only; -100 = none
};

// One split, random access, thread-safe reads, no copies (spans point into the mapped cache).
class Dataset {
 public:
  virtual ~Dataset() = default;
  [[nodiscard]] virtual std::size_t size() const = 0;
  [[nodiscard]] virtual Example operator[](std::size_t index) const = 0;
};

enum class Origin { official, generated, stand_in };
[[nodiscard]] std::string_view origin_name(Origin origin);  // "official", "generated", "stand-in"

// An opened task.
struct TaskData {
  std::array<std::shared_ptr<const Dataset>, 3> splits;  // by Split
  Origin origin = Origin::generated;
  std::string sha256;              // digest over the splits' digests
  std::string description;         // one line: what it is and where it was found
  nlohmann::json details() const;  // counts, split digests, generator version, paths' last parts
  std::shared_ptr<const nlohmann::json> extra;  // what details() adds; may be null

  [[nodiscard]] const Dataset& split(Split which) const {
    return *splits[static_cast<std::size_t>(which)];
  }
};

enum class Head { pooled_class, pair_class, token };

// What the model needs to know of a task, after its options were set.
struct TaskInfo {
  std::string name;
  std::string title;  // for tables
  std::string cite;
  int version = 1;  // bumped whenever scores could change
  Head head = Head::pooled_class;
  std::int64_t classes = 0;
  std::int64_t vocabulary = 0;  // ids are 0..vocabulary-1; 0 is padding
  std::int64_t max_length = 0;  // of one sequence
  bool pixels = false;          // tokens are grey values (id = value + 1) that may be projected
};

struct OpenOptions {
  std::filesystem::path data;   // --data; empty: $LRA_DATA, then the user's cache, then make it
  std::filesystem::path cache;  // where memory-mapped caches live; empty: <user cache>/cache
  std::uint64_t seed = 0;       // of generated data
  std::array<std::int64_t, 3> counts{-1, -1, -1};  // wanted sizes; -1: the task's official ones
};

// A task with its options. Registered by LRA_TASK in a file of its own.
class Task {
 public:
  virtual ~Task() = default;
  [[nodiscard]] virtual TaskInfo info() const = 0;
  virtual void options(OptionTable& table) { static_cast<void>(table); }
  // Finds or makes the data, builds the cache if it is not there, maps it. Throws Error(data) that
  // names file and line of a fault.
  [[nodiscard]] virtual TaskData open(const OpenOptions& options) const = 0;
};

struct TaskEntry {
  std::unique_ptr<Task> (*create)();
};

[[nodiscard]] Registry<TaskEntry>& task_registry();

#define LRA_TASK(name, type)                                                        \
  static const bool lra_task_registered_##name = ::lra::tasks::task_registry().add( \
      #name, {[]() -> std::unique_ptr<::lra::tasks::Task> { return std::make_unique<type>(); }})

}  // namespace lra::tasks
