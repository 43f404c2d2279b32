#pragma once
// A suite as jobs, without a database or daemon: what has not ended and is not in the queue is
// written as jobs (folder.h) and submitted.

#include <filesystem>
#include <string>
#include <vector>

#include "harness/cluster/options.h"
#include "harness/cluster/survey.h"
#include "harness/suite/suite.h"

namespace lra::harness::cluster {

struct SubmittedJob {
  std::string id;  // empty in a dry run
  std::filesystem::path script;
  std::string what;   // "6 runs in 3 tasks, 1 h and 1 GB each"
  std::string fault;  // why it was not submitted
};

struct Submission {
  std::vector<SubmittedJob> jobs;
  std::filesystem::path tasks;  // tasks.txt, if it was written
  std::vector<std::string> notes;
  [[nodiscard]] bool complete() const;  // every job was submitted
};

// Writes and submits jobs for all work that has not ended and is not in the queue: arrays of the
// runs with known cost, the first job for the others, a measurement before the training if there is
// one kind of node, the bench and finally the tables. A refused job does not block the others.
[[nodiscard]] Submission submit(const Suite& suite, const ClusterOptions& options,
                                const Overview& overview);

}  // namespace lra::harness::cluster
