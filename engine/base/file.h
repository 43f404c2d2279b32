#pragma once
// Files: whole reads, atomic writes (temporary name, sync, rename), read-only memory maps, locks
// and digests. Every failure is Error(io) that names the path and the system's reason.

#include <cstddef>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

namespace lra {

[[nodiscard]] std::string read_file(const std::filesystem::path& path);

// Replaces `path` by `content` or leaves it unchanged: writes a temporary file in the same folder,
// syncs, renames, syncs the folder. Creates missing parent folders.
void write_file_atomic(const std::filesystem::path& path, std::string_view content);

// The same, for content that a callback writes piece by piece. A link's target is written, not the
// link; a pipe or device is written as it is.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();  // removes the temporary file unless commit() was called
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  void commit();

 private:
  std::filesystem::path path_, temporary_;  // no temporary file: written as it is
  int descriptor_ = -1;
};

// Parses a JSON file. Throws Error(data) with path, line and column for malformed text.
[[nodiscard]] nlohmann::json read_json(const std::filesystem::path& path);
// Parses JSON text; `where` replaces the path in errors.
[[nodiscard]] nlohmann::json parse_json(std::string_view text, const std::string& where);
// Pretty-printed, with a final newline, atomically.
void write_json(const std::filesystem::path& path, const nlohmann::json& value);

// A read-only memory map of a whole file.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

// An exclusive advisory lock (flock) on a file that is created if missing; released on destruction
// and by the system when the process dies.
class FileLock {
 public:
  // Waits until the lock is free.
  explicit FileLock(const std::filesystem::path& path);
  // Empty if another process holds the lock.
  [[nodiscard]] static std::unique_ptr<FileLock> try_lock(const std::filesystem::path& path);
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

// SHA-256 as 64 lower-case hexadecimal digits.
class Sha256 {
 public:
  Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  ~Sha256();
  Sha256& update(std::span<const std::byte> bytes);
  Sha256& update(std::string_view text);
  [[nodiscard]] std::string hex();  // ends the digest

 private:
  void* context_;
};
[[nodiscard]] std::string sha256_hex(std::string_view text);

// $XDG_CACHE_HOME/lra or ~/.cache/lra.
[[nodiscard]] std::filesystem::path user_cache_dir();

}  // namespace lra
