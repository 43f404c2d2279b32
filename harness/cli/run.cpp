// lra run: a whole suite, then its table.

#include <fmt/core.h>

#include "engine/base/file.h"
#include "harness/cli/cli.h"
#include "harness/cli/progress.h"
#include "harness/cli/report.h"
#include "harness/signals.h"
#include "harness/suite.h"
#include "results/table.h"

namespace lra::harness::cli {
namespace {

struct RunArguments {
  std::string suite, out, data;
  std::vector<std::string> settings;
  int threads = 0;
  bool dry_run = false;
};

int print_plan(const Suite& suite) {
  fmt::print("{}: {}\n", suite.name, suite.description);
  for (const SuiteRun& run : suite.runs) {
    fmt::print("  {:<48} {} steps of {}, {}\n", run.name, run.spec.train.steps,
               run.spec.train.batch_size, run.spec.precision);
  }
  fmt::print("{} runs\n", suite.runs.size());
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

int run(const RunArguments& a) {
  const Suite suite = load_suite(a.suite, a.settings);
  if (a.dry_run) return print_plan(suite);
  const std::filesystem::path out = a.out.empty() ? "runs/" + suite.name : a.out;
  RunOptions options;
  options.data = a.data;
  options.stop = &stop_on_signals();
  Workers workers(a.threads);
  const auto progress = [&](std::size_t i) -> std::function<void(const Progress&)> {
    auto line = std::make_shared<ProgressLine>(
        fmt::format("[{}/{}] {}/{}", i + 1, suite.runs.size(), suite.runs[i].spec.task,
                    suite.runs[i].spec.attention));
    return [line](const Progress& p) { (*line)(p); };
  };
  const auto records = run_suite(suite, out, options, workers, progress);
  const bool stopped = records.size() < suite.runs.size() ||
                       (!records.empty() && records.back().status == results::Status::interrupted);
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
  command->add_flag("--dry-run", a->dry_run, "print the plan");
  command->callback([a, &action] { action = [a] { return run(*a); }; });
}

}  // namespace lra::harness::cli
