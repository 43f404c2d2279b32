#pragma once
// A suite as jobs, without a database or daemon: the run folders show the ended runs, the queue
// shows pending and running jobs, and a job's name leads to the file with its runs.
//
//   DIR/slurm/costs.json              the first job's estimates
//   DIR/slurm/tasks.txt               the training tasks of the last plan, one command per line
//   DIR/slurm/ROUND/*.sbatch          the jobs of a submission
//   DIR/slurm/ROUND/*.runs            line N of a job's list names the runs of its task N
//   DIR/slurm/ROUND/submitted.txt     the ids of the jobs
//   DIR/slurm/logs/

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/base/enum_text.h"
#include "harness/cluster/costs.h"
#include "harness/cluster/plan.h"
#include "harness/cluster/slurm.h"
#include "harness/suite/suite.h"

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
