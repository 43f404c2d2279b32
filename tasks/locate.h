#pragma once
// Where a task's files are: the order of search of the command line's contract, and the folder
// shapes in which the benchmark's archive is found in the wild.

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

// The first place that `accept`s: `options.data` alone if given, else $LRA_DATA, then the user's
// cache. Below each: lra_release/lra_release (the inner folder is preferred, see the release's two
// pathfinder128), lra_release, the folder itself; in each of them first the task's own `folders`,
// then the folder itself. Throws Error(data), saying what was `wanted`, if `options.data` was given
// and nothing fits.
[[nodiscard]] std::optional<Found> locate(
    const OpenOptions& options, const std::vector<std::string>& folders,
    const std::function<bool(const std::filesystem::path&)>& accept, std::string_view wanted);

// Whether a path is a regular file, or a link to one.
//
// One rule for links: they are followed, wherever they lead. Who named a folder vouches for the
// links in it (a folder of links into a store, for one). Names that stand in the data themselves,
// an archive's entries and the rows of metadata, must stay inside by their text, and an archive's
// links are refused.
[[nodiscard]] bool is_file(const std::filesystem::path& path);

// What a folder holds, sorted. Throws Error(data) if it cannot be listed.
[[nodiscard]] std::vector<std::filesystem::path> entries_of(const std::filesystem::path& folder);

// Whether a folder has a file for each split, named by `name`.
[[nodiscard]] bool has_files(const std::filesystem::path& folder, std::string (*name)(Split));

// The archive that a path is (by its name or content), or has in it under one of `names`; empty if
// there is none.
[[nodiscard]] std::filesystem::path archive_in(const std::filesystem::path& path,
                                               std::span<const char* const> names);

// [{name, bytes, mtime}] of files: what a cache's key is made of.
[[nodiscard]] nlohmann::json fingerprint(std::span<const std::filesystem::path> files);

// The last `parts` parts of a path as UTF-8, for messages and records that must not show whole
// paths.
[[nodiscard]] std::string last_parts(const std::filesystem::path& path, int parts = 2);

}  // namespace lra::tasks
