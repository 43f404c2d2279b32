#pragma once
// The state of each run of a suite: the run folders show the ended runs, the queue shows pending
// and running jobs, and a job's name leads to the file with its runs.

#include <cstddef>
#include <string>
#include <vector>

#include "engine/base/enum_text.h"
#include "harness/cluster/options.h"
#include "harness/cluster/slurm.h"
#include "harness/suite/suite.h"

namespace lra::harness::cluster {

enum class Place { ended, running, pending, failed, open };
constexpr auto texts(Place) { return enum_texts("ended", "running", "pending", "failed", "open"); }

struct RunStatus {
  Place place = Place::open;
  bool queued = false;  // a task in the queue holds it
  std::string text;     // further information
};

struct Overview {
  std::vector<RunStatus> runs;    // by run
  std::vector<QueuedTask> queue;  // this folder's
  [[nodiscard]] std::size_t count(Place place) const;
  [[nodiscard]] bool has(const std::string& script) const;  // a job of that kind is in the queue
};

// Reads the run folders and the files behind the queue's jobs. Throws Error(io) if one of these is
// missing.
[[nodiscard]] Overview survey(const Suite& suite, const ClusterOptions& options,
                              std::vector<QueuedTask> queue);

}  // namespace lra::harness::cluster
