// lra compare: what changed between two sets of results.

#include "results/table/compare.h"

#include <fmt/core.h>

#include "harness/cli/cli.h"
#include "results/record/load.h"

namespace lra::harness::cli {

void add_compare(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "compare", "what changed between two sets of results, and what is more than noise");
  auto before = std::make_shared<std::string>();
  auto after = std::make_shared<std::string>();
  auto format = std::make_shared<std::string>("md");
  auto all = std::make_shared<bool>(false);
  command->add_option("DIR_A", *before, "results before")->required();
  command->add_option("DIR_B", *after, "results after")->required();
  command->add_option("--format", *format, "md or json")
      ->check(CLI::IsMember({"md", "json"}))
      ->capture_default_str();
  command->add_flag("--all", *all, "also what differs by no more than noise");
  command->callback([=, &action] {
    action = [=] {
      const auto load = [](const std::string& place) {
        return results::load_records({place}, results::OnFault::refuse).records;
      };
      const auto comparison = results::compare_results(load(*before), load(*after));
      fmt::print("{}", results::format_comparison(comparison, *format, *all));
      return 0;
    };
  });
}

}  // namespace lra::harness::cli
