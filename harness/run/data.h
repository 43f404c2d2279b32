#pragma once
// The data of a run: opening them, what identifies them, and where they were.

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "harness/run/spec.h"
#include "tasks/task.h"

namespace lra::harness {

// Where the data of runs are looked for, as tasks::OpenOptions.
struct DataOptions {
  std::filesystem::path data;
  std::filesystem::path cache;
  std::function<void(const std::string&)> progress;  // notified of long work; may be empty
};

// What identifies a run's data (the digest), and what a reader wants to know of them.
struct DataUsed {
  std::string sha256;
  std::string origin;  // name_of(Origin)
  std::string description;
  std::array<std::int64_t, 3> counts{};  // examples, by tasks::Split
  std::string place;                     // absolute; what --data or $LRA_DATA named, or empty
};
[[nodiscard]] nlohmann::json to_json(const DataUsed& used);
// Throws Error(data) that names `where`.
[[nodiscard]] DataUsed data_used_from_json(const nlohmann::json& json, const std::string& where);
// Origin, description, counts, digest and place in one line.
[[nodiscard]] std::string describe(const DataUsed& used);

struct RunData {
  tasks::TaskData data;
  DataUsed used;
  std::vector<std::string> notes;  // where the preset's wish for counts was not what was used
};

// Opens the data that a specification asks for. Counts that only the preset asks for are upper
// limits: a smaller split is used whole. Throws as tasks::Task::open.
[[nodiscard]] RunData open_data(const RunSpec& spec, const DataOptions& options);

// tasks::OpenOptions of a specification.
[[nodiscard]] tasks::OpenOptions open_options(const RunSpec& spec, const DataOptions& options);

// The same without reading or generating anything: what is known of data that are cached. Empty if
// they are not.
[[nodiscard]] std::optional<RunData> cached_data(const RunSpec& spec, const DataOptions& options);

}  // namespace lra::harness
