#include "results/report/sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "results/record/escape.h"
#include "results/record/tasks.h"
#include "results/table/table.h"

namespace lra::results {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string cell(const std::string& text, const char* attributes = " class=\"text\"") {
  return fmt::format("<td{}>{}</td>", attributes, html_escape(text));
}

std::string number_cell(const Real& value, int decimals) {
  if (!value) return "<td>—</td>";
  return fmt::format("<td data-value=\"{:.10g}\">{}</td>", *value, format_number(*value, decimals));
}

std::string table_html(const std::string& heads, const std::string& rows) {
  return fmt::format(
      "<div class=\"wide\"><table>\n<thead>\n<tr>{}</tr>\n</thead>\n<tbody>\n{}</tbody>\n</table>"
      "</div>\n",
      heads, rows);
}

// Whether the page has the differences to the baseline: for all comparable runs, and for a baseline
// that was asked for.
bool has_versus(const Leaderboard& board) {
  return board.baseline != TableOptions().baseline ||
         std::any_of(board.entries.begin(), board.entries.end(), [](const Entry& entry) {
           return std::any_of(entry.cells.begin(), entry.cells.end(),
                              [](const auto& cell) { return cell.second.versus.has_value(); });
         });
}

// The options of a table with these columns alone, beside the leaderboard.
TableOptions beside(TableOptions table, std::vector<std::string> columns) {
  table.columns = std::move(columns);
  table.sort.clear();
  table.caption.clear();
  table.with.clear();
  table.delta.clear();
  table.ladder = false;
  return table;
}

std::string link_to(const Record& record, const fs::path& folder) {
  if (record.file.empty()) return "—";
  const fs::path run = fs::absolute(record.file).parent_path();
  const fs::path from = folder.empty() ? fs::current_path() : fs::absolute(folder);
  const std::string target = run.lexically_normal().lexically_relative(from.lexically_normal());
  std::string url;
  for (const char c : target) {  // RFC 3986: everything but unreserved characters and `/`
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~/").find(c) != std::string_view::npos;
    url += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return fmt::format("<a href=\"{}/\">{}</a>", url, html_escape(run.filename().string()));
}

}  // namespace

std::string leaderboard_html(const std::vector<Record>& records, const Leaderboard& board,
                             const ReportOptions& options) {
  if (records.empty()) return "";
  const auto section = [&](const TableOptions& table) {
    std::string html = html_table(build_table(records, table), true);
    html.replace(html.find("<table>"), 7, "<table class=\"filtered\">");
    return fmt::format("<div class=\"wide notes\">{}</div>\n", html);
  };
  TableOptions accuracy = options.table;
  accuracy.columns.clear();
  accuracy.caption.clear();
  std::string out = "<h2>Leaderboard</h2>\n" + section(accuracy);
  if (has_versus(board)) {
    out += "<h2>Difference to a baseline</h2>\n" + section(beside(options.table, {"versus"}));
  }
  std::set<std::string> tasks;
  for (const auto& record : records) tasks.insert(record.task.name);
  if (tasks.size() > 1) {  // a single task's table has these columns already
    out += "<h2>Speed, memory and time</h2>\n" +
           section(beside(options.table, {"tokens", "infer", "memory", "seconds"}));
  }
  return out;
}

std::string attention_html(const std::vector<Record>& records, const ReportOptions& options) {
  const auto measured = [](const Record& record) { return !record.diagnosis.empty(); };
  std::vector<Record> kept;
  std::copy_if(records.begin(), records.end(), std::back_inserter(kept), measured);
  if (kept.empty()) return "";
  const TableOptions table =
      beside(options.table, {"entropy", "n_eff", "support", "span", "local", "negative", "norm",
                             "stable_rank", "dead", "zeros", "gradient", "softmax_distance"});
  return fmt::format(
      "<h2>Attention in numbers</h2>\n<p class=\"small\">Means over layers, heads and rows of "
      "validation examples, by the definition of each variant; of heads and layers in "
      "<code>result.json</code>. A variant without an attention matrix has none.</p>\n"
      "<div class=\"wide notes\">{}</div>\n",
      html_table(build_table(kept, table), true));
}

std::string ladder_html(const Leaderboard& board) {
  std::string out;
  const auto labels = entry_labels(board.entries);
  for (const auto& of_column : board.baselines) {
    std::vector<std::pair<std::string, const Cell*>> models;
    for (std::size_t i = 0; i < board.entries.size(); ++i) {
      const auto found = board.entries[i].cells.find(of_column.column);
      if (found != board.entries[i].cells.end() && !found->second.agreement.empty()) {
        models.emplace_back(labels[i], &found->second);
      }
    }
    std::string heads = "<th class=\"text\">predictor</th><th>accuracy (%)</th>";
    for (const auto& [label, model] : models) {
      heads += fmt::format("<th>agreement of {} (%)</th>", html_escape(label));
    }
    std::string rows;
    const std::string& title = board.columns[of_column.column].title;
    for (const auto& baseline : of_column.baselines) {
      rows += "<tr>" + cell(baseline.title) + number_cell(100 * baseline.accuracy, 1);
      for (const auto& [label, model] : models) {
        const auto share = model->agreement.find(baseline.name);
        rows +=
            number_cell(share == model->agreement.end() ? Real() : Real(100 * share->second), 1);
      }
      rows += "</tr>\n";
    }
    std::string verdicts;
    for (const auto& [label, model] : models) {
      for (const auto& verdict : model->verdicts) {
        verdicts += fmt::format("<p class=\"small\">{}: {}.</p>\n", html_escape(label),
                                html_escape(verdict));
      }
    }
    out += fmt::format("<h2>Trivial predictors: {}</h2>\n{}{}", html_escape(title),
                       table_html(heads, rows), verdicts);
  }
  return out;
}

std::string scaling_html(const json& groups) {
  std::string rows;
  for (const auto& group : groups) {
    for (const auto& line : group["lines"]) {
      const auto exponent = [&](const char* key) {
        return number_cell(line[key].is_null() ? Real() : Real(line[key].get<double>()), 2);
      };
      rows += "<tr>" + cell(line["label"].get<std::string>()) +
              cell(group["title"].get<std::string>()) + exponent("timeExponent") +
              exponent("memoryExponent") + cell(line["efficiencyLength"].get<std::string>()) +
              "</tr>\n";
    }
  }
  if (rows.empty()) return "";
  return "<p class=\"small\">Fitted time ~ n^exponent and memory ~ n^exponent; the efficiency "
         "length "
         "is the n from which a variant's step is faster than the fastest softmax.</p>\n" +
         table_html(
             "<th class=\"text\">model</th><th class=\"text\">conditions</th><th>time exponent</th>"
             "<th>memory exponent</th><th class=\"text\">efficiency length</th>",
             rows);
}

std::string studies_html(const std::vector<StudyRecord>& studies) {
  std::string out;
  for (const auto& study : studies) {
    std::set<double> places;
    std::map<std::string, std::map<double, const StudyPoint*>> kernels;
    for (const auto& point : study.points) {
      places.insert(point.x);
      kernels[point.kernel][point.x] = &point;
    }
    std::string heads = "<th class=\"text\">kernel</th>";
    for (const double x : places) {
      heads += fmt::format("<th>{} = {:g}</th>", html_escape(study.swept), x);
    }
    std::string rows;
    for (const auto& [kernel, points] : kernels) {
      rows += "<tr>" + cell(kernel);
      for (const double x : places) {
        const auto found = points.find(x);
        rows += number_cell(found == points.end() ? Real() : found->second->value, 3);
      }
      rows += "</tr>\n";
    }
    out +=
        fmt::format("<p class=\"small\">{}, mode {}, seed {}. {} Source: {}.</p>\n{}",
                    html_escape(study.quantity), name_of(study.mode), study.seed,
                    html_escape(study.caveat), html_escape(study.source), table_html(heads, rows));
  }
  return out;
}

std::string runs_html(std::vector<Record> records, const fs::path& folder) {
  std::sort(records.begin(), records.end(), [](const Record& a, const Record& b) {
    const auto key = [](const Record& r) {
      return std::tuple(r.attention.name, r.seed, std::string_view(r.run_id),
                        machine_of(r.environment));
    };
    return a.task.name != b.task.name ? task_before(a.task.name, b.task.name) : key(a) < key(b);
  });
  std::string rows;
  std::set<std::string> seen;  // an id may occur once in a page
  for (const auto& record : records) {
    const bool completed = record.status == Status::completed;
    const auto percent = [](const Real& share) { return share ? Real(100 * *share) : Real(); };
    const std::string anchor = run_anchor(record.run_id, record.task.data_sha256);
    const bool first = seen.insert(anchor).second;
    rows += (first ? fmt::format("<tr id=\"{}\">", anchor) : std::string("<tr>")) +
            cell(record.task.title) + cell(record.attention.label) +
            number_cell(static_cast<double>(record.seed), 0) +
            cell(std::string(name_of(record.status)),
                 completed ? " class=\"text\"" : " class=\"text bad\"") +
            number_cell(percent(record.accuracy.value.test), 2) +
            number_cell(record.time.seconds, -1) +
            fmt::format("<td class=\"text\">{}</td>", link_to(record, folder)) +
            cell(record.run_id) + cell(record.task.data_sha256.value_or("—").substr(0, 12)) +
            cell(record.environment.commit.value_or("—").substr(0, 12)) +
            cell(record.failure.value_or("")) + "</tr>\n";
  }
  return "<h2>Runs</h2>\n" +
         table_html(
             "<th class=\"text\">task</th><th class=\"text\">model</th><th>seed</th>"
             "<th class=\"text\">status</th><th>test accuracy ↑ (%)</th><th>training time ↓ "
             "(s)</th>"
             "<th class=\"text\">folder</th><th class=\"text\">run</th><th class=\"text\">data</th>"
             "<th class=\"text\">commit</th><th class=\"text\">reason</th>",
             rows);
}

std::string environment_html(const std::vector<Record>& records) {
  std::map<std::vector<std::string>, std::int64_t> environments;
  for (const auto& record : records) {
    const Environment& e = record.environment;
    ++environments[{e.cpu, e.isa, std::to_string(e.cores), std::to_string(e.threads), e.onednn,
                    e.tbb, e.compiler, program_of(e)}];
  }
  std::string heads;
  for (const char* head :
       {"CPU", "instruction set", "cores", "threads", "oneDNN", "TBB", "compiler", "lra"}) {
    heads += fmt::format("<th class=\"text\">{}</th>", head);
  }
  std::string rows;
  for (const auto& [fields, runs] : environments) {
    rows += "<tr>";
    for (const auto& field : fields) rows += cell(field);
    rows += number_cell(static_cast<double>(runs), 0) + "</tr>\n";
  }
  return "<h2>Environment</h2>\n" + table_html(heads + "<th>runs</th>", rows);
}

}  // namespace lra::results
