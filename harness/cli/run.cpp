// lra run: a whole suite, then its table.

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/locks.h"
#include "harness/cli/cli.h"
#include "harness/cli/cluster.h"
#include "harness/cli/definitions.h"
#include "harness/cli/events.h"
#include "harness/cli/output.h"
#include "harness/cli/report.h"
#include "harness/cli/signals.h"
#include "harness/cli/suite_plan.h"
#include "harness/cli/suite_view.h"
#include "harness/cluster/costs.h"
#include "harness/run/ended.h"
#include "harness/suite/bench.h"
#include "harness/workers/workers.h"
#include "results/record/load.h"
#include "results/table/efficiency.h"
#include "results/table/table.h"

namespace lra::harness::cli {
namespace {

// The suite's results as tables, printed and written to the folder.
void finish(const std::vector<results::Record>& records,
            const std::vector<results::BenchRecord>& benches, const std::filesystem::path& out) {
  const auto show = [&out](const char* file, const std::string& text) {
    write_file_atomic(out / file, text);
    say("\n{}\n", text);
  };
  results::TableOptions table;
  if (!benches.empty()) show("efficiency.md", results::render_efficiency(benches));
  if (!records.empty()) {
    const auto board = results::build_leaderboard(records, table.baseline);
    const results::Table built = results::build_table(board, table);
    using results::TableFormat;
    const auto shown = ::isatty(STDOUT_FILENO) != 0 ? TableFormat::text : TableFormat::md;
    say("\n{}\n", results::format_table(built, shown));
    write_file_atomic(out / "table.md", results::format_table(built, TableFormat::md));
    write_json(out / "leaderboard.json", results::to_json(board));
  }
  write_report({out.string()}, out / "report.html", table);
  if (!benches.empty()) say("efficiency {}\n", (out / "efficiency.md").string());
  if (!records.empty()) {
    say("table      {}\n", (out / "table.md").string());
    say("board      {}\n", (out / "leaderboard.json").string());
  }
  say("report     {}\n", (out / "report.html").string());
  if (!records.empty()) say("runs       {}\n", (out / "runs").string());
}

// Prints each cause once with its runs to stderr; returns the suite's exit code.
int report_failures(const std::vector<results::Record>& records,
                    const std::vector<std::string>& names) {
  int code = 0;
  for (const results::Status status : {results::Status::failed, results::Status::diverged}) {
    std::map<std::string, std::vector<std::string>> causes;
    std::size_t runs = 0;
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (records[i].status != status) continue;
      ++runs;
      causes[records[i].failure.value_or("no reason recorded")].push_back(names[i]);
    }
    if (runs == 0) continue;
    if (code == 0) code = status == results::Status::failed ? 1 : exit_code(ErrorKind::numeric);
    note("lra: {} of {} runs {}\n", runs, records.size(), name_of(status));
    for (const auto& [cause, failed] : causes) {
      note("  {}\n    {}\n", cause, fmt::join(failed, "\n    "));
    }
  }
  return code;
}

// Makes the tables from the results of the suite's parts.
int collect(const Suite& suite, const RunArguments& a, const std::filesystem::path& out) {
  std::vector<results::Record> records;
  std::vector<std::string> names;
  for (const SuiteRun& run : suite.runs) {
    auto record = saved_record(run.spec, out / "runs" / run.name);
    if (!record || record->status == results::Status::interrupted) continue;
    records.push_back(std::move(*record));
    names.push_back(run.name);
  }
  std::vector<results::BenchRecord> benches;
  if (suite.bench) benches = saved_benches(suite, out);
  const std::size_t open = suite.runs.size() - records.size();
  if (!records.empty() || !benches.empty()) finish(records, benches, out);
  std::fflush(stdout);
  if (open > 0) note("lra: {} of {} runs have not ended\n", open, suite.runs.size());
  const bool lacks_bench = suite.bench && !bench_is_complete(suite, benches);
  if (lacks_bench) note("lra: the bench over sequence lengths has not ended\n");
  const int code = report_failures(records, names);
  if (a.keep_going) return 0;
  return code == 0 && (open > 0 || lacks_bench) ? 1 : code;
}

SuiteOptions run_options(const RunArguments& a, const std::filesystem::path& out) {
  SuiteOptions options = suite_options(a, out);
  options.measure_seconds = a.measure_seconds;
  options.part = part_of(a);
  // Longer than a file server takes to release the locks of a dead node.
  constexpr std::chrono::seconds kPatience{100};
  if (options.part == SuitePart::train || a.has_only) options.patience = kPatience;
  options.costs = cluster::load_costs(out, a.threads).runs;
  return options;
}

// Runs a part of the suite, or all of it. Tables are made only for the whole suite.
int execute(const Suite& whole, const RunArguments& a, const std::filesystem::path& out) {
  const Suite suite = !a.has_only ? whole : only_runs(whole, a.only);
  EventStream events(a.events);
  const std::atomic<bool>& stop = stop_on_signals();
  SuiteOptions options = run_options(a, out);
  options.stop = &stop;
  const bool benches_only = options.part == SuitePart::bench;
  const bool has_bench = suite.bench && (a.part.empty() || benches_only);
  if (benches_only && !suite.bench) {
    fail(ErrorKind::usage, "--part bench: the suite {} has no bench", suite.name);
  }
  SuiteOutcome outcome;
  std::vector<results::BenchRecord> benches;
  {
    SuiteView view(suite, events, stop);
    if (has_bench) benches = run_suite_bench(suite, options, view);
    if (!benches_only) outcome = run_suite(suite, options, view);
  }
  const bool measures_only = options.part == SuitePart::measure;
  const bool lacks_bench = has_bench && !bench_is_complete(suite, benches);
  const bool lacks_runs = !benches_only && !measures_only && outcome.stopped();
  // Runs of other processes are left to those processes.
  const bool ended = !benches_only && !measures_only && outcome.ended() == suite.runs.size();
  const bool stopped = (lacks_bench && !ended) || (lacks_runs && (stop || !options.patience)) ||
                       (measures_only && stop);
  events.end(outcome, stopped || (lacks_bench && stop));
  if (stopped) {
    note("lra: stopped after {} of {} runs; the same command continues\n", outcome.ended(),
         suite.runs.size());
    return kInterrupted;
  }
  if (lacks_runs) {
    note("lra: {} of {} runs are worked on by other processes\n",
         suite.runs.size() - outcome.ended(), suite.runs.size());
  }
  std::vector<results::Record> records;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < outcome.records.size(); ++i) {
    if (!outcome.records[i]) continue;
    records.push_back(std::move(*outcome.records[i]));
    names.push_back(suite.runs[i].name);
  }
  if (a.part.empty() && !a.has_only) finish(records, benches, out);
  std::fflush(stdout);
  const int code = report_failures(records, names);
  if (lacks_bench) {
    note("lra: the bench over sequence lengths has not ended; the same command continues it\n");
    return stop ? kInterrupted : 1;
  }
  return a.keep_going ? 0 : code;
}

