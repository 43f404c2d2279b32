// lra run: a whole suite, then its table.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/locks.h"
#include "engine/base/resources.h"
#include "engine/runtime.h"
#include "harness/cli/cli.h"
#include "harness/cli/cluster.h"
#include "harness/cli/definitions.h"
#include "harness/cli/events.h"
#include "harness/cli/output.h"
#include "harness/cli/report.h"
#include "harness/cli/signals.h"
#include "harness/cli/suite_view.h"
#include "harness/cluster/costs.h"
#include "harness/run/ended.h"
#include "harness/suite/bench.h"
#include "harness/suite/data.h"
#include "harness/suite/estimate.h"
#include "harness/workers/workers.h"
#include "results/record/load.h"
#include "results/table/efficiency.h"
#include "results/table/table.h"

namespace lra::harness::cli {
namespace {

namespace fs = std::filesystem;

// "3.4 days", "3 h 20 min", "12 min", "45 s".
std::string duration(double seconds) {
  constexpr double kDay = 86400;
  if (seconds >= 2 * kDay) return fmt::format("{:.1f} days", seconds / kDay);
  const std::int64_t whole = std::llround(seconds);
  if (whole >= 3600) return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
  return whole >= 60 ? fmt::format("{} min", whole / 60) : fmt::format("{} s", whole);
}

struct Total {
  double seconds = 0;
  std::int64_t bytes = 0;   // of the largest
  std::size_t unknown = 0;  // runs without an estimate
  std::size_t refused = 0;  // runs that could not begin: without an estimate, or memory for them
};

// What a plan is made with.
struct PlanOptions {
  fs::path out;
  fs::path data;
  int threads = 0;
  std::int64_t memory_bytes = 0;
  const std::atomic<bool>* stop = nullptr;
};

// The end of a plan's line, which represents `runs` equal runs.
void print_cost(const Estimate& cost, std::size_t runs, const PlanOptions& plan, bool fits,
                Total& total) {
  const std::int64_t bytes = bytes_of({cost.memory}, plan.threads);
  if (!cost.known) {
    say("{}\n", cost.failure);
    total.unknown += runs;
    return;
  }
  say("{}{}, {} MB{}\n", duration(cost.seconds), runs > 1 ? " each" : "", needed_megabytes(bytes),
      fits ? ""
           : fmt::format(", more than the {} MB that may be used",
                         allowed_megabytes(plan.memory_bytes)));
  std::fflush(stdout);
  total.seconds += static_cast<double>(runs) * cost.seconds;
  total.bytes = std::max(total.bytes, bytes);
}

std::string plan_text(const FoundData& found) {
  if (!found.to_make) return describe(*found.used);
  const auto counts = found.used->counts;
  const auto text = [](std::int64_t n) { return n < 0 ? "official" : std::to_string(n); };
  return fmt::format("{}: {}, {}/{}/{} examples", found.used->origin, found.used->description,
                     text(counts[0]), text(counts[1]), text(counts[2]));
}

bool has_ended(const SuiteRun& run, const fs::path& out) {
  try {
    const auto record = saved_record(run.spec, out / "runs" / run.name);
    return record && harness::has_ended(*record);
  } catch (const Error&) {
    return false;  // a damaged folder
  }
}

// Runs that differ only by seed share a line and a measurement.
void print_runs(const Suite& suite, const std::vector<FoundData>& found, const PlanOptions& plan,
                Total& total) {
  Estimator estimator(plan.threads, plan.data, plan.stop);
  std::vector<std::string> keys;
  for (const SuiteRun& run : suite.runs) keys.push_back(cost_key(run.spec, plan.threads));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (std::find(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(i), keys[i]) !=
        keys.begin() + static_cast<std::ptrdiff_t>(i)) {
      continue;
    }
    const auto runs = static_cast<std::size_t>(std::count(keys.begin(), keys.end(), keys[i]));
    const RunSpec& spec = suite.runs[i].spec;
    say("  {:<48} {}{} steps of {}, {}: ", suite.runs[i].name,
        runs > 1 ? fmt::format("{} seeds, ", runs) : "", spec.train.steps, spec.train.batch_size,
        name_of(spec.precision));
    std::fflush(stdout);
    const ExampleCounts counts = found[i].used ? found[i].used->counts : spec.counts;
    const Estimate cost = estimator.of(spec, counts);
    std::size_t refused = 0;
    if (!refusal(cost, plan.threads, plan.memory_bytes).empty()) {
      for (std::size_t k = i; k < keys.size(); ++k) {
        if (keys[k] == keys[i] && !has_ended(suite.runs[k], plan.out)) ++refused;
      }
    }
    print_cost(cost, runs, plan, refused == 0, total);
    total.refused += refused;
  }
}

void print_bench(const SuiteBench& bench, const PlanOptions& plan, Total& total) {
  for (const results::BenchMode mode : bench.modes) {
    for (BenchOptions options : bench.variants) {
      options.mode = mode;
      options.threads = plan.threads;
      say("  {:<48} {} lengths, batch {}, {}: ",
          fmt::format("{} {}", options.attention, name_of(mode)), bench.lengths.size(),
          options.batch, name_of(options.precision));
      std::fflush(stdout);
      print_cost(estimate_bench(options, bench.lengths, plan.stop), 1, plan, true, total);
    }
  }
}

// The data of each task; returns whether every run has data.
bool print_data(const Suite& suite, const std::vector<FoundData>& found) {
  std::set<std::string> shown;
  bool complete = true;
  say("data:\n");
  for (std::size_t i = 0; i < found.size(); ++i) {
    const FoundData& f = found[i];
    std::string text = f.failure.empty() ? plan_text(f) : "missing: " + f.failure;
    for (const std::string& note : f.notes) text += "\n    " + note;
    complete = complete && f.failure.empty();
    text = fmt::format("  {:<12} {}\n", task_name(suite.runs[i].spec), text);
    if (shown.insert(text).second) say("{}", text);
  }
  std::fflush(stdout);
  return complete;
}

constexpr double kBusyShare = 0.1;  // share of the CPUs above which times are noticeably too long

bool warn_if_busy(int threads) {
  constexpr double kSeconds = 0.5;
  const double busy = busy_cpus(kSeconds);
  if (busy <= kBusyShare * threads) return false;
  note("lra: warning: other programs keep {:.1f} CPUs busy; the times are longer than alone\n",
       busy);
  return true;
}

// What a run of the suite would do, with the exit code that it would have where that can be told.
// Throws Interrupted.
int print_plan(const Suite& suite, const PlanOptions& plan, bool keep_going) {
  FindDataOptions find;
  find.data = plan.data;
  find.make = false;
  find.stop = plan.stop;
  const auto found = find_data(suite, find);
  if (plan.stop->load()) throw Interrupted();
  require_begun_data(suite, found, plan.out);
  say("{}: {}\n", suite.name, suite.description);
  const bool complete = found.empty() || print_data(suite, found);
  say("from trial steps on this machine with {} threads, one run after the other:\n", plan.threads);
  std::fflush(stdout);
  const bool warned = warn_if_busy(plan.threads);
  Total total;
  print_runs(suite, found, plan, total);
  if (suite.bench) print_bench(*suite.bench, plan, total);
  say("{} runs: {} ({:.2f} days), {} MB", suite.runs.size(), duration(total.seconds),
      total.seconds / 86400, needed_megabytes(total.bytes));
  if (total.unknown > 0) say(", without {} that could not be estimated", total.unknown);
  say("\n");
  if (!warned) static_cast<void>(warn_if_busy(plan.threads));
  if (total.refused > 0) {
    std::fflush(stdout);
    note("lra: {} of {} runs do not fit into {} MB, or could not be tried; see --memory\n",
         total.refused, suite.runs.size(), allowed_megabytes(plan.memory_bytes));
  }
  if (!complete) return exit_code(ErrorKind::data);
  return total.refused > 0 && !keep_going ? exit_code(ErrorKind::backend) : 0;
}

int print_plan(const Suite& whole, const RunArguments& a, const fs::path& out) {
  const Suite suite = a.has_only ? only_runs(whole, a.only) : whole;
  const SuiteOptions options = suite_options(a, out);
  PlanOptions plan;
  plan.out = out;
  plan.data = options.data;
  plan.threads = a.threads > 0 ? a.threads : engine::machine().cores;
  plan.memory_bytes = options.memory_bytes > 0 ? options.memory_bytes : available_memory();
  plan.stop = &stop_on_signals();
  try {
    return print_plan(suite, plan, a.keep_going);
  } catch (const Interrupted&) {
    say("\n");
    note("lra: stopped before the plan was complete\n");
    return kInterrupted;
  }
}

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
  events.end(outcome.ended(), stopped || (lacks_bench && stop));
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
          "part of the suite to run: measure (speed and memory of each run), train (without "
          "measuring), bench (over sequence lengths), tables (from the existing results); "
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
