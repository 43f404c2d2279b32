// lra run: a whole suite, then its table.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/runtime.h"
#include "harness/cli/cli.h"
#include "harness/cli/events.h"
#include "harness/cli/output.h"
#include "harness/cli/report.h"
#include "harness/cli/signals.h"
#include "harness/cli/suite_view.h"
#include "harness/suite/bench.h"
#include "harness/suite/estimate.h"
#include "results/record/load.h"
#include "results/table/efficiency.h"
#include "results/table/table.h"

namespace lra::harness::cli {
namespace {

struct RunArguments {
  std::string suite, out, data, events;
  std::vector<std::string> settings;
  int threads = 0;
  double checkpoint_seconds = 30, memory_gb = 0, measure_seconds = 1;
  bool dry_run = false, keep_going = false;
};

// "3 h 20 min", "45 s".
std::string duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  if (whole >= 3600) return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
  return whole >= 60 ? fmt::format("{} min", whole / 60) : fmt::format("{} s", whole);
}

std::int64_t megabytes(std::int64_t bytes) { return (bytes + 999999) / 1000000; }

struct Total {
  double seconds = 0;
  std::int64_t bytes = 0;  // of the largest
  void add(double more_seconds, std::int64_t its_bytes) {
    seconds += more_seconds;
    bytes = std::max(bytes, its_bytes);
  }
};

// The end of a plan's line.
void print_cost(const Estimate& cost, int threads, Total& total) {
  const std::int64_t bytes = bytes_of({cost.memory}, threads);
  if (cost.known) {
    say("{}, {} MB\n", duration(cost.seconds), megabytes(bytes));
  } else {
    say("more memory than there is\n");
  }
  total.add(cost.seconds, bytes);
}

void print_runs(const Suite& suite, int threads, Total& total) {
  for (const SuiteRun& run : suite.runs) {
    say("  {:<48} {} steps of {}, {}: ", run.name, run.spec.train.steps, run.spec.train.batch_size,
        run.spec.precision);
    std::fflush(stdout);
    print_cost(estimate(run.spec, threads), threads, total);
  }
}

void print_bench(const SuiteBench& bench, int threads, Total& total) {
  for (const std::string& mode : bench.modes) {
    for (BenchOptions options : bench.variants) {
      options.mode = mode;
      options.threads = threads;
      say("  {:<48} {} lengths, batch {}, {}: ", options.attention + " " + mode,
          bench.lengths.size(), options.batch, options.precision);
      std::fflush(stdout);
      print_cost(estimate_bench(options, bench.lengths), threads, total);
    }
  }
}

int print_plan(const Suite& suite, int wanted_threads) {
  const int threads = wanted_threads > 0 ? wanted_threads : engine::machine().cores;
  say("{}: {}\nat most, from trial steps at full length on this machine:\n", suite.name,
      suite.description);
  Total total;
  print_runs(suite, threads, total);
  if (suite.bench) print_bench(*suite.bench, threads, total);
  say("{} runs, {}, {} MB\n", suite.runs.size(), duration(total.seconds), megabytes(total.bytes));
  return 0;
}

// The suite's results as tables: printed, and as files of the folder.
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
    const char* shown = ::isatty(STDOUT_FILENO) != 0 ? "text" : "md";
    fmt::print("\n{}\n", results::format_table(built, shown));
    write_file_atomic(out / "table.md", results::format_table(built, "md"));
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

// Each cause once with its runs, on stderr; returns the suite's exit code.
int report_failures(const Suite& suite, const std::vector<results::Record>& records) {
  int code = 0;
  for (const results::Status status : {results::Status::failed, results::Status::diverged}) {
    std::map<std::string, std::vector<std::string>> causes;
    std::size_t runs = 0;
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (records[i].status != status) continue;
      ++runs;
      causes[records[i].failure.value_or("no reason recorded")].push_back(suite.runs[i].name);
    }
    if (runs == 0) continue;
    if (code == 0) code = status == results::Status::failed ? 1 : exit_code(ErrorKind::numeric);
    note("lra: {} of {} runs {}\n", runs, records.size(), results::name_of(status));
    for (const auto& [cause, names] : causes) {
      note("  {}\n    {}\n", cause, fmt::join(names, "\n    "));
    }
  }
  return code;
}

