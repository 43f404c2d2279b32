#pragma once
// The files of a suite's jobs:
//
//   DIR/slurm/costs.json              the first job's estimates
//   DIR/slurm/tasks.txt               the training tasks of the last plan, one command per line
//   DIR/slurm/ROUND/*.sbatch          the jobs of a submission
//   DIR/slurm/ROUND/*.runs            line N of a job's list names the runs of its task N
//   DIR/slurm/ROUND/submitted.txt     the ids of the jobs
//   DIR/slurm/logs/

#include <filesystem>
#include <string>

#include "harness/cluster/options.h"
#include "harness/suite/suite.h"

namespace lra::harness::cluster {

// Scripts by what their jobs do; those of the arrays are train-1, train-2, ...
inline constexpr const char* kEstimate = "estimate";
inline constexpr const char* kMeasure = "measure";
inline constexpr const char* kTrain = "train";
inline constexpr const char* kBench = "bench";
inline constexpr const char* kTables = "tables";

// DIR/slurm, and the folder of one submission in it.
[[nodiscard]] std::filesystem::path slurm_folder(const ClusterOptions& options);
[[nodiscard]] std::filesystem::path round_folder(const ClusterOptions& options, int round);

// The first digits of a run's digest, with which its folder's name ends; lists name runs by them.
[[nodiscard]] std::string short_id(const SuiteRun& run);

}  // namespace lra::harness::cluster
