#pragma once
// What concerns all locks of a process: whether FileLock locks, and temporary files without a
// writer. Not installed.

#include <filesystem>

namespace lra {

// Makes every later FileLock a mere opening of its file, for file systems that have no locks: it is
// then up to the user that no two processes write the same folder.
void disable_file_locks();

// Removes the temporary files that killed writers left in a folder. A living writer holds a lock on
// its own, which stays.
void remove_abandoned(const std::filesystem::path& folder);

}  // namespace lra
