#pragma once
// Signals that end a run in good order, as a flag that runs look at between steps, between
// evaluated examples and while they wait.

#include <atomic>

namespace lra::harness {

// Installs handlers for Ctrl-C, SIGTERM (kill, Slurm), SIGHUP (a terminal that closes), SIGUSR1 and
// SIGXCPU (batch systems before a limit), except where the caller had them ignored (nohup). The
// first sets the flag and says so on stderr at once; another Ctrl-C ends the process at once.
[[nodiscard]] const std::atomic<bool>& stop_on_signals();

// True if a handler has written its line since the last call: what a display had drawn before is
// not where it was.
[[nodiscard]] bool signal_wrote_line();

}  // namespace lra::harness
