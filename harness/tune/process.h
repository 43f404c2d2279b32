#pragma once
// Suites in a process of their own, one after another: a suite must begin before its process has
// started threads (harness/suite/execute.h).

#include <atomic>
#include <functional>

namespace lra::harness {

// Forks and returns the exit code of `work`, which must not throw. In the child, `install` sets the
// handlers of signals and returns the flag that they set, which `work` gets. Signals that end a run
// in good order and arrive here are passed on to the child as SIGTERM; the child gets SIGTERM when
// this process dies. Call it before this process has started threads. Throws Error(io) if the
// system refuses, Error(backend) if a signal ended the child.
[[nodiscard]] int in_child(const std::function<int(const std::atomic<bool>& stop)>& work,
                           const std::function<const std::atomic<bool>&()>& install);

// True once a signal that ends a run in good order has arrived since in_child() was first called.
[[nodiscard]] bool stop_was_asked();

}  // namespace lra::harness