int run(const RunArguments& a) {
  require_consistent(a);
  Suite suite = load_suite(a.suite, a.settings, a.data);
  const std::filesystem::path out = a.out.empty() ? "runs/" + suite.name : a.out;
  adopt_begun(suite, out);
  if (a.dry_run && a.on.empty()) return print_plan(suite, a, out);
  remove_abandoned(out);
  results::SuiteRuns named{suite.name, suite.description, {}};
  for (const SuiteRun& run : suite.runs) named.runs.push_back(run.name);
  results::write_suite_runs(out, named);
  if (!a.on.empty()) {
    return run_on_slurm(suite, a, out, [&] { return collect(suite, a, out); });
  }
  if (part_of(a) == SuitePart::tables) return collect(suite, a, out);
  return execute(suite, a, out);
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "run", "run a suite of tasks, attentions and seeds; repeat the command to continue");
  auto a = std::make_shared<RunArguments>();
  add_suite_argument(*command, a);
  add_suite_options(*command, a, "runs/SUITE");
  command
      ->add_option("--measure-seconds", a->measure_seconds,
                   "seconds to measure each run alone before training; 0 disables")
      ->check(non_negative())
      ->capture_default_str();
  add_events_option(*command, a);
  command->add_flag("--dry-run", a->dry_run,
                    "print the runs with estimated time and memory, and stop; with --on, write the "
                    "job files and submit nothing");
  command->add_flag("--keep-going", a->keep_going, "exit with 0 even if runs failed or diverged");
  command
      ->add_option(
          "--only", a->only,
          "restrict to these runs and make no tables: names of run folders or the last digits of "
          "these names, separated by commas (default: all runs)")
      ->type_name("ID,ID,...");
  command
      ->add_option(
          "--part", a->part,
          "part of the suite to run: measure (speed and memory of each run, also of those that "
          "were trained without measuring), train (without measuring), bench (over sequence "
          "lengths), tables (from the existing results); "
          "default: all parts")
      ->check(one_of<SuitePart>());
  add_cluster_options(*command, a);
  command->footer(
      "With --on slurm the suite becomes Slurm jobs, and the command returns: a first job "
      "estimates\n"
      "each run and submits arrays, a last one makes the tables. The same command shows what is\n"
      "pending, running, ended and failed, and submits what has not ended; with --dry-run, "
      "nothing.\n"
      "\n"
      "Exit codes: 0 all runs completed; 1 a run failed; 4 a run diverged and none failed;\n"
      "2 wrong use or suite; 3 data or files, stdout included; 130 stopped by Ctrl-C, SIGTERM,\n"
      "SIGHUP, SIGUSR1 or SIGXCPU: the same command continues.");
  command->callback([a, command, &action] {
    a->has_only = command->count("--only") > 0;
    action = [a] { return run(*a); };
  });
}

}  // namespace lra::harness::cli
