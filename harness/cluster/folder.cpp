#include "harness/cluster/folder.h"

namespace lra::harness::cluster {

namespace fs = std::filesystem;

fs::path slurm_folder(const ClusterOptions& options) { return options.out / "slurm"; }

fs::path round_folder(const ClusterOptions& options, int round) {
  return slurm_folder(options) / std::to_string(round);
}

std::string short_id(const SuiteRun& run) { return run.name.substr(run.name.rfind('-') + 1); }

}  // namespace lra::harness::cluster
