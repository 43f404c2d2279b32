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

// The program gets no input, and this process's environment without the variables of a surrounding
// Slurm job (SLURM_* except SLURM_CONF), which sbatch would take for options of the new job. A
// missing program is not an error; throws Error(backend) if it cannot be started for another
// reason.
[[nodiscard]] CommandResult run_command(const std::vector<std::string>& words);

}  // namespace lra::harness::cluster
