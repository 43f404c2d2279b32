#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "results/table/table.h"

namespace lra::results {
namespace {

using nlohmann::json;

std::string_view kind_name(TableRow::Kind kind) {
  switch (kind) {
    case TableRow::Kind::measured:
      return "measured";
    case TableRow::Kind::baseline:
      return "baseline";
    case TableRow::Kind::published:
      return "published";
  }
  return "";
}

// "36.37 ± 0.80 (3) Δ +0.63", or the cell's text, or a dash.
std::string cell_text(const TableCell& cell) {
  if (!cell.value) return cell.text.empty() ? "—" : cell.text;
  std::string text = format_number(*cell.value, cell.decimals, cell.sign);
  if (cell.sd) text += " ± " + format_number_like(*cell.sd, *cell.value, cell.decimals);
  if (cell.n > 0) text += fmt::format(" ({})", cell.n);
  if (!cell.suffix.empty()) text += ", " + cell.suffix;
  if (cell.delta) text += " Δ " + format_number(*cell.delta, 2, true);
  return text;
}

std::string letters(const std::vector<std::size_t>& marks) {
  std::vector<std::string> names;
  for (const std::size_t mark : marks) names.push_back(mark_letter(mark));
  return fmt::format("{}", fmt::join(names, ","));
}

std::string heading(const Column& column) {
  std::string text = column.title;
  if (column.better == Better::higher) text += " ↑";
  if (column.better == Better::lower) text += " ↓";
  if (!column.unit.empty()) text += fmt::format(" ({})", column.unit);
  return text;
}

std::string replaced(std::string text,
                     const std::vector<std::pair<std::string, std::string>>& rules) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto rule = std::find_if(rules.begin(), rules.end(), [&](const auto& candidate) {
      return text.compare(i, candidate.first.size(), candidate.first) == 0;
    });
    out += rule == rules.end() ? std::string(1, text[i]) : rule->second;
    i += rule == rules.end() ? 1 : rule->first.size();
  }
  return out;
}

// Whether a rule belongs above this row: where the kind of row changes.
bool begins_group(const Table& table, std::size_t row) {
  return row > 0 && table.rows[row].kind != table.rows[row - 1].kind;
}

std::string markdown(const Table& table) {
  const auto escape = [](const std::string& text) {
    return replaced(text, {{"|", "\\|"}, {"\n", " "}, {"<", "&lt;"}, {"*", "\\*"}, {"_", "\\_"}});
  };
  const auto sup = [](const std::vector<std::size_t>& marks) {
    return marks.empty() ? "" : fmt::format(" [{}]", letters(marks));
  };
  std::string out = table.caption.empty() ? "" : fmt::format("**{}**\n\n", escape(table.caption));
  out += "| model |";
  std::string rule = "|---|";
  for (const auto& column : table.columns) {
    out += fmt::format(" {} |", escape(heading(column)));
    rule += column.is_text() ? "---|" : "---:|";
  }
  out += "\n" + rule + "\n";
  for (const auto& row : table.rows) {
    const bool cursive = row.kind != TableRow::Kind::measured;
    const std::string label = escape(row.label);
    out += fmt::format("| {}{} |", cursive ? fmt::format("*{}*", label) : label, sup(row.marks));
    for (const auto& cell : row.cells) {
      out += fmt::format(" {}{} |", escape(cell_text(cell)), sup(cell.marks));
    }
    out += "\n";
  }
  out += "\n";
  for (std::size_t i = 0; i < table.notes.size(); ++i) {
    out += fmt::format("[{}] {}  \n", mark_letter(i), escape(table.notes[i]));
  }
  if (!table.notes.empty()) out += "\n";
  for (const auto& line : table.legend) out += escape(line) + "  \n";
  return out;
}

std::string raw_number(double value) { return fmt::format("{:.10g}", value); }

std::string csv(const Table& table) {
  const auto quote = [](const std::string& text) {
    if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
    return fmt::format("\"{}\"", replaced(text, {{"\"", "\"\""}}));
  };
  const auto any = [&](std::size_t column, auto predicate) {
    return std::any_of(table.rows.begin(), table.rows.end(),
                       [&](const TableRow& row) { return predicate(row.cells[column]); });
  };
  std::vector<std::string> header{"kind", "model"};
  std::vector<bool> means;
  std::vector<bool> deltas;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    const std::string& id = table.columns[c].id;
    means.push_back(any(c, [](const TableCell& cell) { return cell.n > 0; }));
    deltas.push_back(any(c, [](const TableCell& cell) { return cell.delta.has_value(); }));
    header.push_back(id);
    if (means[c]) header.insert(header.end(), {id + ".sd", id + ".n"});
    if (deltas[c]) header.push_back(id + ".delta");
  }
  header.emplace_back("notes");
  std::string out = fmt::format("{}\r\n", fmt::join(header, ","));
  for (const auto& row : table.rows) {
    std::vector<std::string> fields{std::string(kind_name(row.kind)), quote(row.label)};
    std::vector<std::size_t> marks = row.marks;
    const auto number = [](const Real& value) {
      return value ? raw_number(*value) : std::string();
    };
    for (std::size_t c = 0; c < row.cells.size(); ++c) {
      const TableCell& cell = row.cells[c];
      fields.push_back(cell.value ? raw_number(*cell.value) : quote(cell.text));
      if (means[c]) {
        fields.push_back(number(cell.sd));
        fields.push_back(cell.n > 0 ? std::to_string(cell.n) : "");
      }
      if (deltas[c]) fields.push_back(number(cell.delta));
      for (const std::size_t mark : cell.marks) {
        if (std::find(marks.begin(), marks.end(), mark) == marks.end()) marks.push_back(mark);
      }
    }
    std::vector<std::string> notes;
    for (const std::size_t mark : marks) notes.push_back(table.notes[mark]);
    fields.push_back(quote(fmt::format("{}", fmt::join(notes, "; "))));
    out += fmt::format("{}\r\n", fmt::join(fields, ","));
  }
  return out;
}

