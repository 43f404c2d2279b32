#include "tasks/pathfinder/set_files.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tasks/locate.h"
#include "tasks/pathfinder/pictures.h"
#include "tasks/release.h"

namespace lra::tasks::pathfinder {

namespace fs = std::filesystem;
using nlohmann::json;

fs::path archive_of(const fs::path& path, const Setting& set) {
  for (const char* ending : {".tar", ".tar.gz", ".tgz", ".tar.xz"}) {
    const std::string name = set.set_name() + ending;
    const std::array<const char*, 1> names{name.c_str()};
    if (fs::path archive = archive_in(path, names); !archive.empty()) return archive;
  }
  return release_archive(path);
}

bool holds(const fs::path& path, const Setting& set) {
  return is_picture_folder(folder_of(path, set)) || !archive_of(path, set).empty();
}

fs::path folder_of(const fs::path& path, const Setting& set) {
  const std::string difficulty = set.difficulty_name();
  const bool itself = path.filename() == difficulty ||
                      (path.filename().empty() && path.parent_path().filename() == difficulty);
  return itself ? path : path / difficulty;
}

json file_identity(const fs::path& path) {
  std::vector<fs::path> files;
  std::vector<fs::path> pictures;
  if (is_file(path)) {
    files.push_back(path);
  } else {
    for (const fs::path& file : entries_of(path / "metadata")) {
      if (is_file(file)) files.push_back(file);
    }
    if (is_file(path / kCardName)) files.push_back(path / kCardName);
    for (const fs::path& folder : entries_of(path / "imgs")) {
      if (!is_folder(folder)) continue;
      std::vector<fs::path> inside = entries_of(folder);
      std::move(inside.begin(), inside.end(), std::back_inserter(pictures));
    }
  }
  std::sort(files.begin(), files.end());
  return {{"files", fingerprint(files)}, {"pictures", states_sha256(pictures)}};
}

}  // namespace lra::tasks::pathfinder
