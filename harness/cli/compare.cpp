// lra compare: what changed between two sets of results.

#include "results/table/compare.h"

#include "harness/cli/cli.h"
#include "harness/cli/definitions.h"
#include "harness/cli/output.h"
#include "harness/cli/table_options.h"
#include "results/record/load.h"

namespace lra::harness::cli {

void add_compare(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "compare", "list changes between two sets of results that exceed the noise");
  auto before = std::make_shared<std::string>();
  auto after = std::make_shared<std::string>();
  auto format = std::make_shared<std::string>("md");
  auto all = std::make_shared<bool>(false);
  command->add_option("DIR_A", *before, "folder of the earlier results")->required();
  command->add_option("DIR_B", *after, "folder of the later results")->required();
  command->add_option("--format", *format, "output format")
      ->check(one_of<results::SummaryFormat>())
      ->capture_default_str();
  command->add_flag("--all", *all, "list all differences, including those within the noise");
  command->callback([=, &action] {
    action = [=] {
      const auto load = [](const std::string& place) {
        auto loaded =
            results::load_records({place}, results::OnFault::refuse, results::Members::current);
        note_left_out(loaded.left_out, "name their result files to compare them");
        return std::move(loaded.records);
      };
      const auto comparison = results::compare_results(load(*before), load(*after));
      say("{}", results::format_comparison(comparison,
                                           enum_of<results::SummaryFormat>(*format).value(), *all));
      return 0;
    };
  });
}

}  // namespace lra::harness::cli
