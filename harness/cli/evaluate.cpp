// lra evaluate: tests a trained model on other data: longer sequences, other options of its task.

#include "harness/run/evaluate.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "harness/cli/cli.h"
#include "harness/cli/output.h"
#include "harness/run/lock.h"

namespace lra::harness::cli {
namespace {

struct EvaluateArguments {
  std::string run;
  TestOptions test;
  std::vector<std::int64_t> factors;
  std::vector<std::string> settings;
  int threads = 0;
  bool save = false;
  bool json = false;
};

constexpr double kPercent = 100;

void print_point(const results::LengthPoint& p) {
  const std::string length = p.length ? std::to_string(*p.length) : "-";
  if (!p.accuracy) {
    say("{:>8} {:>6}   not applicable: {}\n", length, p.factor, p.reason.value_or(""));
    return;
  }
  say("{:>8} {:>6} {:>10.1f} {:>7.1f} to {:<5.1f} {:>7} {:>8}\n", length, p.factor,
      kPercent * *p.accuracy, kPercent * p.wilson95->low, kPercent * p.wilson95->high,
      p.exact ? fmt::format("{:.1f}", kPercent * *p.exact) : "-", p.count.value_or(0));
}

int evaluate_over_lengths(const EvaluateArguments& a, SavedRun& run, Workers& workers) {
  if (!a.json) {
    say("{}: test accuracy over the length of its sequences, in %\n", title_of(run.spec));
    say("{:>8} {:>6} {:>10} {:^17} {:>7} {:>8}\n", "length", "times", "accuracy", "95 % interval",
        "exact", "of");
  }
  const results::LengthPart lengths =
      evaluate_lengths(run, a.factors, a.test, workers, [&](const results::LengthPoint& point) {
        if (!a.json) print_point(point);
      });
  run.record.lengths = lengths;
  const nlohmann::json json = results::to_json(run.record);
  if (a.json) {
    say("{}\n", json.at("lengths").dump(2));
  } else {
    const auto& reach = lengths.reach;
    const auto& area = lengths.area;
    say("reach (longest at 90 %): {}; mean over log2 of the length: {}\n",
        reach ? std::to_string(*reach) : "none",
        area ? fmt::format("{:.1f}", kPercent * *area) : "not applicable");
  }
  if (a.save) {
    update_record(a.run, run.record.run_id, [&lengths](results::Record& record) {
      results::merge_lengths(record.lengths, lengths);
    });
  }
  return 0;
}

int evaluate_once(const EvaluateArguments& a, const SavedRun& run, Workers& workers) {
  nlohmann::json options = run.spec.task_options;
  options.update(task_settings(a.settings));
  const TestResult result = evaluate_on(run, options, a.test, workers);
  const Evaluation& e = result.evaluation;
  if (a.json) {
    const nlohmann::json json = {{"task", task_name(run.spec)}, {"attention", run.spec.attention},
                                 {"accuracy", e.accuracy},      {"loss", e.loss},
                                 {"correct", e.correct},        {"counted", e.counted},
                                 {"examples", e.examples},      {"exact", e.exact},
                                 {"length", result.length},     {"data", result.data},
                                 {"settings", a.settings}};
    say("{}\n", json.dump(2));
    return 0;
  }
  say("{}\n{}\naccuracy {:.2f} % ({} of {}), loss {:.4f}, {} examples\n", title_of(run.spec),
      result.data, kPercent * e.accuracy, e.correct, e.counted, e.loss, e.examples);
  return 0;
}

int evaluate_run(EvaluateArguments a) {
  if (a.save && a.factors.empty()) {
    fail(ErrorKind::usage, "evaluate: --save keeps the accuracies of --lengths, which is missing");
  }
  if (!a.factors.empty() && (!a.settings.empty() || !a.test.data.empty())) {
    fail(ErrorKind::usage,
         "evaluate: --lengths generates its own data; leave out --set and --data");
  }
  if (a.test.other_data && a.save) {
    fail(ErrorKind::usage,
         "evaluate: --save keeps results on the run's own data; leave out "
         "--other-data");
  }
  std::sort(a.factors.begin(), a.factors.end());
  a.factors.erase(std::unique(a.factors.begin(), a.factors.end()), a.factors.end());
  Workers workers(a.threads);
  SavedRun run = load_run(a.run, workers);
  return a.factors.empty() ? evaluate_once(a, run, workers)
                           : evaluate_over_lengths(a, run, workers);
}

}  // namespace

void add_evaluate(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "evaluate", "test a trained model on other data: longer sequences, other task options");
  auto a = std::make_shared<EvaluateArguments>();
  command->add_option("RUN_DIR", a->run, "folder of a completed run")->required();
  command
      ->add_option("--lengths", a->factors,
                   "test lengths as multiples of the trained length, e.g. 1,2,4,8,16")
      ->delimiter(',')
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20));
  command->add_option("--set", a->settings, "task.KEY to change in the test data (repeatable)");
  command->add_option("--data", a->test.data,
                      "folder or archive of the run's data (default: where they were in training)");
  command->add_flag("--other-data", a->test.other_data,
                    "accept data that the run was not trained on");
  command->add_option("--examples", a->test.examples, "number of test examples per length")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30))
      ->capture_default_str();
  command->add_option("--threads", a->threads, "number of threads; 0 means all cores (default: 0)")
      ->check(CLI::Range(0, 4096));
  command->add_flag(
      "--save", a->save,
      "add the accuracies of --lengths to those in result.json, for tables and reports");
  command->add_flag("--json", a->json, "print JSON instead of text");
  command->callback([a, &action] { action = [a] { return evaluate_run(*a); }; });
}

}  // namespace lra::harness::cli
