// Tables in HTML: the table element, which the report has too, and a page with it alone.

#include <fmt/ranges.h>

#include "results/table/format.h"

namespace lra::results {

std::string html(const Table& table) {
  const std::string title = table.caption.empty() ? "lra table" : html_escape(table.caption);
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{}</title>\n"
      "<style>\n"
      "body {{ font-family: sans-serif; margin: 2em; }}\n"
      "table {{ border-collapse: collapse; border-top: 2px solid; border-bottom: 2px solid; }}\n"
      "th, td {{ padding: 0.2em 0.7em; text-align: right; }}\n"
      "th {{ border-bottom: 1px solid; }}\n"
      ".text {{ text-align: left; }}\n"
      "td.text:first-child {{ max-width: 24em; }}\n"
      "tr.group td {{ border-top: 1px solid; }}\n"
      "tr.baseline, tr.published {{ color: #555; font-style: italic; }}\n"
      "</style>\n</head>\n<body>\n{}</body>\n</html>\n",
      title, html_table(table));
}

std::string run_anchor(std::string_view id, const std::optional<std::string>& data_sha256) {
  return fmt::format("run-{}-{}", id, data_sha256.value_or("none").substr(0, 8));
}

std::string html_table(const Table& table, bool links) {
  const auto sup = [](const std::vector<std::size_t>& marks) {
    return marks.empty() ? "" : fmt::format("<sup>{}</sup>", letters(marks));
  };
  std::string out;
  if (!links) {  // a report says it once
    for (const auto& line : table.head) out += fmt::format("<p>{}</p>\n", html_escape(line));
  }
  out += "<table>\n";
  if (!table.caption.empty()) {
    out += fmt::format("<caption>{}</caption>\n", html_escape(table.caption));
  }
  out += "<thead>\n<tr><th class=\"text\">model</th>";
  for (const auto& column : table.columns) {
    out += fmt::format("<th{}>{}{}</th>", column.is_text() ? " class=\"text\"" : "",
                       html_escape(heading(column)), sup(column.marks));
  }
  out += "</tr>\n</thead>\n<tbody>\n";
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    const auto& row = table.rows[r];
    out +=
        fmt::format("<tr class=\"{}{}\"><td class=\"text\">{}{}</td>", kind_name(row.kind),
                    begins_group(table, r) ? " group" : "", html_escape(row.label), sup(row.marks));
    for (std::size_t c = 0; c < row.cells.size(); ++c) {
      const TableCell& cell = row.cells[c];
      const std::string attribute = table.columns[c].is_text() ? " class=\"text\""
                                    : cell.value
                                        ? fmt::format(" data-value=\"{}\"", raw_number(*cell.value))
                                        : "";
      std::string text = html_escape(cell_text(cell, table.seeds));
      if (cell.best) text = fmt::format("<b>{}</b>", text);
      if (!cell.runs.empty()) {
        const std::string runs = fmt::format("{}", fmt::join(cell.runs, " "));
        text =
            links ? fmt::format("<a href=\"#{}\" title=\"runs {}\">{}</a>", cell.anchor, runs, text)
                  : fmt::format("<span title=\"runs {}\">{}</span>", runs, text);
      }
      out += fmt::format("<td{}>{}{}</td>", attribute, text, sup(cell.marks));
    }
    out += "</tr>\n";
  }
  out += "</tbody>\n</table>\n";
  for (std::size_t i = 0; i < table.notes.size(); ++i) {
    out += fmt::format("<p><sup>{}</sup> {}</p>\n", mark_letter(i), html_escape(table.notes[i]));
  }
  for (const auto& line : table.legend) out += fmt::format("<p>{}</p>\n", html_escape(line));
  return out;
}

}  // namespace lra::results
