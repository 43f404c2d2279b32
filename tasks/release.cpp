#include "tasks/release.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>

#include "engine/base/error.h"
#include "tasks/locate.h"

namespace lra::tasks {
namespace {

namespace fs = std::filesystem;

// Neither size nor digest was published. The archive contains a second folder lra_release inside
// the first; the inner one is complete.
constexpr const char* kAddress = "https://storage.googleapis.com/long-range-arena/lra_release.gz";
constexpr const char* kInner = "lra_release/lra_release/";
constexpr std::array<const char*, 5> kNames{"lra_release.gz", "lra_release.tar.gz",
                                            "lra_release.tgz", "lra_release.tar", "lra_release"};

}  // namespace

FetchPlan release_plan(std::string_view task, const std::string& product) {
  FetchPlan plan;
  plan.task = task;
  plan.url = kAddress;
  plan.product = product;
  for (const char* place : {kInner, "lra_release/", ""}) plan.folders.push_back(place + product);
  return plan;
}

fs::path release_archive(const fs::path& path) { return archive_in(path, kNames); }

std::string folder_in_archive(const fs::path& archive, const std::vector<std::string>& names) {
  std::vector<std::string> patterns;
  for (const auto& name : names) patterns.push_back("**/" + name);
  std::map<std::string, std::set<std::string>> found;  // names by folder
  read_archive(archive, patterns, [&found](ArchiveEntry& entry) {
    const fs::path path(entry.name());
    found[path.parent_path().string()].insert(path.filename().string());
  });
  std::vector<std::string> complete;
  for (const auto& [folder, files] : found) {
    if (files.size() == names.size()) complete.push_back(folder);
  }
  if (complete.empty()) {
    fail(ErrorKind::data, "{}: contains no folder with {}", archive.string(),
         fmt::join(names, ", "));
  }
  return preferred_folder(complete);
}

const std::string& preferred_folder(const std::vector<std::string>& folders) {
  const auto rank = [](const std::string& folder) {
    return std::pair((folder + "/").find(kInner) != std::string::npos, folder.size());
  };
  return *std::max_element(
      folders.begin(), folders.end(),
      [&rank](const std::string& a, const std::string& b) { return rank(a) < rank(b); });
}

}  // namespace lra::tasks
