#pragma once
// Signals for an orderly stop. They set a flag that runs check between steps, between evaluated
// examples and while waiting.

#include <atomic>

namespace lra::harness {

// Installs handlers for Ctrl-C, SIGTERM (kill, Slurm), SIGHUP (a closed terminal), SIGUSR1 and
// SIGXCPU (batch systems before a limit), except where the caller ignores them (nohup). The first
// signal sets the flag and prints a line to stderr immediately; another Ctrl-C ends the process
// immediately.
[[nodiscard]] const std::atomic<bool>& stop_on_signals();

// True if a handler has written its line since the last call; an earlier display has moved then.
[[nodiscard]] bool signal_wrote_line();

}  // namespace lra::harness
