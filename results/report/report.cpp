#include "results/report/report.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "results/analysis/leaderboard.h"
#include "results/analysis/scaling.h"
#include "results/report/page_files.h"
#include "results/report/sections.h"

namespace lra::results {
namespace {

using nlohmann::json;

// Throws Error(usage) for options about runs where there are none.
void require_no_run_options(const TableOptions& o, bool benches) {
  const TableOptions usual;
  const std::vector<std::pair<const char*, bool>> given{
      {"--tasks", !o.tasks.empty()},       {"--attention", !benches && !o.attentions.empty()},
      {"--division", !o.division.empty()}, {"--with", !o.with.empty()},
      {"--delta", !o.delta.empty()},       {"--baseline", o.baseline != usual.baseline},
      {"--sort", !o.sort.empty()},         {"--bold", o.bold},
      {"--no-ladder", !o.ladder}};
  for (const auto& [name, is_given] : given) {
    if (is_given) fail(ErrorKind::usage, "report: {} has no effect without results of runs", name);
  }
}

std::string summary_html(const Leaderboard& board, const std::vector<FileFault>& faults,
                         const ReportOptions& options) {
  std::string out;
  if (!options.subtitle.empty()) out += fmt::format("<p>{}</p>\n", html_escape(options.subtitle));
  if (!board.entries.empty()) {
    for (const auto& line : build_table(board, TableOptions()).head) {
      out += fmt::format("<p>{}</p>\n", html_escape(line));
    }
  }
  out += "<p>";
  const char* separator = "";
  for (const auto& [status, count] : board.runs) {
    out += fmt::format("{}{} {}", separator, count, name_of(status));
    separator = ", ";
  }
  out += " runs.</p>\n";
  if (options.left_out > 0) {
    out += fmt::format(
        "<p class=\"small\">{} runs of earlier versions of the suite are left out; "
        "<code>lra report --all</code> shows them.</p>\n",
        options.left_out);
  }
  if (!report_has_pictures()) {
    out +=
        "<p class=\"bad\">This program was built without D3 (Debian: node-d3): no pictures.</p>\n";
  }
  for (const auto& fault : faults) {
    out += fmt::format("<p class=\"small bad\">Skipped: {}</p>\n", html_escape(fault.message));
  }
  return out;
}

std::string scripts_html() {
  std::string out;
  const auto add = [&](const char* id, std::string_view content) {
    out += fmt::format("<script id=\"{}\">\n{}</script>\n", id, content);
  };
  if (report_has_pictures()) {
    out += fmt::format("<!--\n{}-->\n", report_file("d3-license.txt"));
    add("d3", report_file("d3.js"));
    add("pictures", report_file("pictures.js"));
  }
  add("page", report_file("page.js"));
  return out;
}

// Replaces each {{name}} of the template once, without searching the inserted parts.
std::string fill(std::string_view text, const std::map<std::string, std::string>& parts) {
  std::string out;
  for (std::size_t at = 0;;) {
    const std::size_t open = text.find("{{", at);
    if (open == std::string_view::npos) return out.append(text.substr(at));
    const std::size_t close = text.find("}}", open);
    out.append(text.substr(at, open - at));
    out += parts.at(std::string(text.substr(open + 2, close - open - 2)));
    at = close + 2;
  }
}

}  // namespace

std::string render_report(const std::vector<Record>& records,
                          const std::vector<BenchRecord>& benches,
                          const std::vector<StudyRecord>& studies,
                          const std::vector<FileFault>& faults, const ReportOptions& options) {
  const bool no_runs = records.empty() && !(benches.empty() && studies.empty());
  if (no_runs) {
    require_no_run_options(options.table, !benches.empty());
    require_benched(benches, options.table.attentions);
  }
  const auto kept = no_runs ? records : select_records(records, options.table);
  const Leaderboard board = build_leaderboard(kept, options.table.baseline);
  const json data = report_data(kept, benches, studies, options);
  auto all_faults = faults;
  for (const json& fault : data["faults"]) all_faults.push_back({{}, fault.get<std::string>()});
  std::string data_text = json_text(data);
  // `</script>` in a label must not end the element.
  for (std::size_t at = 0; (at = data_text.find('<', at)) != std::string::npos;) {
    data_text.replace(at, 1, "\\u003c");
  }
  return fill(report_file("page.html"), {{"title", html_escape(options.title)},
                                         {"css", std::string(report_file("page.css"))},
                                         {"summary", summary_html(board, all_faults, options)},
                                         {"leaderboard", leaderboard_html(kept, board, options)},
                                         {"ladder", ladder_html(board)},
                                         {"attention", attention_html(kept, options)},
                                         {"scaling", scaling_html(data["scaling"])},
                                         {"studies", studies_html(studies)},
                                         {"runs", runs_html(kept, options.folder)},
                                         {"environment", environment_html(kept)},
                                         {"data", data_text},
                                         {"scripts", scripts_html()}});
}

}  // namespace lra::results
