#include "harness/suite/phases.h"

#include <chrono>
#include <string>
#include <thread>

#include "harness/run/environment.h"

namespace lra::harness {

std::unique_ptr<FileLock> lock_measurements(const SuiteOptions& options, SuiteObserver& observer) {
  constexpr std::chrono::milliseconds kPause{200};
  const std::string node = environment(1, 1).node;
  const auto file =
      options.out / (node.empty() ? ".measuring.lock" : ".measuring-" + node + ".lock");
  for (bool told = false; options.stop == nullptr || !options.stop->load();) {
    if (auto lock = FileLock::try_lock(file)) return lock;
    if (!std::exchange(told, true)) notify([&] { observer.on_phase(kWaitingPhase); });
    std::this_thread::sleep_for(kPause);
  }
  return nullptr;
}

}  // namespace lra::harness
