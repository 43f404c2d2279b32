#include "tasks/locate.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <system_error>

#include "engine/base/error.h"
#include "engine/base/file.h"

namespace lra::tasks {
namespace {

namespace fs = std::filesystem;

struct Base {
  fs::path path;
  std::string via;
};

std::vector<Base> bases(const OpenOptions& options) {
  if (!options.data.empty()) return {{options.data, "--data"}};
  std::vector<Base> result;
  if (const char* given = std::getenv("LRA_DATA"); given != nullptr && *given != '\0') {
    result.push_back({given, "$LRA_DATA"});
  }
  result.push_back({user_cache_dir(), "the user's cache"});
  return result;
}

}  // namespace

std::optional<Found> locate(const OpenOptions& options, const std::vector<std::string>& folders,
                            const std::function<bool(const fs::path&)>& accept,
                            std::string_view wanted) {
  for (const auto& base : bases(options)) {
    for (const char* release : {"lra_release/lra_release", "lra_release", ""}) {
      const fs::path root = *release == '\0' ? base.path : base.path / release;
      for (const auto& folder : folders) {
        if (accept(root / folder)) return Found{root / folder, base.via};
      }
      if (accept(root)) return Found{root, base.via};
    }
  }
  if (!options.data.empty()) {
    std::error_code code;
    const char* what = fs::exists(options.data, code) ? "holds none" : "does not exist";
    fail(ErrorKind::data, "{}: {}; expected {}", options.data.string(), what, wanted);
  }
  return std::nullopt;
}

nlohmann::json fingerprint(std::span<const fs::path> files) {
  nlohmann::json result = nlohmann::json::array();
  for (const auto& file : files) {
    std::error_code code;
    const auto bytes = fs::file_size(file, code);
    if (code) fail(ErrorKind::data, "{}: cannot read: {}", file.string(), code.message());
    const auto time = fs::last_write_time(file, code);
    result.push_back({fs::absolute(file, code).lexically_normal().string(), bytes,
                      time.time_since_epoch().count()});
  }
  return result;
}

std::string last_parts(const fs::path& path, int parts) {
  std::vector<std::string> names;
  for (const auto& part : path.lexically_normal()) {
    if (!part.empty() && part != "/" && part != ".") names.push_back(part.string());
  }
  const auto keep = std::min(names.size(), static_cast<std::size_t>(parts));
  std::string result;
  for (auto name = names.end() - static_cast<std::ptrdiff_t>(keep); name != names.end(); ++name) {
    result += (result.empty() ? "" : "/") + *name;
  }
  return result;
}

void require_inside(const fs::path& folder, const fs::path& path) {
  std::error_code code;
  if (fs::is_regular_file(fs::symlink_status(path, code))) return;
  const fs::path root = fs::weakly_canonical(folder, code);
  const fs::path target = fs::canonical(path, code);
  if (code) fail(ErrorKind::data, "{}: cannot read: {}", path.string(), code.message());
  const auto [end, unused] = std::mismatch(root.begin(), root.end(), target.begin(), target.end());
  if (end != root.end()) {
    fail(ErrorKind::data, "{}: a link that leaves its folder; got {}, expected a file below {}",
         path.string(), target.string(), root.string());
  }
  if (!fs::is_regular_file(target, code)) {
    fail(ErrorKind::data, "{}: not a regular file", path.string());
  }
}

}  // namespace lra::tasks
