#pragma once
// Process-wide settings of locks, and removal of abandoned temporary files. Not installed.

#include <filesystem>

namespace lra {

// Makes every later FileLock only open its file, for file systems without locks. The user must then
// ensure that no two processes write the same folder.
void disable_file_locks();

// Removes the temporary files of killed writers from a folder. Files of living writers are locked
// and kept.
void remove_abandoned(const std::filesystem::path& folder);

}  // namespace lra
