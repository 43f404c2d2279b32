// lra diagnose: measures of the attention of a trained model.

#include "harness/diagnose/diagnose.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "harness/cli/cli.h"
#include "harness/cli/output.h"
#include "harness/run/lock.h"
#include "harness/run/saved_run.h"

namespace lra::harness::cli {
namespace {

struct DiagnoseArguments {
  std::string run, data;
  diagnose::Settings settings;
  int threads = 0;
  bool other_data = false;
  bool save = false;
  bool json = false;
};

constexpr std::size_t kMostHeads = 8;  // columns of the table; beyond, one per layer

std::string shown(const std::optional<double>& value) {
  return value ? fmt::format("{:.4g}", *value) : "unavailable";
}

void print_table(const SavedRun& run, const diagnose::Diagnosis& d, const std::string& data) {
  say("{}, step {}: {} validation examples, at most {} rows of each\n{}\n", title_of(run.spec),
      run.record.accuracy.best_step.value_or(run.spec.train.steps), d.samples, d.rows, data);
  if (!d.matrix) say("{} has no attention matrix\n", run.spec.attention);
  std::vector<std::pair<std::string, diagnose::Measures>> columns{{"mean", d.mean()}};
  const std::size_t heads = d.heads.empty() ? 0 : d.heads.front().size();
  for (std::size_t l = 0; l < d.heads.size(); ++l) {
    if (d.heads.size() * heads > kMostHeads) {
      columns.emplace_back(fmt::format("layer {}", l), d.layer(l));
      continue;
    }
    for (std::size_t h = 0; h < heads; ++h) {
      columns.emplace_back(fmt::format("{}.{}", l, h), d.heads[l][h]);
    }
  }
  say("{:<18}", "layer.head");
  for (const auto& [name, measures] : columns) say(" {:>11}", name);
  say("\n");
  for (std::size_t f = 0; f < diagnose::kFields; ++f) {
    const diagnose::Field field = diagnose::field_at(f);
    say("{:<18}", diagnose::field_name(field));
    for (const auto& [name, measures] : columns) say(" {:>11}", shown(measures[field]));
    say("\n");
  }
}

int diagnose_run(const DiagnoseArguments& a) {
  if (a.other_data && a.save) {
    fail(ErrorKind::usage,
         "diagnose: --save keeps measures on the run's own data; leave out "
         "--other-data");
  }
  Workers workers(a.threads);
  SavedRun run = load_run(a.run, workers);
  const tasks::TaskData data =
      open_data_of(run, {a.data, {}, {}}, a.other_data, tasks::Split::val).data;
  const auto& val = data.split(tasks::Split::val);
  if (val.size() == 0) fail(ErrorKind::data, "{}: no validation examples", run.spec.task);
  const diagnose::Diagnosis d =
      diagnose::diagnose(workers, *run.model, val, a.settings, run.spec.seed);
  nlohmann::json json = d.to_json();
  json["step"] = run.record.accuracy.best_step.value_or(run.spec.train.steps);
  if (a.json) {
    say("{}\n", json.dump(2));
  } else {
    print_table(run, d, data.description);
  }
  if (a.save) {
    update_record(a.run, run.record.run_id, [&json](results::Record& record) {
      const auto before = nlohmann::json::parse(record.diagnostics.text);
      if (before.contains("seconds")) json["seconds"] = before["seconds"];  // those of the training
      results::set_diagnostics(record, json);
    });
  }
  return 0;
}

}  // namespace

void add_diagnose(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "diagnose",
      "measure the attention of a trained model: concentration, locality, norms, gradients");
  auto a = std::make_shared<DiagnoseArguments>();
  command->add_option("RUN_DIR", a->run, "folder of a completed run")->required();
  command->add_option("--data", a->data,
                      "folder or archive of the run's data (default: where they were in training)");
  command->add_flag("--other-data", a->other_data, "accept data that the run was not trained on");
  command->add_option("--samples", a->settings.samples, "number of validation examples")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1000000}))
      ->capture_default_str();
  command->add_option("--rows", a->settings.rows, "attention rows per example, evenly spaced")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20))
      ->capture_default_str();
  command->add_option("--threads", a->threads, "number of threads; 0 means all cores (default: 0)")
      ->check(CLI::Range(0, 4096));
  command->add_flag("--save", a->save, "store the measures in result.json for tables and reports");
  command->add_flag("--json", a->json, "print JSON instead of text");
  command->callback([a, &action] { action = [a] { return diagnose_run(*a); }; });
}

}  // namespace lra::harness::cli
