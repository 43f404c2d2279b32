#pragma once
// Trainings of a second or two by the program, for the tests of whole commands.

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/base/file.h"
#include "tests/process.h"

namespace lra::testing {

// `largest_file`: bytes; a write beyond it fails as one on a full disk does (0: no limit).
inline pid_t start(const std::vector<std::string>& arguments, const Scratch& folder,
                   rlim_t largest_file = 0) {
  return start_program(arguments, folder, [largest_file] {
    if (largest_file == 0) return;
    const rlimit limit{largest_file, largest_file};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::signal(SIGXFSZ, SIG_IGN);
  });
}

inline Ended run(const std::vector<std::string>& arguments, const Scratch& folder,
                 rlim_t largest_file = 0) {
  return wait_for(start(arguments, folder, largest_file), folder);
}

// A training of a second or two.
inline std::vector<std::string> tiny(const std::string& out, std::vector<std::string> more = {}) {
  std::vector<std::string> a{"train",    "--task", "listops", "--attention", "cosformer",
                             "--preset", "tiny",   "--out",   out,           "--checkpoint-seconds",
                             "0"};
  for (const char* s : {"data.train=200", "data.val=20", "data.test=20", "train.steps=12",
                        "train.eval_every=4", "train.batch_size=8", "model.dropout=0.1",
                        "task.min_tokens=20", "task.max_tokens=200", "task.max_length=200"}) {
    a.insert(a.end(), {"--set", s});
  }
  a.insert(a.end(), more.begin(), more.end());
  return a;
}

inline std::string model_of(const Scratch& folder, const std::string& run_name) {
  return read_file(std::filesystem::path(folder / run_name) / "model.safetensors");
}

}  // namespace lra::testing
