#pragma once
// Runs another program to its end.

#include <string>
#include <vector>

namespace lra::harness::cluster {

struct CommandResult {
  bool missing = false;  // no such program in $PATH
  int code = -1;         // its exit code; 128 + the number of the signal that ended it
  std::string out;
  std::string err;  // without its last line break
};

// The program gets no input, and this process's environment without what a surrounding Slurm job
// says of itself (SLURM_*, besides SLURM_CONF): sbatch would take it for options of the new job.
// Throws Error(backend) if it cannot be started for another reason than that it is missing.
[[nodiscard]] CommandResult run_command(const std::vector<std::string>& words);

}  // namespace lra::harness::cluster
