#pragma once
// Files and folders as a download leaves them: written, renamed, removed. Not installed.

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <span>
#include <utility>

namespace lra::tasks {

// A file written sequentially; every failure is Error(io).
class OutputFile {
 public:
  OutputFile(const std::filesystem::path& path, bool append);
  void write(std::span<const std::byte> bytes);
  void close();

 private:
  [[noreturn]] void fail_writing() const;
  std::filesystem::path path_;
  std::ofstream file_;
};

// Each throws Error(io) that names the path and the system's reason. Missing folders above the
// path, or the new name, are created as well; a folder is removed with its content, and nothing
// need be there.
void create_folder(const std::filesystem::path& path);
void remove_path(const std::filesystem::path& path);
void rename_to(const std::filesystem::path& from, const std::filesystem::path& to);

// Removes a file or folder when it goes out of scope, unless it was released.
class Removal {
 public:
  explicit Removal(std::filesystem::path path) : path_(std::move(path)) {}
  Removal(const Removal&) = delete;
  Removal& operator=(const Removal&) = delete;
  ~Removal();
  void release() { path_.clear(); }

 private:
  std::filesystem::path path_;
};

}  // namespace lra::tasks
