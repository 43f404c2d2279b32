#pragma once
// Reads tar archives (plain, gzip, xz) as a stream: one pass, nothing unpacked on disk. Regular
// files whose names match a pattern are passed to a callback; an archive with paths outside of its
// folder is refused.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lra::tasks {

// One regular file of an archive, readable while the callback that received it runs.
class ArchiveEntry {
 public:
  ArchiveEntry(const ArchiveEntry&) = delete;
  ArchiveEntry& operator=(const ArchiveEntry&) = delete;

  // The path inside the archive, relative, with '/' and without a leading "./".
  [[nodiscard]] const std::string& name() const { return name_; }
  // Size in bytes from the entry's header; read() gives exactly as many or throws.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  // Fills the buffer as far as the entry has bytes left; 0 at its end. Throws Error(data) that
  // names archive and entry if the archive is truncated or damaged here.
  [[nodiscard]] std::size_t read(std::span<std::byte> buffer);
  // The whole entry. Throws Error(data) if it is larger than `limit` bytes; read() otherwise.
  [[nodiscard]] std::string read_all(std::uint64_t limit);

 private:
  friend class ArchiveReader;
  ArchiveEntry(std::string name, std::uint64_t size, void* handle, const std::string& archive)
      : name_(std::move(name)), size_(size), handle_(handle), archive_(archive) {}

  std::string name_;
  std::uint64_t size_;
  std::uint64_t given_ = 0;
  void* handle_;
  const std::string& archive_;
};

using ArchiveVisitor = std::function<void(ArchiveEntry&)>;

// Gives the next bytes of an archive: fills the buffer at least in part, 0 at the end. May throw.
using ByteSource = std::function<std::size_t(std::span<std::byte>)>;

// Calls `visit` for each regular file whose name matches one of `patterns` (path_matches), in the
// archive's order; unread content is skipped. Throws Error(data) naming archive and entry: a name
// that is empty, absolute or has a ".." part (of any entry, selected or not); a link, device or
// other special file under a selected name; a link under any name whose target leaves the archive's
// folder; a truncated or damaged archive (gzip's checksum of the content is not verified by
// libarchive 3.6; compare a digest if needed). Throws Error(io) if the file cannot be read.
// Exceptions of `visit` and the source propagate.
void read_archive(const std::filesystem::path& archive, const std::vector<std::string>& patterns,
                  const ArchiveVisitor& visit);
// The same from a stream; `name` names the archive in messages.
void read_archive(const ByteSource& source, const std::string& name,
                  const std::vector<std::string>& patterns, const ArchiveVisitor& visit);

// The content of one file compressed by gzip or xz. Throws Error(data) naming the file if it is
// damaged, truncated or has more than `limit` bytes.
[[nodiscard]] std::string read_compressed(const std::filesystem::path& file, std::uint64_t limit);

// Shell-like match of a whole relative path: `?` one character and `*` any run of characters, both
// within one part; `**` any run of characters, '/' included; a leading `**/` also matches nothing.
[[nodiscard]] bool path_matches(std::string_view pattern, std::string_view path);

// Whether a path is relative and stays in its folder: not empty, no leading '/', no ".." part.
[[nodiscard]] bool is_safe_relative_path(std::string_view path);

// Whether a file is an archive that read_archive accepts, by its name or its first bytes (tar,
// gzip, xz); false if it cannot be read.
[[nodiscard]] bool is_archive(const std::filesystem::path& path);

// Whether a file's name has the ending of an archive that read_archive accepts (.tar, .tar.gz,
// .tgz, .tar.xz, .txz, and .gz as in lra_release.gz).
[[nodiscard]] bool has_archive_name(const std::filesystem::path& path);

}  // namespace lra::tasks
