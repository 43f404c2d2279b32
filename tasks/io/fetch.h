#pragma once
// `lra data fetch`: downloads a task's official data, resumes what was broken off, checks it, and
// unpacks what the task needs. Nothing appears under its final name before it is whole.

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

// Where a task's official data are, and what of them it needs.
struct FetchPlan {
  std::string task;
  std::string url;
  std::int64_t bytes = -1;  // size of the file; -1: not published
  std::string sha256;       // its digest; empty: not published
  // Where in the archive the folder may be that is unpacked, the best place first: the first that
  // the archive has is taken. None: the archive is kept as it is, for a loader that reads it so.
  std::vector<std::string> folders;
  std::string product;  // the folder or file that appears in the output folder
};

struct FetchOptions {
  std::filesystem::path out;
  std::string url;  // instead of the official address; then the plan's size and digest do not hold
  std::optional<std::int64_t> bytes;  // instead of the plan's
  std::optional<std::string> sha256;
  // Unpacks while downloading and stores nothing of the archive: least disk, but a download that is
  // killed starts again (a connection that breaks is still resumed).
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
  bool already = false;  // everything was there; nothing was done
  [[nodiscard]] nlohmann::json to_json() const;
};

// Fetches into options.out. The archive is stored as <name>.part (with <name>.part.json: address,
// size and version, so that a later call can resume it), checked, unpacked into a hidden folder and
// removed unless it is kept; then the product gets its name. An archive of that name in the folder
// is used instead of the network. A file fetched.json in the product (or <product>.fetched.json)
// says where it came from.
//
// Throws Error(data) if size or digest are wrong, the archive is damaged or unsafe (see
// read_archive) or lacks the folders: the download is then removed; Error(io) for network and disk,
// which leave it to be resumed; Error(usage) if the product exists from elsewhere.
FetchReport fetch(const FetchPlan& plan, const FetchOptions& options);

}  // namespace lra::tasks
