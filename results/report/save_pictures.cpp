// The pictures of a report's page as files, drawn by the page's own code in node.

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "results/report/page_files.h"
#include "results/report/report.h"

namespace lra::results {

namespace fs = std::filesystem;

std::vector<fs::path> save_pictures(const fs::path& page, const fs::path& folder) {
  fs::create_directories(folder);
  const fs::path script = folder / fmt::format(".pictures-{}.mjs", ::getpid());
  write_file_atomic(script, report_file("pictures.mjs"));
  const fs::path log = folder / fmt::format(".pictures-{}.log", ::getpid());
  std::vector<std::string> words{"node", script.string(), page.string(), folder.string()};
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
    posix_spawn_file_actions_addopen(&actions, stream, log.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                     0644);
  }
  pid_t child = 0;
  const int code = ::posix_spawnp(&child, "node", &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  if (code == 0) {
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
  }
  const std::string output = fs::exists(log) ? read_file(log) : "";
  fs::remove(script);
  fs::remove(log);
  if (code != 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 127)) {
    fail(ErrorKind::backend,
         "report: cannot run the program `node`; pictures need it (Debian: nodejs); try the page's "
         "own SVG buttons");
  }
  if (status != 0) {
    const std::size_t error = output.find("Error: ");
    fail(ErrorKind::backend, "report: drawing failed: {}",
         error == std::string::npos ? output
                                    : output.substr(error, output.find('\n', error) - error));
  }
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".svg") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace lra::results
