#pragma once
// Builds small tar archives in memory, well-formed or hostile, for tests of archive readers.

#include <archive.h>
#include <archive_entry.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace lra::testing {

enum class Packing { tar, tar_gz, tar_xz };
enum class EntryKind { file, folder, symbolic_link, hard_link, fifo };

struct BuiltEntry {
  std::string name;
  std::string content;  // of a file; the target of a link
  EntryKind kind = EntryKind::file;
};

// The bytes of an archive with these entries.
inline std::string build_archive(const std::vector<BuiltEntry>& entries,
                                 Packing packing = Packing::tar) {
  std::string bytes;
  const auto check = [](int status) {
    if (status != ARCHIVE_OK) throw std::runtime_error("build_archive: libarchive failed");
  };
  const std::unique_ptr<::archive, int (*)(::archive*)> writer(archive_write_new(),
                                                               &archive_write_free);
  check(archive_write_set_format_gnutar(writer.get()));
  if (packing == Packing::tar_gz) check(archive_write_add_filter_gzip(writer.get()));
  if (packing == Packing::tar_xz) check(archive_write_add_filter_xz(writer.get()));
  check(archive_write_set_bytes_in_last_block(writer.get(), 1));
  const auto append = [](::archive*, void* out, const void* data, size_t size) -> la_ssize_t {
    static_cast<std::string*>(out)->append(static_cast<const char*>(data), size);
    return static_cast<la_ssize_t>(size);
  };
  check(archive_write_open(writer.get(), &bytes, nullptr, append, nullptr));
  for (const BuiltEntry& built : entries) {
    const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(archive_entry_new(),
                                                                         &archive_entry_free);
    archive_entry_set_pathname(entry.get(), built.name.c_str());
    archive_entry_set_perm(entry.get(), 0644);
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    switch (built.kind) {
      case EntryKind::file:
        archive_entry_set_size(entry.get(), static_cast<la_int64_t>(built.content.size()));
        break;
      case EntryKind::folder:
        archive_entry_set_filetype(entry.get(), AE_IFDIR);
        break;
      case EntryKind::symbolic_link:
        archive_entry_set_filetype(entry.get(), AE_IFLNK);
        archive_entry_set_symlink(entry.get(), built.content.c_str());
        break;
      case EntryKind::hard_link:
        archive_entry_set_hardlink(entry.get(), built.content.c_str());
        break;
      case EntryKind::fifo:
        archive_entry_set_filetype(entry.get(), AE_IFIFO);
        break;
    }
    check(archive_write_header(writer.get(), entry.get()));
    if (built.kind == EntryKind::file) {
      archive_write_data(writer.get(), built.content.data(), built.content.size());
    }
  }
  check(archive_write_close(writer.get()));
  return bytes;
}

}  // namespace lra::testing
