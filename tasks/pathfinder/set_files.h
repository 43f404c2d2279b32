#pragma once
// Where the pictures of a set are: in the folder of its difficulty or in an archive.

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "tasks/pathfinder/setting.h"

namespace lra::tasks::pathfinder {

// The archive of a set, at or in a path: the set's own, else the release; or empty.
[[nodiscard]] std::filesystem::path archive_of(const std::filesystem::path& path,
                                               const Setting& set);

// Whether a path has the set in either form.
[[nodiscard]] bool holds(const std::filesystem::path& path, const Setting& set);

// The difficulty's folder: the path itself if it has this name, else the one inside.
[[nodiscard]] std::filesystem::path folder_of(const std::filesystem::path& path,
                                              const Setting& set);

// Names and states of the metadata (or the archive), and of all pictures: a part of a cache's key.
[[nodiscard]] nlohmann::json file_identity(const std::filesystem::path& path);

}  // namespace lra::tasks::pathfinder
