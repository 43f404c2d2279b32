#pragma once
// Whether FileLock locks.

namespace lra {

// Makes every later FileLock a mere opening of its file, for file systems that have no locks: it is
// then up to the user that no two processes write the same folder.
void disable_file_locks();

}  // namespace lra
