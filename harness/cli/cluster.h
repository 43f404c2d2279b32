#pragma once
// `lra run`'s arguments, and its way to other machines: `lra run --on slurm`.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/cli/suite_options.h"
#include "harness/suite/execute.h"
#include "harness/suite/suite.h"

namespace lra::harness::cli {

struct RunArguments : SuiteArguments {
  double measure_seconds = 1;
  bool dry_run = false, keep_going = false;
  std::string only, part;
  bool has_only = false;  // may be an empty list: a task without runs
  // Options for a cluster.
  std::string on, slurm, program;
  int cores = 4;
  std::int64_t at_once = 0;
  double task_minutes = 45;
  bool estimate = false;
  std::vector<std::string> program_options;  // of every command: plugins, --no-locks
  std::vector<std::string> cluster_given;    // names of the given options that need --on
};

// Adds the options for a cluster.
void add_cluster_options(CLI::App& command, const std::shared_ptr<RunArguments>& arguments);

// The part of the suite to run; none: all of it.
[[nodiscard]] std::optional<SuitePart> part_of(const RunArguments& a);

// Throws Error(usage) for options that exclude each other.
void require_consistent(const RunArguments& a);

// Shows the state of the suite's runs; writes and submits the jobs for runs that have not ended and
// are not in the queue. If all runs have ended, calls `all_ended`, which makes the tables. Returns
// the exit code.
[[nodiscard]] int run_on_slurm(const Suite& suite, const RunArguments& a,
                               const std::filesystem::path& out,
                               const std::function<int()>& all_ended);

}  // namespace lra::harness::cli
