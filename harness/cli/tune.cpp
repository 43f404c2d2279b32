// lra tune: searches for settings in the same way for every attention, and writes the chosen suite.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "harness/cli/cli.h"
#include "harness/cli/definitions.h"
#include "harness/cli/events.h"
#include "harness/cli/output.h"
#include "harness/cli/signals.h"
#include "harness/cli/suite_options.h"
#include "harness/cli/suite_view.h"
#include "harness/run/ended.h"
#include "harness/tune/process.h"
#include "harness/tune/search.h"

namespace lra::harness::cli {
namespace {

struct TuneArguments : SuiteArguments {
  SearchOptions search;
  bool dry_run = false, keep_going = false;
};

int print_plan(const Search& search, const SearchOptions& options) {
  const Suite first = search.rung(0);
  say("{} runs in the first of {} rungs; all trials take {:.2f} times the steps of one run with "
      "every attention\n",
      first.runs.size(), options.rungs, search.price());
  for (const SuiteRun& run : first.runs) {
    std::string last;
    const auto& all = run.request.settings;
    for (auto at = all.begin(); at != all.end(); ++at) {  // later settings may override it
      const std::string key = at->substr(0, at->find('=') + 1);
      const bool changed = std::any_of(
          at + 1, all.end(), [&key](const std::string& later) { return later.starts_with(key); });
      if (!changed) last += " " + *at;
    }
    say("  {:<48} {} steps:{}\n", run.name, run.spec.train.steps, last);
  }
  return 0;
}

// Runs a rung to its end in a separate process.
int run_rung(const Suite& suite, const TuneArguments& a, const std::filesystem::path& out,
             const std::atomic<bool>& stop) {
  try {
    EventStream events(a.events);
    SuiteOptions options = suite_options(a, out);
    options.measure_seconds = 0;
    options.stop = &stop;
    SuiteView view(suite, events, stop);
    const SuiteOutcome outcome = run_suite(suite, options, view);
    events.end(outcome, outcome.stopped());
    if (!outcome.stopped()) return 0;
    note("lra: {}: stopped after {} of {} runs; the same command continues\n", suite.name,
         outcome.ended(), suite.runs.size());
    return kInterrupted;
  } catch (const Error& error) {
    note("lra: {}\n", error.what());
    return exit_code(error.kind());
  } catch (const std::exception& error) {
    note("lra: internal error: {}\n", error.what());
    return exit_code(ErrorKind::backend);
  }
}

// Trials of other calls in the same folder are part of what the choice has cost.
void count_further(Search& search, const std::filesystem::path& runs,
                   const std::set<std::string>& counted) {
  for (const auto& entry : std::filesystem::directory_iterator(runs)) {
    const auto file = entry.path() / "result.json";
    if (counted.count(entry.path().filename().string()) != 0 || !is_there(file)) continue;
    try {
      search.add_further(results::parse_record(read_file(file), file.string()));
    } catch (const Error& error) {
      note("lra: {}; it is not counted\n", error.what());
    }
  }
}

// Writes the chosen settings as a suite file for `lra run`.
void finish(const Search& search, const std::filesystem::path& out) {
  const std::string text = search.markdown();
  const nlohmann::json tuned = search.tuned_suite();
  const auto file = out / (tuned.at("name").get<std::string>() + ".json");
  write_file_atomic(out / "trials.md", text);
  write_json(file, tuned);
  say("{}trials     {}\nsuite      {}\n", text, (out / "trials.md").string(), file.string());
}

int run(const TuneArguments& a) {
  SearchOptions options = a.search;
  options.data = a.data;
  Search search(suite_file(a.suite), a.suite, a.settings, options);
  if (a.dry_run) return print_plan(search, a.search);
  const std::string name = std::filesystem::path(a.suite).stem().string();
  const std::filesystem::path out = a.out.empty() ? "runs/" + name + "-tune" : a.out;
  std::map<std::string, std::string> failed;
  std::set<std::string> counted;  // folders of this search's runs
  for (std::size_t rung = 0; rung < search.rungs(); ++rung) {
    Suite suite = search.rung(rung);
    std::map<std::string, std::string> folders;  // of the runs, as begun by an earlier call
    std::vector<std::string> names;
    for (const SuiteRun& each : suite.runs) names.push_back(each.name);
    adopt_begun(suite, out);
    for (std::size_t i = 0; i < names.size(); ++i) {
      folders[names[i]] = suite.runs[i].name;
      counted.insert(suite.runs[i].name);
    }
    const int code =
        in_child([&](const std::atomic<bool>& stop) { return run_rung(suite, a, out, stop); },
                 stop_on_signals);
    if (code != 0) return code;
    if (stop_was_asked() && rung + 1 < search.rungs()) {
      note("lra: stopped after rung {}; the same command continues\n", rung + 1);
      return kInterrupted;
    }
    failed.merge(search.judge(rung, [&](const std::string& run) {
      const auto file = out / "runs" / folders.at(run) / "result.json";
      return results::parse_record(read_file(file), file.string());
    }));
  }
  if (!failed.empty()) {
    note("lra: {} trials failed\n", failed.size());
    for (const auto& [run, reason] : failed) note("  {}: {}\n", run, reason);
    if (!a.keep_going) {
      note("lra: no suite is written; --keep-going ranks them last\n");
      return 1;
    }
  }
  count_further(search, out / "runs", counted);
  finish(search, out);
  return 0;
}

}  // namespace

void add_tune(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "tune", "search for settings of a suite, the same search for every attention");
  auto a = std::make_shared<TuneArguments>();
  add_suite_argument(*command, a);
  command->add_option("--trials", a->search.trials, "trials of each attention on each task")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command
      ->add_option("--share", a->search.share,
                   "share of the suite's steps given to a trial of the last rung")
      ->check(CLI::Range(1e-6, 1.0))
      ->capture_default_str();
  command
      ->add_option("--rungs", a->search.rungs,
                   "rungs: each has twice the steps of the one before and half its trials, the "
                   "best ones; 1 stops no trial early")
      ->check(CLI::Range(1, 16))
      ->capture_default_str();
  command->add_option("--seed", a->search.seed, "seed of the draw from the grid")
      ->check(non_negative())
      ->capture_default_str();
  add_suite_options(*command, a, "runs/SUITE-tune");
  add_events_option(*command, a);
  command->add_flag("--dry-run", a->dry_run, "print the trials of the first rung, and stop");
  command->add_flag("--keep-going", a->keep_going,
                    "rank trials that failed last, as those that diverged, and write the suite");
  command->footer(
      "The grid is the suite's \"tune\": {\"train.lr\": [0.0003, 0.001], ...}; without it:\n"
      "train.lr 0.0001, 0.0003, 0.001, 0.003; warmup_share (of the steps) 0.02, 0.1, 0.3;\n"
      "model.embedding_std 0.02, 0.2, 0.7; model.dropout 0, 0.1. Trials are evaluated on\n"
      "validation alone; the test split is never used. The chosen settings are written as\n"
      "OUT/SUITE-tuned.json for lra run, the trials as OUT/trials.md.\n"
      "Exit codes: 0 done; 1 a trial failed; 2 wrong use or suite; 3 data or files;\n"
      "130 stopped by a signal: the same command continues.");
  command->callback([a, &action] { action = [a] { return run(*a); }; });
}

}  // namespace lra::harness::cli
