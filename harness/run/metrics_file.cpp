#include "harness/run/metrics_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/base/error.h"
#include "engine/base/file.h"

namespace lra::harness {

namespace fs = std::filesystem;
using nlohmann::json;

MetricsFile::MetricsFile(const fs::path& path, std::uint64_t keep) : path_(path) {
  std::string kept = fs::exists(path) ? read_file(path) : std::string();
  kept.resize(std::min<std::size_t>(kept.size(), keep));
  write_file_atomic(path, kept);
  size_ = kept.size();
}

void MetricsFile::add(const json& line) {
  std::FILE* file = std::fopen(path_.c_str(), "ab");
  const std::string text = line.dump() + "\n";
  const bool written =
      file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const bool closed = file != nullptr && std::fclose(file) == 0;
  if (!written || !closed)
    fail(ErrorKind::io, "{}: cannot write: {}", path_.string(), std::strerror(errno));
  size_ += text.size();
}

}  // namespace lra::harness
