#include "harness/cli/signals.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string_view>

namespace lra::harness {
namespace {

std::atomic<bool> stop_requested{false};
std::atomic<bool> wrote_line{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set in a signal handler");

// Never waits: a blocking handler would block the interrupted code.
void write_now(std::string_view text) {
  pollfd ready{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&ready, 1, 0) > 0)
    static_cast<void>(!::write(STDERR_FILENO, text.data(), text.size()));
}

extern "C" void on_signal(int signal) {
  const int saved = errno;
  if (!stop_requested.exchange(true)) {
    // Starts at the left edge of a terminal, over a line of progress.
    if (::isatty(STDERR_FILENO) == 1) write_now("\r\033[K");
    write_now(
        "lra: stopping: running work is kept, the same command continues; Ctrl-C or SIGTERM again "
        "ends at once\n");
    wrote_line = true;
  } else if (signal == SIGINT || signal == SIGTERM) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  errno = saved;
}

}  // namespace

const std::atomic<bool>& stop_on_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGXCPU}) {
    struct sigaction action {};
    ::sigaction(signal, nullptr, &action);
    if (action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    ::sigaction(signal, &action, nullptr);
  }
  return stop_requested;
}

bool signal_wrote_line() { return wrote_line.exchange(false); }

}  // namespace lra::harness
