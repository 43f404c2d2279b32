// lra run: a whole suite, then its table.

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "harness/cli/cli.h"
#include "harness/cli/events.h"
#include "harness/cli/progress.h"
#include "harness/cli/report.h"
#include "harness/estimate.h"
#include "harness/signals.h"
#include "harness/suite.h"
#include "results/table.h"

namespace lra::harness::cli {
namespace {

struct RunArguments {
  std::string suite, out, data, events;
  std::vector<std::string> settings;
  int threads = 0;
  double checkpoint_seconds = 30;
  bool dry_run = false;
};

// "3 h 20 min", "45 s".
std::string duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  if (whole >= 3600) return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
  return whole >= 60 ? fmt::format("{} min", whole / 60) : fmt::format("{} s", whole);
}

int print_plan(const Suite& suite, int threads) {
  fmt::print("{}: {}\nat most, from trial steps at full length on this machine:\n", suite.name,
             suite.description);
  double total = 0;
  std::int64_t largest = 0;
  for (const SuiteRun& run : suite.runs) {
    fmt::print("  {:<48} {} steps of {}, {}: ", run.name, run.spec.train.steps,
               run.spec.train.batch_size, run.spec.precision);
    std::fflush(stdout);
    const Estimate cost = estimate(run.spec, threads);
    if (cost.known) {
      fmt::print("{}, {} MB\n", duration(cost.seconds), (cost.tensor_bytes + 999999) / 1000000);
    } else {
      fmt::print("more memory than there is\n");
    }
    total += cost.seconds;
    largest = std::max(largest, cost.tensor_bytes);
  }
  fmt::print("{} runs, {}, {} MB\n", suite.runs.size(), duration(total),
             (largest + 999999) / 1000000);
  return 0;
}

void finish(const std::vector<results::Record>& records, const std::filesystem::path& out) {
  results::TableOptions table;
  const std::string text = results::render_table(records, table);
  fmt::print("\n{}\n", text);
  write_file_atomic(out / "table.md", text);
  write_report({out.string()}, out / "report.html", table);
  fmt::print("table      {}\nreport     {}\nruns       {}\n", (out / "table.md").string(),
             (out / "report.html").string(), (out / "runs").string());
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
  EventStream events(a.events);
  events.suite(suite);
  RunOptions options;
  options.data = a.data;
  options.checkpoint_seconds = a.checkpoint_seconds;
  options.stop = &stop_on_signals();
  Workers workers(a.threads);
  const auto progress = [&](std::size_t i) -> std::function<void(const Progress&)> {
    auto line = std::make_shared<ProgressLine>(
        fmt::format("[{}/{}] {}/{}", i + 1, suite.runs.size(), suite.runs[i].spec.task,
                    suite.runs[i].spec.attention));
    return [line, &events, &name = suite.runs[i].name](const Progress& p) {
      (*line)(p);
      events.progress(name, p);
    };
  };
  const auto records = run_suite(suite, out, options, workers, progress);
  const bool stopped = records.size() < suite.runs.size() ||
                       (!records.empty() && records.back().status == results::Status::interrupted);
  for (std::size_t i = 0; i < records.size(); ++i) events.record(suite.runs[i].name, records[i]);
  events.end(records.size(), stopped);
  if (stopped) {
    fmt::print(stderr, "lra: stopped after {} of {} runs; the same command continues\n",
               records.size(), suite.runs.size());
    return 130;
  }
  finish(records, out);
  for (const auto& record : records) {
    if (record.status == results::Status::failed) {
      fmt::print(stderr, "lra: {} on {} failed: {}\n", record.attention.name, record.task.name,
                 record.failure.value_or(""));
    }
  }
  return 0;
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
  command->add_option("--threads", a->threads, "0: all cores")->check(CLI::Range(0, 4096));
  command->add_option("--checkpoint-seconds", a->checkpoint_seconds, "between checkpoints")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--events", a->events, "append a stream of JSON lines to this file");
  command->add_flag("--dry-run", a->dry_run, "print the plan with its time and memory");
  command->callback([a, &action] { action = [a] { return run(*a); }; });
}

}  // namespace lra::harness::cli
