// lra report: one HTML page of a folder of results.

#include "harness/cli/report.h"

#include <fmt/core.h>

#include "engine/base/file.h"
#include "harness/cli/cli.h"
#include "results/report/report.h"

namespace lra::harness::cli {

void write_report(const std::vector<std::string>& places, const std::filesystem::path& out,
                  const results::TableOptions& table) {
  const std::vector<std::filesystem::path> paths(places.begin(), places.end());
  const auto benches = results::load_benches(paths, results::OnFault::skip);
  const auto is_result = [](const std::string& name) { return name == "result.json"; };
  const auto studies = results::load_studies(paths, results::OnFault::skip);
  results::LoadedRecords records;  // none in a folder of benches or studies
  if ((benches.records.empty() && studies.records.empty()) ||
      !results::find_files(paths, is_result).empty()) {
    records = results::load_records(paths, results::OnFault::skip);
  }
  auto faults = records.faults;
  faults.insert(faults.end(), benches.faults.begin(), benches.faults.end());
  faults.insert(faults.end(), studies.faults.begin(), studies.faults.end());
  results::ReportOptions options;
  options.table = table;
  options.folder = out.has_parent_path() ? out.parent_path() : ".";
  write_file_atomic(out, results::render_report(records.records, benches.records, studies.records,
                                                faults, options));
}

void add_report(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("report", "one self-contained HTML page of a folder of results");
  auto places = std::make_shared<std::vector<std::string>>();
  auto out = std::make_shared<std::string>();
  auto pictures = std::make_shared<std::string>();
  auto table = std::make_shared<results::TableOptions>();
  command->add_option("DIR", *places, "folders or result files")->required();
  command->add_option("--out", *out, "page to write (default: DIR/report.html)");
  command->add_option("--pictures", *pictures,
                      "also write the pictures as SVG files to this folder");
  command->add_option("--with", table->with, "published:KEY: literature rows (repeatable)")
      ->delimiter(',');
  command->add_option("--delta", table->delta, "published:KEY: difference to its rows");
  command->callback([=, &action] {
    action = [=] {
      const std::filesystem::path page =
          out->empty() ? std::filesystem::path(places->front()) / "report.html"
                       : std::filesystem::path(*out);
      write_report(*places, page, *table);
      fmt::print("report     {}\n", page.string());
      if (pictures->empty()) return 0;
      for (const auto& file : results::save_pictures(page, *pictures)) {
        fmt::print("picture    {}\n", file.string());
      }
      return 0;
    };
  });
}

}  // namespace lra::harness::cli
