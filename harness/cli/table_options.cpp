#include "harness/cli/table_options.h"

#include "attention/attention.h"
#include "harness/cli/output.h"

namespace lra::harness::cli {

void add_table_options(CLI::App& command, const std::shared_ptr<results::TableOptions>& options) {
  auto* o = options.get();
  // The command's own callback also holds the shared pointer.
  command
      .add_option("--with", o->with,
                  "published:KEY of literature rows to add (lra list published; repeatable)")
      ->delimiter(',');
  command.add_option("--delta", o->delta,
                     "published:KEY of literature rows to show differences to, in points");
  command.add_option("--tasks", o->tasks, "restrict to these tasks")
      ->type_name("TASK")
      ->delimiter(',');
  command.add_option("--attention", o->attentions, "restrict to these attention variants")
      ->type_name("ATTENTION")
      ->delimiter(',');
  command.add_option("--division", o->division,
                     "restrict to a division: apples-to-apples or free-for-all (default: both)");
  command
      .add_option(
          "--baseline", o->baseline,
          "attention variant that the column `versus` compares with, over common seeds: its rows "
          "with default options, if there are any")
      ->capture_default_str();
  command.add_option(
      "--sort", o->sort,
      "column to sort by, best first; a leading - sorts worst first (default: name)");
  command.add_flag("--bold", o->bold, "print the best measured number of each column in bold");
  command.add_flag_callback(
      "--no-ladder", [o] { o->ladder = false; },
      "omit the rows of trivial predictors, the ladder that a score must climb");
}

void note_left_out(std::size_t runs, const char* remedy) {
  if (runs == 0) return;
  note("lra: {} run{} of earlier versions of the suite {} left out; {}\n", runs,
       runs == 1 ? "" : "s", runs == 1 ? "is" : "are", remedy);
}

void resolve_aliases(results::TableOptions& options) {
  const auto resolve = [](std::string& name) {
    if (attention::registry().find(name) != nullptr) name = attention::registry().canonical(name);
  };
  for (auto& name : options.attentions) resolve(name);
  resolve(options.baseline);
}

}  // namespace lra::harness::cli
