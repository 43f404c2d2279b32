#pragma once
// The data of a suite's runs, opened before anything is measured or trained.

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "harness/run/data.h"
#include "harness/suite/suite.h"

namespace lra::harness {

// The data of one run.
struct FoundData {
  std::optional<DataUsed> used;  // empty: `failure` says why, unless the search was stopped
  std::string failure;
  std::vector<std::string> notes;  // as RunData
  bool to_make =
      false;  // not generated yet; `used` has no digest, counts of -1 are the official ones
};

struct FindDataOptions {
  std::filesystem::path data;  // as DataOptions
  bool make = true;            // generates missing data; otherwise marks them `to_make`
  const std::atomic<bool>* stop = nullptr;
  std::function<void(std::size_t run, const std::string&)> progress;  // may be empty
};

// Opens the data of each run, in one child process per task, so that this process starts no
// threads; files are read into the cache. Runs on the same data share a result. Throws Error(data)
// if `data` or $LRA_DATA names a place that does not exist.
[[nodiscard]] std::vector<FoundData> find_data(const Suite& suite, const FindDataOptions& options);

// Throws Error(data) if a run in the suite's folder `out` has other data than were found for it, as
// require_same_data(). Nothing is said of data that are not made yet, nor of a damaged folder,
// which is the run's own fault.
void require_begun_data(const Suite& suite, const std::vector<FoundData>& found,
                        const std::filesystem::path& out);

}  // namespace lra::harness
