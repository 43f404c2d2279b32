#pragma once
// A suite as jobs. There is no database and no daemon: what has ended is in the run folders, what
// is pending or running is in the queue, and a job's name leads to the file with its runs.
//
//   DIR/slurm/costs.json           what the first job estimated
//   DIR/slurm/ROUND/*.sbatch       a submission's jobs; *.runs beside them: line N has task N's
//   runs DIR/slurm/ROUND/submitted.txt  their ids DIR/slurm/tasks.txt            the training tasks
//   of the last plan, a command a line DIR/slurm/logs/

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
  double measure_seconds = 1;  // of each run, where that can be done alone on one kind of node
  bool dry_run = false;        // writes the files, submits nothing
  bool estimated = false;      // on a node, after the estimates: a run without a cost has failed
};

enum class Place { ended, running, pending, failed, open };
constexpr auto texts(Place) { return enum_texts("ended", "running", "pending", "failed", "open"); }

struct RunStatus {
  Place place = Place::open;
  bool queued = false;  // a task in the queue holds it
  std::string text;     // what is known besides
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

// Writes and submits the jobs for what has not ended and is not in the queue: arrays of the runs
// whose cost is known, the first job for the others, a measurement before the training where there
// is one kind of node, the bench, and at the end the tables. A job that is refused does not hold up
// the others.
[[nodiscard]] Submission submit(const Suite& suite, const ClusterOptions& options,
                                const Overview& overview);

}  // namespace lra::harness::cluster
