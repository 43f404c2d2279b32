#pragma once
// The benchmark's own archive, lra_release.gz: a gzip-compressed tar of about 7.7 GB with the data
// of ListOps, Retrieval and Pathfinder (spec of the layout: github.com/google-research/
// long-range-arena, issues 33 and 38). It is read as downloaded, as a tar that a browser has
// decompressed (lra_release.tar, or lra_release without an ending), or unpacked. Not installed.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/io/archive.h"
#include "tasks/io/fetch.h"

namespace lra::tasks {

// Plan for fetching `product`, a folder of the release: from the inner lra_release, else the outer
// one, else the archive's top.
[[nodiscard]] FetchPlan release_plan(std::string_view task, const std::string& product);

// The release at a path, or in it under one of its names; empty if none. A file named by the user
// is accepted regardless of its name if its content is an archive.
[[nodiscard]] std::filesystem::path release_archive(const std::filesystem::path& path);

// The folder in an archive that has all files of `names`. Two archives of the release contain
// several: the one below lra_release/lra_release/ is preferred, then the deepest. Reads the archive
// once. Throws Error(data) if there is none, naming archive and files.
[[nodiscard]] std::string folder_in_archive(const std::filesystem::path& archive,
                                            const std::vector<std::string>& names);

// The best folder of an archive by this preference; there must be at least one.
[[nodiscard]] const std::string& preferred_folder(const std::vector<std::string>& folders);

}  // namespace lra::tasks