std::string latex(const Table& table) {
  const auto escape = [](const std::string& text) {
    return replaced(text, {{"\\", "\\textbackslash{}"},
                           {"&", "\\&"},
                           {"%", "\\%"},
                           {"$", "\\$"},
                           {"#", "\\#"},
                           {"_", "\\_"},
                           {"{", "\\{"},
                           {"}", "\\}"},
                           {"~", "\\textasciitilde{}"},
                           {"^", "\\textasciicircum{}"},
                           {"—", "---"},
                           {"–", "--"},
                           {"±", "$\\pm$"},
                           {"Δ", "$\\Delta$"},
                           {"↑", "$\\uparrow$"},
                           {"↓", "$\\downarrow$"}});
  };
  const auto sup = [](const std::vector<std::size_t>& marks) {
    return marks.empty() ? "" : fmt::format("\\textsuperscript{{{}}}", letters(marks));
  };
  std::string out = "% needs \\usepackage{booktabs}\n\\begin{table}\n\\centering\n";
  if (!table.caption.empty()) out += fmt::format("\\caption{{{}}}\n", escape(table.caption));
  out += "\\begin{tabular}{l";
  for (const auto& column : table.columns) out += column.is_text() ? "l" : "r";
  out += "}\n\\toprule\nModel";
  for (const auto& column : table.columns) out += " & " + escape(heading(column));
  out += " \\\\\n\\midrule\n";
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    const auto& row = table.rows[r];
    if (begins_group(table, r)) out += "\\midrule\n";
    out += escape(row.label) + sup(row.marks);
    for (const auto& cell : row.cells) out += " & " + escape(cell_text(cell)) + sup(cell.marks);
    out += " \\\\\n";
  }
  out +=
      "\\bottomrule\n\\end{tabular}\n\n\\medskip\n\\begin{minipage}{\\linewidth}\\footnotesize\n";
  for (std::size_t i = 0; i < table.notes.size(); ++i) {
    out += fmt::format("\\textsuperscript{{{}}} {}\\\\\n", mark_letter(i), escape(table.notes[i]));
  }
  for (const auto& line : table.legend) out += escape(line) + "\\\\\n";
  return out + "\\end{minipage}\n\\end{table}\n";
}

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
      "tr.group td {{ border-top: 1px solid; }}\n"
      "tr.baseline, tr.published {{ color: #555; font-style: italic; }}\n"
      "</style>\n</head>\n<body>\n{}</body>\n</html>\n",
      title, html_table(table));
}

std::string json_text(const Table& table) {
  const auto number = [](const Real& value) { return value ? json(*value) : json(nullptr); };
  json columns = json::array();
  for (const auto& column : table.columns) {
    const char* better = column.better == Better::higher  ? "higher"
                         : column.better == Better::lower ? "lower"
                                                          : "neither";
    columns.push_back(
        {{"id", column.id}, {"title", column.title}, {"unit", column.unit}, {"better", better}});
  }
  json rows = json::array();
  for (const auto& row : table.rows) {
    json cells = json::object();
    for (std::size_t c = 0; c < row.cells.size(); ++c) {
      const TableCell& cell = row.cells[c];
      cells[table.columns[c].id] = {{"value", number(cell.value)},
                                    {"sd", number(cell.sd)},
                                    {"n", cell.n > 0 ? json(cell.n) : json(nullptr)},
                                    {"delta", number(cell.delta)},
                                    {"text", cell_text(cell)},
                                    {"notes", cell.marks}};
    }
    rows.push_back({{"kind", kind_name(row.kind)},
                    {"model", row.label},
                    {"notes", row.marks},
                    {"cells", std::move(cells)}});
  }
  const json out = {{"schema", "lra-table/1"},       {"caption", table.caption},
                    {"columns", std::move(columns)}, {"rows", std::move(rows)},
                    {"notes", table.notes},          {"legend", table.legend}};
  return out.dump(2) + "\n";
}

}  // namespace

std::string html_escape(const std::string& text) {
  return replaced(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

std::string html_table(const Table& table) {
  const auto sup = [](const std::vector<std::size_t>& marks) {
    return marks.empty() ? "" : fmt::format("<sup>{}</sup>", letters(marks));
  };
  std::string out = "<table>\n";
  if (!table.caption.empty()) {
    out += fmt::format("<caption>{}</caption>\n", html_escape(table.caption));
  }
  out += "<thead>\n<tr><th class=\"text\">model</th>";
  for (const auto& column : table.columns) {
    out += fmt::format("<th{}>{}</th>", column.is_text() ? " class=\"text\"" : "",
                       html_escape(heading(column)));
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
      out +=
          fmt::format("<td{}>{}{}</td>", attribute, html_escape(cell_text(cell)), sup(cell.marks));
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

std::string format_table(const Table& table, const std::string& format) {
  if (format == "md") return markdown(table);
  if (format == "csv") return csv(table);
  if (format == "tex") return latex(table);
  if (format == "html") return html(table);
  if (format == "json") return json_text(table);
  throw Error(ErrorKind::usage,
              unknown_name_message("format", format, {"csv", "html", "json", "md", "tex"}));
}

}  // namespace lra::results
