// lra table: what result files say.

#include "results/table/table.h"

#include <fmt/core.h>

#include "engine/base/error.h"
#include "harness/cli/cli.h"
#include "results/record/load.h"

namespace lra::harness::cli {
namespace {

using results::OnFault;

std::vector<results::Record> load(const std::vector<std::string>& places, bool strict) {
  auto loaded = results::load_records({places.begin(), places.end()},
                                      strict ? OnFault::refuse : OnFault::skip);
  if (!loaded.faults.empty()) fmt::print(stderr, "lra: {}\n", loaded.fault_summary());
  return std::move(loaded.records);
}

}  // namespace

void add_table(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("table", "comparison tables from result files");
  auto places = std::make_shared<std::vector<std::string>>();
  auto o = std::make_shared<results::TableOptions>();
  auto strict = std::make_shared<bool>(false);
  auto no_ladder = std::make_shared<bool>(false);
  command->add_option("DIR", *places, "folders or result files")->required();
  command->add_option("--format", o->format, "md, csv, tex, html or json")
      ->check(CLI::IsMember({"md", "csv", "tex", "html", "json"}))
      ->capture_default_str();
  command->add_option("--columns", o->columns, "TASK, METRIC[:TASK], avg5, avg6, versus, ...")
      ->delimiter(',');
  command->add_option("--sort", o->sort, "COLUMN, best first; -COLUMN: worst first");
  command->add_option("--with", o->with, "published:KEY: literature rows (repeatable)")
      ->delimiter(',');
  command->add_option("--delta", o->delta, "published:KEY: difference to its rows");
  command->add_option("--tasks", o->tasks, "only these")->delimiter(',');
  command->add_option("--attention", o->attentions, "only these")->delimiter(',');
  command->add_option("--division", o->division, "apples-to-apples or free-for-all");
  command->add_option("--baseline", o->baseline, "what `versus` compares with")
      ->capture_default_str();
  command->add_option("--caption", o->caption, "title of the table");
  command->add_flag("--no-ladder", *no_ladder, "without rows of trivial predictors");
  command->add_flag("--strict", *strict, "refuse faulty result files instead of skipping them");
  command->callback([=, &action] {
    action = [=] {
      o->ladder = !*no_ladder;
      fmt::print("{}", results::render_table(load(*places, *strict), *o));
      return 0;
    };
  });
}

}  // namespace lra::harness::cli
