#pragma once
// `lra data fetch`: downloads a task's official data, resumes partial downloads, checks them, and
// unpacks the parts that the task needs. Nothing gets its final name before it is complete.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/io/http_source.h"
#include "tasks/io/progress.h"

namespace lra::tasks {

// Address of a task's official data, and the parts that it needs.
struct FetchPlan {
  std::string task;
  std::string url;
  std::int64_t bytes = -1;  // size of the file; -1: not published
  std::string sha256;       // its digest; empty: not published
  // Possible places in the archive of the folder to unpack, the best first; the first existing one
  // is used. None: the archive is kept for a loader that reads it directly.
  std::vector<std::string> folders;
  std::string product;  // the folder or file that appears in the output folder
};

struct FetchOptions {
  std::filesystem::path out;
  std::string url;  // replaces the official address; the plan's size and digest then do not apply
  std::optional<std::int64_t> bytes;  // instead of the plan's
  std::optional<std::string> sha256;
  // Unpacks while downloading without storing the archive: needs the least disk space, but a killed
  // download starts again (a broken connection is still resumed).
  bool stream = false;
  bool keep_archive = false;  // leave the archive beside what was unpacked
  HttpOptions http;
  Progress progress;  // "download" in bytes, "unpack" in files
};

struct FetchReport {
  std::filesystem::path product;
  std::string url, sha256;
  std::int64_t bytes = 0;         // of the archive
  std::int64_t resumed_from = 0;  // bytes that an earlier call had left
  std::int64_t files = 0;         // unpacked
  int connections = 0;
  bool already = false;  // everything existed; nothing was done
  [[nodiscard]] nlohmann::json to_json() const;
};

// Fetches into options.out. The archive is stored as <name>.part (with <name>.part.json: address,
// size and version, so that a later call can resume it), checked, unpacked into a hidden folder and
// removed unless it is kept; then the product gets its name. An archive with this name in the
// folder is used instead of the network. A file fetched.json in the product (or
// <product>.fetched.json) records its source.
//
// Throws Error(data) if size or digest are wrong, the archive is damaged or unsafe (see
// read_archive) or lacks the folders: the download is then removed; Error(io) for network and disk,
// after which it can be resumed; Error(usage) if the product exists from another source.
FetchReport fetch(const FetchPlan& plan, const FetchOptions& options);

}  // namespace lra::tasks
