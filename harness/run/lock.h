#pragma once
// The lock of a run's folder: whoever writes into the folder holds it, so that two processes share
// a folder of runs without training one twice. It goes with its process, however that ends.

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

// Takes the lock, creates the folder if it is missing, and removes the temporary files of writers
// that were killed. Throws Busy, and Error(io).
[[nodiscard]] std::unique_ptr<FileLock> lock_run(const std::filesystem::path& folder);
// The same, empty if another process holds the lock.
[[nodiscard]] std::unique_ptr<FileLock> try_lock_run(const std::filesystem::path& folder);

// Changes result.json under the lock, which it waits for: what others have changed meanwhile stays.
// Throws Error(data) if the folder's run is no longer `run_id`.
void update_record(const std::filesystem::path& folder, const std::string& run_id,
                   const std::function<void(results::Record&)>& change);

}  // namespace lra::harness
