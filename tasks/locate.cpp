#include "tasks/locate.h"

#include <oneapi/tbb/parallel_for.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <system_error>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "tasks/io/archive.h"

namespace lra::tasks {
namespace {

namespace fs = std::filesystem;

struct Base {
  fs::path path;
  std::string via;
};

std::vector<Base> bases(const OpenOptions& options) {
  if (!options.data.empty()) return {{options.data, options.via}};
  std::vector<Base> result;
  if (const char* given = std::getenv("LRA_DATA"); given != nullptr && *given != '\0') {
    std::error_code code;
    if (!fs::exists(given, code)) {
      fail(ErrorKind::data, "$LRA_DATA: {}: does not exist; unset it or name a folder", given);
    }
    result.push_back({given, "$LRA_DATA"});
  }
  result.push_back({user_cache_dir(), "the user's cache"});
  return result;
}

// Throws Error(data) for a link that leads to nothing that can be reached.
void require_target(const fs::path& path) {
  std::error_code code;
  if (fs::symlink_status(path, code).type() != fs::file_type::symlink) return;
  const fs::file_type target = fs::status(path, code).type();
  if (target != fs::file_type::not_found && target != fs::file_type::none) return;
  const std::string reason =
      target == fs::file_type::none ? ": " + code.message() : ", which does not exist";
  fail(ErrorKind::data, "{}: cannot read: a link to {}{}", path.string(),
       fs::read_symlink(path, code).string(), reason);
}

bool is_of_type(const fs::path& path, fs::file_type type) {
  std::error_code code;
  if (fs::status(path, code).type() == type) return true;
  require_target(path);
  return false;
}

}  // namespace

fs::path default_data_folder() { return bases({}).front().path; }

std::optional<Found> locate(const OpenOptions& options, const std::vector<std::string>& folders,
                            const std::function<bool(const fs::path&)>& accept,
                            std::string_view wanted) {
  for (const auto& base : bases(options)) {
    for (const char* release : {"lra_release/lra_release", "lra_release", ""}) {
      const fs::path root = *release == '\0' ? base.path : base.path / release;
      require_target(root);
      for (const auto& folder : folders) {
        require_target(root / folder);
        if (accept(root / folder)) return Found{root / folder, base.via};
      }
      if (accept(root)) return Found{root, base.via};
    }
  }
  if (!options.data.empty()) {
    std::error_code code;
    const char* what = fs::exists(options.data, code) ? "contains no such data" : "does not exist";
    fail(ErrorKind::data, "{}: {}; expected {}", options.data.string(), what, wanted);
  }
  return std::nullopt;
}

bool is_file(const fs::path& path) { return is_of_type(path, fs::file_type::regular); }

bool is_folder(const fs::path& path) { return is_of_type(path, fs::file_type::directory); }

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code code;
  for (fs::directory_iterator at(folder, code), end; !code && at != end; at.increment(code)) {
    entries.push_back(at->path());
  }
  if (code) fail(ErrorKind::data, "{}: cannot list: {}", folder.string(), code.message());
  std::sort(entries.begin(), entries.end());
  return entries;
}

bool has_files(const fs::path& folder, std::string (*name)(Split)) {
  return std::all_of(kSplits.begin(), kSplits.end(),
                     [&](Split split) { return is_file(folder / name(split)); });
}

fs::path archive_in(const fs::path& path, std::span<const char* const> names) {
  if (is_file(path)) return is_archive(path) ? path : fs::path();
  for (const char* name : names) {
    fs::path archive = path / name;
    if (is_file(archive) && is_archive(archive)) return archive;
  }
  return {};
}

std::optional<FileState> file_state(const fs::path& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return std::nullopt;
  constexpr std::int64_t kSecond = 1000000000;  // in nanoseconds
  const auto time = [](const timespec& t) {
    return static_cast<std::int64_t>(t.tv_sec) * kSecond + static_cast<std::int64_t>(t.tv_nsec);
  };
  return FileState{found.st_size, time(found.st_mtim), time(found.st_ctim)};
}

nlohmann::json fingerprint(std::span<const fs::path> files) {
  nlohmann::json result = nlohmann::json::array();
  for (const auto& file : files) {
    const auto state = file_state(file);
    if (!state) {
      const std::string reason = std::generic_category().message(errno);
      require_target(file);
      fail(ErrorKind::data, "{}: cannot read: {}", file.string(), reason);
    }
    std::error_code code;
    result.push_back(nlohmann::json::array(
        {valid_utf8(fs::absolute(file, code).lexically_normal().string()), *state}));
  }
  return result;
}

std::string states_sha256(std::span<const fs::path> files) {
  std::vector<FileState> states(files.size());
  oneapi::tbb::parallel_for(std::size_t{0}, files.size(), [&](std::size_t i) {
    states[i] = file_state(files[i]).value_or(FileState());
  });
  Sha256 digest;
  for (const fs::path& file : files) digest.update(file.string()).update("\n");
  return digest.update(std::as_bytes(std::span(states))).hex();
}

std::string last_parts(const fs::path& path, int parts) {
  std::error_code code;
  const fs::path whole = fs::absolute(path, code);
  std::vector<std::string> names;
  for (const auto& part : (code ? path : whole).lexically_normal()) {
    if (!part.empty() && part != "/" && part != ".") names.push_back(part.string());
  }
  if (names.empty()) return valid_utf8(path.string());
  const auto keep = std::min(names.size(), static_cast<std::size_t>(parts));
  std::string result;
  for (auto name = names.end() - static_cast<std::ptrdiff_t>(keep); name != names.end(); ++name) {
    result += (result.empty() ? "" : "/") + *name;
  }
  return valid_utf8(result);
}

}  // namespace lra::tasks