// Keeps other processes out of the folder while it lives.
std::unique_ptr<FileLock> lock_folder(const std::filesystem::path& out) {
  std::error_code code;
  std::filesystem::create_directories(out, code);
  if (code) fail(ErrorKind::io, "{}: cannot create: {}", out.string(), code.message());
  auto lock = FileLock::try_lock(out / ".lock");
  if (lock == nullptr) {
    fail(ErrorKind::usage, "{}: another lra run is working there; choose another --out or wait",
         out.string());
  }
  return lock;
}

int run(const RunArguments& a) {
  const Suite suite = load_suite(a.suite, a.settings);
  if (a.dry_run) return print_plan(suite, a.threads);
  const std::filesystem::path out = a.out.empty() ? "runs/" + suite.name : a.out;
  const auto lock = lock_folder(out);
  results::SuiteRuns named{suite.name, suite.description, {}};
  for (const SuiteRun& run : suite.runs) named.runs.push_back(run.name);
  results::write_suite_runs(out, named);
  EventStream events(a.events);
  SuiteOptions options;
  options.out = out;
  options.data = a.data;
  options.threads = a.threads;
  options.memory_bytes = static_cast<std::int64_t>(a.memory_gb * 1e9);
  options.checkpoint_seconds = a.checkpoint_seconds;
  options.measure_seconds = a.measure_seconds;
  const std::atomic<bool>& stop = stop_on_signals();
  options.stop = &stop;
  SuiteOutcome outcome;
  std::vector<results::BenchRecord> benches;
  {
    SuiteView view(suite, events, stop);
    if (suite.bench) benches = run_suite_bench(suite, options, view);
    outcome = run_suite(suite, options, view);
  }
  const bool stopped = outcome.stopped() || (suite.bench && !bench_is_complete(suite, benches));
  events.end(outcome.ended(), stopped);
  if (stopped) {
    note("lra: stopped after {} of {} runs; the same command continues\n", outcome.ended(),
         suite.runs.size());
    return kInterrupted;
  }
  std::vector<results::Record> records;
  for (auto& record : outcome.records) records.push_back(std::move(*record));
  finish(records, benches, out);
  std::fflush(stdout);
  const int code = report_failures(suite, records);
  return a.keep_going ? 0 : code;
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "run", "run a suite: tasks x attentions x seeds; the same command continues a stopped one");
  auto a = std::make_shared<RunArguments>();
  command->add_option("SUITE", a->suite, "suite name (lra list suites) or JSON file")->required();
  command->add_option("--out", a->out, "folder (default: runs/SUITE)");
  command->add_option("--data", a->data, "folder with official data");
  command->add_option("--set", a->settings, "KEY=VALUE for every run (repeatable)");
  command->add_option("--threads", a->threads, "0: all cores; as many runs at once")
      ->check(CLI::Range(0, 4096));
  command->add_option("--memory", a->memory_gb, "GB that runs may take together; 0: what is free")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--checkpoint-seconds", a->checkpoint_seconds, "between checkpoints")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--measure-seconds", a->measure_seconds,
                   "of measuring a run's speed and memory by itself, before the runs; 0: do not")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--events", a->events, "append a stream of JSON lines to this file");
  command->add_flag("--dry-run", a->dry_run, "print the plan with its time and memory");
  command->add_flag("--keep-going", a->keep_going,
                    "exit code 0 although runs failed or diverged; all others run in either case");
  command->footer(
      "Exit codes: 0 all runs completed; 1 a run failed; 4 a run diverged and none failed;\n"
      "2 wrong use or suite; 3 data or files, stdout included; 130 stopped by Ctrl-C, SIGTERM,\n"
      "SIGHUP, SIGUSR1 or SIGXCPU: the same command continues.");
  command->callback([a, &action] { action = [a] { return run(*a); }; });
}

}  // namespace lra::harness::cli
