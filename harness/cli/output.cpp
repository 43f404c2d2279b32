#include "harness/cli/output.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <mutex>

#include "engine/base/error.h"

namespace lra::harness::cli {
namespace {

constexpr int kPatienceMs = 1000;  // time allowed to a stalled reader of stderr

int stdout_error = 0;  // errno of the first write that failed

}  // namespace

void protect_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) != -1 || errno != EBADF) continue;
    // Opened in the opposite direction: using it remains an error, as with a closed descriptor.
    const int taken = ::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    if (taken >= 0 && taken != stream) {
      ::dup2(taken, stream);
      ::close(taken);
    }
  }
  std::signal(SIGPIPE, SIG_IGN);
}

void write_out(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() && stdout_error == 0) {
    stdout_error = errno;
  }
}

void write_note(std::string_view text) {
  static std::mutex mutex;
  static bool stalled = false;  // no reader: does not wait again until there is one
  const std::scoped_lock lock(mutex);
  while (!text.empty()) {
    pollfd ready{STDERR_FILENO, POLLOUT, 0};
    const int events = ::poll(&ready, 1, stalled ? 0 : kPatienceMs);
    if (events < 0 && errno == EINTR) continue;
    stalled = events == 0;
    if (events <= 0) return;
    // A pipe that is ready takes at least this much without blocking.
    constexpr std::size_t kPipeBlock = 4096;
    const ssize_t put =
        ::write(STDERR_FILENO, text.data(), text.size() < kPipeBlock ? text.size() : kPipeBlock);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(put));
  }
}

bool end_stdout() {
  errno = 0;
  const bool flushed = std::fflush(stdout) == 0;
  if (!flushed && stdout_error == 0) stdout_error = errno;
  if (flushed && std::ferror(stdout) == 0 && stdout_error == 0) return true;
  if (stdout_error == EPIPE) return false;
  fail(ErrorKind::io, "stdout: cannot write the result: {}",
       stdout_error != 0 ? std::strerror(stdout_error) : "write error");
}

}  // namespace lra::harness::cli
