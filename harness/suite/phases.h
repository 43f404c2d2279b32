#pragma once
// Helpers shared by the phases of a suite.

#include <exception>
#include <memory>
#include <utility>

#include "engine/base/file.h"
#include "harness/suite/execute.h"

namespace lra::harness {

// Calls f, which notifies an observer, and ignores its exceptions: an observer cannot fail the
// work.
template <class F>
void notify(F&& f) {
  try {
    std::forward<F>(f)();
  } catch (const std::exception&) {
  }
}

// Waits for the lock under which, on each node, only one process at a time estimates, measures or
// benches in a folder. Empty if the suite was stopped meanwhile.
[[nodiscard]] std::unique_ptr<FileLock> lock_measurements(const SuiteOptions& options,
                                                          SuiteObserver& observer);

}  // namespace lra::harness
