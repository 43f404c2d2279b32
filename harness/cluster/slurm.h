#pragma once
// Slurm's side of a suite: the text of sbatch files, the options that a user may add, the queue.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lra::harness::cluster {

// Options of `--slurm "..."`, each one word or two ("-p main"), as written into the files. Throws
// Error(usage) for a word that is not an option and for an option already set by the files.
[[nodiscard]] std::vector<std::string> slurm_options(std::string_view text);
// True if the options ask for one kind of node: a --constraint without alternatives.
[[nodiscard]] bool has_one_constraint(const std::vector<std::string>& options);

// One sbatch file.
struct Script {
  std::string comment;           // its purpose, one line
  std::string name;              // of the job
  std::filesystem::path folder;  // DIR/slurm, absolute: the working folder; logs are in its `logs`
  std::size_t tasks = 0;         // of an array; 0: a single job
  std::int64_t at_once = 0;      // of an array's tasks; 0: any number
  int cores = 1;
  std::int64_t gigabytes = 1;  // 0: all of a node's
  std::int64_t hours = 1;
  bool exclusive = false;            // nothing else on the node
  std::vector<std::string> options;  // of the user, after ours: the last value counts
  std::string command;               // a line of shell
};
// The text of the file. Its last line replaces the shell by the command, so that signals reach it
// directly.
[[nodiscard]] std::string text_of(const Script& script);

// Names of a folder's jobs: lra-SUITE-KEY.ROUND.SCRIPT. The key is derived from the folder's path.
struct JobName {
  std::string prefix;  // lra-SUITE-KEY
  int round = 0;
  std::string script;  // estimate, measure, train-1, bench, tables
  [[nodiscard]] std::string text() const;
};
[[nodiscard]] std::string job_prefix(const std::string& suite, const std::filesystem::path& out);

// A job, or a task of an array, that is pending or running.
struct QueuedTask {
  std::string id;      // 12, or 12_3
  std::string state;   // PENDING, RUNNING, ...
  std::string node;    // empty while it is pending
  std::string reason;  // why it is pending
  JobName name;
  std::size_t task = 0;  // of an array, from 1; 0: no array
  [[nodiscard]] bool pending() const { return state == "PENDING"; }
  [[nodiscard]] std::string job() const { return id.substr(0, id.find('_')); }
};
// The output format requested from squeue, and the jobs in its output whose names have the prefix.
// Throws Error(backend) for a malformed line.
inline constexpr const char* kQueueFormat = "%i|%j|%T|%N|%r";
[[nodiscard]] std::vector<QueuedTask> parse_queue(const std::string& text,
                                                  const std::string& prefix);

// The caller's jobs with this prefix, as listed by squeue. Throws Error(backend) if squeue is
// missing or fails.
[[nodiscard]] std::vector<QueuedTask> read_queue(const std::string& prefix);

// Submits a file, to start when the jobs `after` have ended, however they end. Returns its id.
// Throws Error(backend) with sbatch's message if sbatch is missing or refuses.
[[nodiscard]] std::string submit_script(const std::filesystem::path& file,
                                        const std::vector<std::string>& after);

}  // namespace lra::harness::cluster
