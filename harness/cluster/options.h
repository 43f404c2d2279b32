#pragma once
// What a user chooses for a suite on a cluster.

#include <filesystem>
#include <string>
#include <vector>

#include "harness/cluster/plan.h"

namespace lra::harness::cluster {

struct ClusterOptions {
  std::filesystem::path out;           // absolute
  std::string program;                 // a line of shell that starts lra on a node
  std::string suite;                   // as on the command line, a file as an absolute path
  std::vector<std::string> arguments;  // of every job
  std::vector<std::string> estimate;   // further ones, of the job that estimates and submits
  std::vector<std::string> slurm;      // from slurm_options()
  PlanOptions plan;
  double measure_seconds = 1;  // of each run alone, if all nodes are of one kind
  bool dry_run = false;        // writes the files, submits nothing
  bool estimated = false;      // on a node, after the estimates: a run without a cost has failed
};

}  // namespace lra::harness::cluster
