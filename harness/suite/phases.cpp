#include "harness/suite/phases.h"

#include <chrono>
#include <thread>

namespace lra::harness {

std::unique_ptr<FileLock> lock_measurements(const SuiteOptions& options, SuiteObserver& observer) {
  constexpr std::chrono::milliseconds kPause{200};
  for (bool told = false; options.stop == nullptr || !options.stop->load();) {
    if (auto lock = FileLock::try_lock(options.out / ".measuring.lock")) return lock;
    if (!std::exchange(told, true)) notify([&] { observer.on_phase(kWaitingPhase); });
    std::this_thread::sleep_for(kPause);
  }
  return nullptr;
}

}  // namespace lra::harness
