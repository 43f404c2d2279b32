#pragma once
// Suites in separate child processes, one after another: a suite must begin before its process has
// started threads (harness/suite/execute.h).

#include <atomic>
#include <functional>

namespace lra::harness {

// Forks and returns the exit code of `work`, which must not throw. In the child, `install` sets the
// signal handlers and returns their flag, which is passed to `work`. Signals for an orderly stop
// that arrive here are forwarded to the child as SIGTERM; the child also gets SIGTERM when this
// process dies. Must be called before this process has started threads. Throws Error(io) if the
// system refuses, Error(backend) if a signal ended the child.
[[nodiscard]] int in_child(const std::function<int(const std::atomic<bool>& stop)>& work,
                           const std::function<const std::atomic<bool>&()>& install);

// True once a signal for an orderly stop has arrived since the first call of in_child().
[[nodiscard]] bool stop_was_asked();

}  // namespace lra::harness
