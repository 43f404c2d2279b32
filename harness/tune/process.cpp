#include "harness/tune/process.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>

#include "engine/base/error.h"

namespace lra::harness {
namespace {

constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGXCPU};

volatile std::sig_atomic_t asked = 0;
volatile std::sig_atomic_t receiver = 0;  // 0: none

extern "C" void pass_on(int) {
  asked = 1;
  const int saved = errno;
  if (receiver > 0) ::kill(static_cast<pid_t>(receiver), SIGTERM);
  errno = saved;
}

// Except where the caller ignores them (nohup).
void install_handlers() {
  for (const int signal : kSignals) {
    struct sigaction action {};
    ::sigaction(signal, nullptr, &action);
    if (action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = pass_on;
    action.sa_flags = SA_RESTART;
    ::sigaction(signal, &action, nullptr);
  }
}

// Blocks signals while the two processes initialise.
class Blocked {
 public:
  Blocked() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : kSignals) sigaddset(&set, signal);
    sigprocmask(SIG_BLOCK, &set, &before_);
  }
  Blocked(const Blocked&) = delete;
  Blocked& operator=(const Blocked&) = delete;
  ~Blocked() { restore(); }
  void restore() { sigprocmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace

bool stop_was_asked() { return asked != 0; }

int in_child(const std::function<int(const std::atomic<bool>& stop)>& work,
             const std::function<const std::atomic<bool>&()>& install) {
  install_handlers();
  Blocked blocked;
  const pid_t parent = ::getpid();
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child < 0) fail(ErrorKind::io, "child process: cannot start (error {})", errno);
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    const std::atomic<bool>& stop = install();
    blocked.restore();
    if (::getppid() != parent) ::_exit(1);
    const int code = work(stop);
    std::fflush(stdout);
    ::_exit(code);
  }
  receiver = child;
  blocked.restore();
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  receiver = 0;
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  fail(ErrorKind::backend, "child process: ended by signal {}; the same command continues",
       WTERMSIG(status));
}

}  // namespace lra::harness
