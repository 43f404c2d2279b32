#pragma once
// Runs the program like its users, with streams, variables and signals chosen by the test.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/file.h"

namespace lra::testing {

// A folder of one test, with a separate data cache.
class Scratch {
 public:
  explicit Scratch(const std::string& name)
      : path_(std::filesystem::temp_directory_path() /
              fmt::format("lra-process-{}-{}", ::getpid(), name)) {
    std::filesystem::create_directories(path_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code code;
    std::filesystem::remove_all(path_, code);
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ / name; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct Ended {
  int code = -1;  // -SIGNAL if a signal ended it
  std::string out, err;
};

// Starts the program with stdout and stderr in files of the folder; `prepare` runs in the new
// process before it.
inline pid_t start_program(const std::vector<std::string>& arguments, const Scratch& folder,
                           const std::function<void()>& prepare = {}) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::setenv("XDG_CACHE_HOME", (folder / "cache").c_str(), 1);
  ::unsetenv("LRA_DATA");
  for (const auto& [name, stream] : {std::pair{"out", STDOUT_FILENO}, {"err", STDERR_FILENO}}) {
    const int file = ::open((folder / name).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ::dup2(file, stream);
    ::close(file);
  }
  if (prepare) prepare();
  std::vector<char*> argv{const_cast<char*>(LRA_PROGRAM)};
  for (const auto& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  ::execv(LRA_PROGRAM, argv.data());
  ::_exit(127);
}

inline Ended wait_for(pid_t child, const Scratch& folder) {
  int status = 0;
  ::waitpid(child, &status, 0);
  const auto text = [&folder](const char* name) {
    return std::filesystem::exists(folder / name) ? read_file(folder / name) : std::string();
  };
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), text("out"), text("err")};
}

inline Ended run_program(const std::vector<std::string>& arguments, const Scratch& folder,
                         const std::function<void()>& prepare = {}) {
  return wait_for(start_program(arguments, folder, prepare), folder);
}

// The same in the folder itself, for a typed command: words separated by single blanks.
inline Ended run_line(const std::string& line, const Scratch& folder) {
  std::vector<std::string> arguments;
  for (std::size_t begin = 0; begin <= line.size();) {
    const std::size_t end = std::min(line.find(' ', begin), line.size());
    arguments.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return run_program(arguments, folder,
                     [&folder] { std::filesystem::current_path(folder.path()); });
}

// Waits until a condition holds, at most 20 s; false if it never did.
inline bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 10000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

// A training of much less than a second.
inline std::vector<std::string> short_training(const std::string& out,
                                               const std::vector<std::string>& more = {}) {
  std::vector<std::string> a{"train", "--task", "listops", "--attention", "linear", "--preset",
                             "tiny",  "--out",  out};
  for (const char* s : {"data.train=50", "data.val=10", "data.test=10", "train.steps=8",
                        "train.eval_every=4", "train.batch_size=4", "task.min_tokens=20",
                        "task.max_tokens=100", "task.max_length=100", "diagnostics.samples=0"}) {
    a.insert(a.end(), {"--set", s});
  }
  a.insert(a.end(), more.begin(), more.end());
  return a;
}

// A suite of such short runs with these attentions, and further settings as JSON members.
inline std::string short_suite(const std::string& attentions, const std::string& settings = "") {
  return fmt::format(R"({{"schema": "lra-suite/1", "name": "s", "tasks": ["listops"],
    "attentions": [{}], "preset": "tiny", "precision": "f32",
    "settings": {{"data.train": 50, "data.val": 10, "data.test": 10, "train.steps": 8,
                  "train.eval_every": 4, "train.batch_size": 4, "task.min_tokens": 20,
                  "task.max_tokens": 100, "task.max_length": 100, "diagnostics.samples": 0{}{}}}}})",
                     attentions, settings.empty() ? "" : ", ", settings);
}

}  // namespace lra::testing
