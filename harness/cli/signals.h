#pragma once
// Ctrl-C and SIGTERM as a flag that runs look at between steps.

#include <atomic>

namespace lra::harness {

// Installs the handlers. The first signal sets the flag; a second one ends the process at once.
[[nodiscard]] const std::atomic<bool>& stop_on_signals();

}  // namespace lra::harness
