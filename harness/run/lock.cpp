#include "harness/run/lock.h"

#include <nlohmann/json.hpp>
#include <string>

#include "engine/base/locks.h"

namespace lra::harness {
namespace {

namespace fs = std::filesystem;

fs::path lock_file(const fs::path& folder) { return folder / ".lock"; }

}  // namespace

Busy::Busy(const fs::path& folder)
    : Error(ErrorKind::usage,
            fmt::format(
                "{}: another process is working on this run; wait for its end or choose another "
                "--out",
                folder.string())) {}

std::unique_ptr<FileLock> try_lock_run(const fs::path& folder) {
  auto lock = FileLock::try_lock(lock_file(folder));
  if (lock != nullptr) remove_abandoned(folder);
  return lock;
}

std::unique_ptr<FileLock> lock_run(const fs::path& folder) {
  auto lock = try_lock_run(folder);
  if (lock == nullptr) throw Busy(folder);
  return lock;
}

void update_record(const fs::path& folder, const std::string& run_id,
                   const std::function<void(results::Record&)>& change) {
  const FileLock lock(lock_file(folder));
  const fs::path file = folder / "result.json";
  results::Record record = results::parse_record(read_file(file), file.string());
  if (record.run_id != run_id) {
    fail(ErrorKind::data, "{}: now contains another run; got {}, expected {}", folder.string(),
         record.run_id, run_id);
  }
  change(record);
  write_json(file, results::to_json(record));
}

}  // namespace lra::harness
