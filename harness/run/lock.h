#pragma once
// The lock of a run's folder. A process holds it while writing into the folder, so that several
// processes can share a folder of runs without training a run twice. It is released with its
// process, however the process ends.

#include <filesystem>
#include <functional>
#include <memory>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "results/record/record.h"

namespace lra::harness {

// Another process holds the folder's lock.
class Busy : public Error {
 public:
  explicit Busy(const std::filesystem::path& folder);
};

// Takes the lock, creates a missing folder, and removes temporary files of killed writers. Throws
// Busy and Error(io).
[[nodiscard]] std::unique_ptr<FileLock> lock_run(const std::filesystem::path& folder);
// The same, but empty if another process holds the lock.
[[nodiscard]] std::unique_ptr<FileLock> try_lock_run(const std::filesystem::path& folder);

// Waits for the lock and changes result.json under it, so that changes by others are kept. Throws
// Error(data) if the folder's run is no longer `run_id`.
void update_record(const std::filesystem::path& folder, const std::string& run_id,
                   const std::function<void(results::Record&)>& change);

}  // namespace lra::harness
