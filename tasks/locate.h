#pragma once
// Location of a task's files: the documented search order, and the folder layouts in which the
// benchmark's archive occurs.

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/task.h"

namespace lra::tasks {

struct Found {
  std::filesystem::path path;  // a folder, or an archive if the predicate accepts files
  std::string via;             // "--data", "$LRA_DATA" or "the user's cache"
};

// The first place accepted by `accept`: `options.data` alone if given, else $LRA_DATA, then the
// user's cache. Below each: lra_release/lra_release (the inner folder is preferred, see the
// release's two pathfinder128), lra_release, the folder itself; in each of them first the task's
// own `folders`, then the folder itself. Throws Error(data), naming what was `wanted`, if
// `options.data` was given and nothing fits.
[[nodiscard]] std::optional<Found> locate(
    const OpenOptions& options, const std::vector<std::string>& folders,
    const std::function<bool(const std::filesystem::path&)>& accept, std::string_view wanted);

// Whether a path is a regular file or a folder, or a link to one. Throws Error(data) for a link
// whose target does not exist or cannot be reached, so that no data are ignored silently.
//
// Links are followed, wherever they lead: the user who names a folder is responsible for its links
// (for example, a folder of links into a store). Names inside the data, an archive's entries and
// the rows of metadata, must be paths inside the folder, and an archive's links are refused.
[[nodiscard]] bool is_file(const std::filesystem::path& path);
[[nodiscard]] bool is_folder(const std::filesystem::path& path);

// Where data are looked for first that --data does not name: $LRA_DATA, else the user's cache.
[[nodiscard]] std::filesystem::path default_data_folder();

// The entries of a folder, sorted. Throws Error(data) if it cannot be listed.
[[nodiscard]] std::vector<std::filesystem::path> entries_of(const std::filesystem::path& folder);

// Whether a folder has a file named `name` for each split.
[[nodiscard]] bool has_files(const std::filesystem::path& folder, std::string (*name)(Split));

// The path itself if it is an archive (by its name or content), or an archive in it with one of
// `names`; empty if there is none.
[[nodiscard]] std::filesystem::path archive_in(const std::filesystem::path& path,
                                               std::span<const char* const> names);

// What differs when a file or folder was changed: its size, its modification time, and the time of
// its last change of any kind (ctime), which cannot be set; in nanoseconds. Empty if it cannot be
// read.
using FileState = std::array<std::int64_t, 3>;
[[nodiscard]] std::optional<FileState> file_state(const std::filesystem::path& path);

// [{name, state}] of files, the parts of a cache's key. Throws Error(data) if one cannot be read.
[[nodiscard]] nlohmann::json fingerprint(std::span<const std::filesystem::path> files);

// SHA-256 of the names and states of very many files, which are looked at in parallel; one that
// cannot be read has the state of zeros, for who reads it says why.
[[nodiscard]] std::string states_sha256(std::span<const std::filesystem::path> files);

// The last `parts` parts of the absolute path as UTF-8, for messages and records that must not show
// full paths.
[[nodiscard]] std::string last_parts(const std::filesystem::path& path, int parts = 2);

}  // namespace lra::tasks
