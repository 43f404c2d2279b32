#pragma once
// The data of a run: opening, identity and location.

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

// Search locations of the data of runs, as in tasks::OpenOptions.
struct DataOptions {
  std::filesystem::path data;
  std::filesystem::path cache;
  std::function<void(const std::string&)> progress;  // notified of long work; may be empty
  std::string via = "--data";                        // who named `data`, for descriptions
};

// Identity (the digest) and description of a run's data.
struct DataUsed {
  std::string sha256;
  std::string origin;  // name_of(Origin)
  std::string description;
  std::array<std::int64_t, 3> counts{};  // examples, by tasks::Split
  std::string place;  // absolute path from --data or $LRA_DATA, in any bytes, or empty
};
[[nodiscard]] nlohmann::json to_json(const DataUsed& used);
// Throws Error(data) that names `where`.
[[nodiscard]] DataUsed data_used_from_json(const nlohmann::json& json, const std::string& where);
// Origin, description, counts, digest and place in one line.
[[nodiscard]] std::string describe(const DataUsed& used);

struct RunData {
  tasks::TaskData data;
  DataUsed used;
  std::vector<std::string> notes;  // differences between the preset's counts and those in use
};

// Opens the data of a specification. Counts from the preset are upper limits: a smaller split is
// used whole. Throws as tasks::Task::open.
[[nodiscard]] RunData open_data(const RunSpec& spec, const DataOptions& options);

// tasks::OpenOptions of a specification.
[[nodiscard]] tasks::OpenOptions open_options(const RunSpec& spec, const DataOptions& options);

// The same without reading or generating anything, from the cache. Empty if the data are not
// cached.
[[nodiscard]] std::optional<RunData> cached_data(const RunSpec& spec, const DataOptions& options);

}  // namespace lra::harness
