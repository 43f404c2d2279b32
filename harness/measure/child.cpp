#include "harness/measure/child.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/file.h"

namespace lra::harness {
namespace {

constexpr int kPollMilliseconds = 50;

// Number of processes killed by the system for lack of memory; 0 where it is not reported.
std::int64_t memory_kills() {
  std::ifstream file("/proc/vmstat");
  std::string name;
  for (std::int64_t value = 0; file >> name >> value;) {
    if (name == "oom_kill") return value;
  }
  return 0;
}

// Closes all descriptors except one and the standard streams: a lock inherited by a child would
// outlive its owner.
void close_others(int kept) {
  if (kept > 3) ::close_range(3, static_cast<unsigned>(kept) - 1, 0);
  ::close_range(static_cast<unsigned>(kept) + 1, ~0U, 0);
}

}  // namespace

Channel::~Channel() { ::close(socket_); }

void Channel::send(const nlohmann::json& line) const {
  // Paths in messages need not be UTF-8.
  const std::string text =
      line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t put = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(put));
  }
}

std::optional<nlohmann::json> Channel::receive(const std::atomic<bool>* stop) {
  for (;;) {
    const std::size_t end = buffer_.find('\n');
    if (end != std::string::npos) {
      const std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return parse_json(line, "child process");
    }
    if (stop != nullptr && stop->load()) return std::nullopt;
    pollfd ready{socket_, POLLIN, 0};
    const int events = ::poll(&ready, 1, kPollMilliseconds);
    if (events < 0 && errno != EINTR) return std::nullopt;
    if (events <= 0) continue;
    std::array<char, 4096> block{};
    const ssize_t got = ::recv(socket_, block.data(), block.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    buffer_.append(block.data(), static_cast<std::size_t>(got));
  }
}

Child::Child(const std::function<void(Channel&)>& work) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    fail(ErrorKind::io, "child process: no channel (error {})", errno);
  }
  channel_.emplace(ends[0]);
  const pid_t parent = ::getpid();
  kills_before_ = memory_kills();
  process_ = ::fork();
  if (process_ < 0) {
    ::close(ends[1]);
    fail(ErrorKind::io, "child process: cannot start (error {})", errno);
  }
  if (process_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    close_others(ends[1]);
    // These signals reach the whole process group; the parent decides, and the child ends with it.
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGXCPU}) {
      std::signal(signal, SIG_IGN);
    }
    try {
      Channel channel(ends[1]);
      work(channel);
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  ::close(ends[1]);
}

Child::~Child() {
  if (process_ <= 0) return;
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

bool Child::ran_out_of_memory() {
  int status = 0;
  while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && memory_kills() > kills_before_;
}

}  // namespace lra::harness
