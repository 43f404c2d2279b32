#include "harness/cluster/command.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>

#include "engine/base/error.h"

namespace lra::harness::cluster {
namespace {

// The output of a program, in memory.
class Capture {
 public:
  Capture() : descriptor_(::memfd_create("lra-output", MFD_CLOEXEC)) {
    if (descriptor_ < 0)
      fail(ErrorKind::io, "output of a command: cannot create (error {})", errno);
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture() { ::close(descriptor_); }
  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] std::string text() const {
    std::string all;
    std::array<char, 4096> block{};
    for (;;) {
      const ssize_t got =
          ::pread(descriptor_, block.data(), block.size(), static_cast<off_t>(all.size()));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return all;
      all.append(block.data(), static_cast<std::size_t>(got));
    }
  }

 private:
  int descriptor_;
};

bool is_of_a_job(std::string_view variable) {
  return variable.starts_with("SLURM") && !variable.starts_with("SLURM_CONF=");
}

}  // namespace

CommandResult run_command(const std::vector<std::string>& words) {
  const Capture out;
  const Capture err;
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  std::vector<char*> variables;
  for (char** v = ::environ; *v != nullptr; ++v) {
    if (!is_of_a_job(*v)) variables.push_back(*v);
  }
  variables.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out.descriptor(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err.descriptor(), STDERR_FILENO);
  pid_t child = -1;
  const int fault =
      ::posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), variables.data());
  ::posix_spawn_file_actions_destroy(&actions);
  CommandResult result;
  if (fault == ENOENT) {
    result.missing = true;
    return result;
  }
  if (fault != 0) {
    fail(ErrorKind::backend, "{}: cannot start: {}", words[0],
         std::generic_category().message(fault));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.out = out.text();
  result.err = err.text();
  while (result.err.ends_with('\n')) result.err.pop_back();
  return result;
}

}  // namespace lra::harness::cluster
