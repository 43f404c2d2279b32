#pragma once
// What the phases of a suite share.

#include <exception>
#include <memory>
#include <utility>

#include "engine/base/file.h"
#include "harness/suite/execute.h"

namespace lra::harness {

// Calls f, which tells an observer something: what it throws is dropped, for whoever watches cannot
// fail the work.
template <class F>
void notify(F&& f) {
  try {
    std::forward<F>(f)();
  } catch (const std::exception&) {
  }
}

// Estimates, measurements and benches of a folder are one process's at a time, on each node of a
// cluster: waits for that lock.
// Empty if the suite was stopped meanwhile.
[[nodiscard]] std::unique_ptr<FileLock> lock_measurements(const SuiteOptions& options,
                                                          SuiteObserver& observer);

}  // namespace lra::harness
