// lra table: comparison tables of results.

#include "results/table/table.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "harness/cli/cli.h"
#include "harness/cli/definitions.h"
#include "harness/cli/output.h"
#include "harness/cli/table_options.h"
#include "results/record/load.h"
#include "results/table/efficiency.h"

namespace lra::harness::cli {
namespace {

using results::Members;
using results::OnFault;
using results::TableFormat;

std::vector<results::Record> load(const std::vector<std::string>& places, bool strict, bool all) {
  auto loaded = results::load_records({places.begin(), places.end()},
                                      strict ? OnFault::refuse : OnFault::skip,
                                      all ? Members::all : Members::current);
  if (!loaded.faults.empty()) note("lra: {}\n", loaded.fault_summary());
  note_left_out(loaded.left_out, "--all shows them");
  return std::move(loaded.records);
}

void refuse(const CLI::App& command, const std::vector<std::string>& options,
            const std::string& mode) {
  refuse_without_effect(command, options, mode + "; see lra table --help");
}

// The format to print. Refuses options that say nothing about it.
TableFormat format_of(const CLI::App& command, const std::string& word,
                      const results::TableOptions& o) {
  const TableFormat format = enum_of<TableFormat>(word).value_or(
      ::isatty(STDOUT_FILENO) != 0 ? TableFormat::text : TableFormat::md);
  const std::string with = fmt::format("with --format {}", name_of(format));
  if (format == TableFormat::leaderboard) {
    refuse(command,
           {"--columns", "--with", "--delta", "--sort", "--bold", "--no-ladder", "--caption",
            "--label", "--no-seeds"},
           with);
    return format;
  }
  if (format == TableFormat::csv) refuse(command, {"--bold", "--caption"}, with);
  if (format != TableFormat::tex) refuse(command, {"--label"}, with);
  const bool versus = std::any_of(
      o.columns.begin(), o.columns.end(),
      [](const std::string& column) { return column.substr(0, column.find(':')) == "versus"; });
  if (!versus) refuse(command, {"--baseline"}, "without --columns versus");
  return format;
}

std::string efficiency(const std::vector<std::string>& places, bool strict,
                       const std::vector<std::string>& attentions) {
  const auto loaded = results::load_benches({places.begin(), places.end()},
                                            strict ? OnFault::refuse : OnFault::skip);
  for (const auto& fault : loaded.faults) note("lra: {}\n", fault.message);
  if (loaded.records.empty()) {
    fail(ErrorKind::data, "{}: no bench-ATTENTION-MODE.json of lra bench --out or of a suite",
         fmt::join(places, ", "));
  }
  return results::render_efficiency(loaded.records, attentions);
}

}  // namespace

void add_table(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("table", "print comparison tables of results");
  auto places = std::make_shared<std::vector<std::string>>();
  auto o = std::make_shared<results::TableOptions>();
  auto strict = std::make_shared<bool>(false);
  auto all = std::make_shared<bool>(false);
  auto format = std::make_shared<std::string>();
  auto speed = std::make_shared<bool>(false);
  command->add_option("DIR", *places, "folders or result files")->required();
  command
      ->add_option(
          "--format", *format,
          "output format: text, md, csv, tex, html, json, or leaderboard (JSON, every cell "
          "with its runs); default: text on a terminal, else md")
      ->check(one_of<TableFormat>());
  command
      ->add_option(
          "--columns", o->columns,
          "columns to print: TASK, short for accuracy:TASK; METRIC[:TASK] (lra list metrics); "
          "versus, interval, seeds, data "
          "or verdict, each [:TASK]; agreement:PREDICTOR[:TASK]; avg5, avg6; preset, protocol, "
          "precision, machine")
      ->delimiter(',');
  add_table_options(*command, o);
  command->add_option("--caption", o->caption, "title of the table");
  command->add_option("--label", o->label, "\\label of the LaTeX table")->capture_default_str();
  command->add_flag_callback(
      "--no-seeds", [o] { o->seeds = false; }, "omit the numbers of seeds");
  command->add_flag("--efficiency", *speed,
                    "speed and memory from bench records in place of accuracy, in Markdown; of the "
                    "other options, --attention and --strict apply");
  command->add_flag("--all", *all, "include runs that the suite of their folder no longer names");
  command->add_flag("--strict", *strict,
                    "refuse faulty result files; without it they are skipped and named");
  command->callback([=, &action] {
    action = [=] {
      resolve_aliases(*o);
      if (*speed) {
        refuse(*command,
               {"--columns", "--with", "--delta", "--tasks", "--division", "--baseline", "--sort",
                "--bold", "--no-ladder", "--caption", "--label", "--no-seeds", "--all"},
               "with --efficiency");
        if (*format != "md") refuse(*command, {"--format"}, "with --efficiency");
        say("{}", efficiency(*places, *strict, o->attentions));
        return 0;
      }
      o->format = format_of(*command, *format, *o);
      say("{}", results::render_table(load(*places, *strict, *all), *o));
      return 0;
    };
  });
}

}  // namespace lra::harness::cli
