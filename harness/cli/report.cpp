// lra report: one HTML page of a folder of results.

#include "harness/cli/report.h"

#include <algorithm>

#include "engine/base/file.h"
#include "harness/cli/cli.h"
#include "harness/cli/output.h"
#include "harness/cli/table_options.h"
#include "results/report/report.h"

namespace lra::harness::cli {

void write_report(const std::vector<std::string>& places, const std::filesystem::path& out,
                  const results::TableOptions& table, const std::string& title,
                  results::Members members) {
  const std::vector<std::filesystem::path> paths(places.begin(), places.end());
  const auto benches = results::load_benches(paths, results::OnFault::skip);
  const auto is_result = [](const std::string& name) { return name == "result.json"; };
  const auto studies = results::load_studies(paths, results::OnFault::skip);
  results::LoadedRecords records;  // none in a folder of benches or studies
  if ((benches.records.empty() && studies.records.empty()) ||
      !results::find_files(paths, is_result, results::OnFault::skip).files.empty()) {
    records = results::load_records(paths, results::OnFault::skip, members);
  }
  // A folder that cannot be read is a fault of each search.
  auto faults = records.faults;
  for (const auto& more : {benches.faults, studies.faults}) {
    for (const auto& fault : more) {
      if (std::none_of(faults.begin(), faults.end(),
                       [&](const auto& known) { return known.message == fault.message; })) {
        faults.push_back(fault);
      }
    }
  }
  if (!faults.empty()) {
    note("lra: report: skipped {} files or folders:\n", faults.size());
    for (const auto& fault : faults) note("  {}\n", fault.message);
  }
  results::ReportOptions options;
  const auto suite = results::read_suite_runs(paths.front());
  const std::filesystem::path folder = std::filesystem::absolute(paths.front()).lexically_normal();
  options.title = !title.empty() ? title
                  : suite
                      ? "Suite " + suite->name
                      : (folder.has_filename() ? folder : folder.parent_path()).filename().string();
  if (suite) options.subtitle = suite->description;
  options.left_out = records.left_out;
  options.table = table;
  options.folder = out.has_parent_path() ? out.parent_path() : ".";
  write_file_atomic(out, results::render_report(records.records, benches.records, studies.records,
                                                faults, options));
}

void add_report(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("report", "write a self-contained HTML page of results");
  auto places = std::make_shared<std::vector<std::string>>();
  auto out = std::make_shared<std::string>();
  auto pictures = std::make_shared<std::string>();
  auto table = std::make_shared<results::TableOptions>();
  command->add_option("DIR", *places, "folders or result files")->required();
  command->add_option("--out", *out, "output file (default: DIR/report.html)");
  command->add_option("--pictures", *pictures, "folder for the pictures as SVG files");
  auto title = std::make_shared<std::string>();
  auto all = std::make_shared<bool>(false);
  command->add_option("--title", *title,
                      "title of the page (default: the suite's or folder's name)");
  command->add_flag("--all", *all, "include runs that the suite of their folder no longer names");
  add_table_options(*command, table);
  command->callback([=, &action] {
    action = [=] {
      const std::filesystem::path page =
          out->empty() ? std::filesystem::path(places->front()) / "report.html"
                       : std::filesystem::path(*out);
      resolve_aliases(*table);
      write_report(*places, page, *table, *title,
                   *all ? results::Members::all : results::Members::current);
      say("report     {}\n", page.string());
      if (pictures->empty()) return 0;
      for (const auto& file : results::save_pictures(page, *pictures)) {
        say("picture    {}\n", file.string());
      }
      return 0;
    };
  });
}

}  // namespace lra::harness::cli
