#pragma once
// Unpacks the folder of an archive that a task needs, which may be at one of several places in it.
// Not installed.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tasks/io/archive.h"
#include "tasks/io/progress.h"

namespace lra::tasks {

class Unpacker {
 public:
  // `folders` are the possible places, the best first; files go to `staging`. Progress is "unpack"
  // in files.
  Unpacker(std::vector<std::string> folders, std::filesystem::path staging, Progress progress);

  // The names of files that take() is for, as read_archive() has them.
  [[nodiscard]] std::vector<std::string> patterns() const;
  // A file from a better place replaces those unpacked from another; one from a worse place is
  // skipped. Throws Error(io) if it cannot be written, and as the entry's read().
  void take(ArchiveEntry& entry);
  // Discards the unpacked files.
  void restart();
  // Throws Error(data) that names the archive if nothing was unpacked. Returns the number of files.
  std::int64_t finish(const std::string& archive) const;

 private:
  std::vector<std::string> folders_;
  std::filesystem::path staging_, last_folder_;
  Progress progress_;
  std::size_t place_;  // in folders_, of what is unpacked; their number: nothing yet
  std::int64_t files_ = 0;
  std::vector<std::byte> block_;
};

}  // namespace lra::tasks
