#include "tasks/io/output_file.h"

#include <system_error>

#include "engine/base/error.h"

namespace lra::tasks {

namespace fs = std::filesystem;

OutputFile::OutputFile(const fs::path& path, bool append)
    : path_(path), file_(path, std::ios::binary | (append ? std::ios::app : std::ios::trunc)) {
  if (!file_) fail(ErrorKind::io, "{}: cannot create", path_.string());
}

void OutputFile::write(std::span<const std::byte> bytes) {
  file_.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
  if (!file_) fail_writing();
}

void OutputFile::close() {
  file_.close();
  if (!file_) fail_writing();
}

void OutputFile::fail_writing() const {
  fail(ErrorKind::io, "{}: cannot write; is the disk full?", path_.string());
}

void create_folder(const fs::path& path) {
  std::error_code code;
  fs::create_directories(path, code);
  if (code) fail(ErrorKind::io, "{}: cannot create: {}", path.string(), code.message());
}

void remove_path(const fs::path& path) {
  std::error_code code;
  fs::remove_all(path, code);
  if (code) fail(ErrorKind::io, "{}: cannot remove: {}", path.string(), code.message());
}

void rename_to(const fs::path& from, const fs::path& to) {
  create_folder(to.parent_path());
  std::error_code code;
  fs::rename(from, to, code);
  if (code) {
    fail(ErrorKind::io, "{}: cannot rename to {}: {}", from.string(), to.string(), code.message());
  }
}

Removal::~Removal() {
  std::error_code code;
  if (!path_.empty()) fs::remove_all(path_, code);
}

}  // namespace lra::tasks
