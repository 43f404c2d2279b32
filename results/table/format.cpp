#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/json.h"
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

// "36.37 ± 0.80": the number alone, or the cell's text, or a dash.
std::string number_text(const TableCell& cell) {
  if (!cell.value) return cell.text.empty() ? "—" : cell.text;
  std::string text = format_number(*cell.value, cell.decimals, cell.sign);
  if (cell.sd) text += " ± " + format_number_like(*cell.sd, *cell.value, cell.decimals);
  return text;
}

// "36.37 ± 0.80 (3), p = 0.042 Δ +0.63": everything in one.
std::string cell_text(const TableCell& cell, bool seeds) {
  std::string text = number_text(cell);
  if (!cell.value) return text;
  if (cell.n > 0 && seeds) text += fmt::format(" ({})", cell.n);
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

// Whether to draw a rule above this row, where the kind of row changes.
bool begins_group(const Table& table, std::size_t row) {
  return row > 0 && table.rows[row].kind != table.rows[row - 1].kind;
}

std::string markdown(const Table& table) {
  const auto sup = [](const std::vector<std::size_t>& marks) {
    return marks.empty() ? "" : fmt::format(" [{}]", letters(marks));
  };
  std::string out =
      table.caption.empty() ? "" : fmt::format("**{}**\n\n", markdown_escape(table.caption));
  for (const auto& line : table.head) out += markdown_escape(line) + "  \n";
  out += "\n| model |";
  std::string rule = "|---|";
  for (const auto& column : table.columns) {
    out += fmt::format(" {}{} |", markdown_escape(heading(column)), sup(column.marks));
    rule += column.is_text() ? "---|" : "---:|";
  }
  out += "\n" + rule + "\n";
  for (const auto& row : table.rows) {
    const bool cursive = row.kind != TableRow::Kind::measured;
    const std::string label = markdown_escape(row.label);
    out += fmt::format("| {}{} |", cursive ? fmt::format("*{}*", label) : label, sup(row.marks));
    for (const auto& cell : row.cells) {
      const std::string text = markdown_escape(cell_text(cell, table.seeds));
      out +=
          fmt::format(" {}{} |", cell.best ? fmt::format("**{}**", text) : text, sup(cell.marks));
    }
    out += "\n";
  }
  out += "\n";
  for (std::size_t i = 0; i < table.notes.size(); ++i) {
    out += fmt::format("[{}] {}  \n", mark_letter(i), markdown_escape(table.notes[i]));
  }
  if (!table.notes.empty()) out += "\n";
  for (const auto& line : table.legend) out += markdown_escape(line) + "  \n";
  return out;
}

// Width of a text on a terminal: its number of code points.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
  }));
}

// Breaks a line at spaces; the further lines begin with `indent` spaces.
std::string wrapped(const std::string& text, std::size_t width, std::size_t indent) {
  std::string out;
  std::size_t column = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    if (column > 0 && column + 1 + width_of(word) > width) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += width_of(word);
    at = end + 1;
  }
  return out + "\n";
}

// Maximum width of a line of row names, which leaves room for the numbers.
constexpr std::size_t kLabelWidth = 36;

// The lines of a text that is broken at its spaces; at least one.
std::vector<std::string> lines_of(const std::string& text, std::size_t width, std::size_t indent) {
  std::vector<std::string> lines;
  const std::string broken = wrapped(text, width, indent);
  for (std::size_t at = 0; at < broken.size();) {
    const std::size_t end = broken.find('\n', at);
    lines.push_back(broken.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// Aligned columns for a terminal. Headings and names of rows are broken into lines at their spaces.
std::string plain_text(const Table& table) {
  constexpr std::size_t kWidth = 100;  // of notes
  const auto sup = [](const std::vector<std::size_t>& marks) {
    return marks.empty() ? "" : fmt::format(" [{}]", letters(marks));
  };
  std::vector<std::vector<std::string>> rows;
  std::vector<std::vector<std::string>> labels;
  for (const auto& row : table.rows) {
    labels.push_back(lines_of(one_line(row.label) + sup(row.marks), kLabelWidth, 2));
    std::vector<std::string> fields{labels.back().front()};
    for (const auto& cell : row.cells) {
      fields.push_back((cell.best ? "*" : "") + one_line(cell_text(cell, table.seeds)) +
                       sup(cell.marks));
    }
    rows.push_back(std::move(fields));
  }
  std::vector<std::size_t> widths(table.columns.size() + 1, width_of("model"));
  for (const auto& fields : rows) {
    for (std::size_t c = 0; c < fields.size(); ++c) {
      widths[c] = std::max(widths[c], width_of(fields[c]));
    }
  }
  for (const auto& lines : labels) {
    for (const auto& line : lines) widths[0] = std::max(widths[0], width_of(line));
  }
  std::vector<std::vector<std::string>> heads{{"model"}};
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    const std::string text = one_line(heading(table.columns[c])) + sup(table.columns[c].marks);
    heads.push_back(lines_of(text, std::max(widths[c + 1], std::size_t{8}), 0));
    for (const auto& line : heads.back()) widths[c + 1] = std::max(widths[c + 1], width_of(line));
  }
  const auto line_of = [&](const std::vector<std::string>& fields) {
    std::string line;
    for (std::size_t c = 0; c < fields.size(); ++c) {
      const std::string space(widths[c] - width_of(fields[c]), ' ');
      const bool left = c == 0 || table.columns[c - 1].is_text();
      if (c > 0) line += "  ";
      line += left ? fields[c] + space : space + fields[c];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return line + "\n";
  };
  std::string out;
  if (!table.caption.empty()) out += wrapped(one_line(table.caption), kWidth, 0);
  for (const auto& line : table.head) out += wrapped(one_line(line), kWidth, 0);
  if (!out.empty()) out += "\n";
  std::size_t height = 0;
  for (const auto& lines : heads) height = std::max(height, lines.size());
  for (std::size_t i = 0; i < height; ++i) {  // headings are aligned to the rule
    std::vector<std::string> fields;
    for (const auto& lines : heads) {
      const std::size_t above = height - lines.size();
      fields.push_back(i < above ? "" : lines[i - above]);
    }
    out += line_of(fields);
  }
  std::size_t total = 2 * (widths.size() - 1);
  for (const std::size_t width : widths) total += width;
  std::string rule;
  for (std::size_t i = 0; i < total; ++i) rule += "─";
  for (std::size_t r = 0; r < rows.size(); ++r) {
    if (r == 0 || begins_group(table, r)) out += rule + "\n";
    out += line_of(rows[r]);
    for (std::size_t i = 1; i < labels[r].size(); ++i) out += labels[r][i] + "\n";
  }
  out += "\n";
  for (std::size_t i = 0; i < table.notes.size(); ++i) {
    const std::string mark = fmt::format("[{}] ", mark_letter(i));
    out += wrapped(mark + one_line(table.notes[i]), kWidth, mark.size());
  }
  for (const auto& line : table.legend) out += wrapped(one_line(line), kWidth, 2);
  return out;
}

std::string raw_number(double value) { return fmt::format("{:.10g}", value); }

std::string csv(const Table& table) {
  const auto any = [&](std::size_t column, auto predicate) {
    return std::any_of(table.rows.begin(), table.rows.end(),
                       [&](const TableRow& row) { return predicate(row.cells[column]); });
  };
  std::vector<std::string> header{"kind", "model"};
  std::vector<bool> means;
  std::vector<bool> deltas;
  std::vector<bool> runs;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    const std::string& id = table.columns[c].id;
    means.push_back(any(c, [](const TableCell& cell) { return cell.n > 0; }));
    deltas.push_back(any(c, [](const TableCell& cell) { return cell.delta.has_value(); }));
    header.push_back(id);
    runs.push_back(any(c, [](const TableCell& cell) { return !cell.runs.empty(); }));
    if (means[c]) header.insert(header.end(), {id + ".sd", id + ".n"});
    if (deltas[c]) header.push_back(id + ".delta");
    if (runs[c]) header.push_back(id + ".runs");
  }
  header.emplace_back("notes");
  std::string out = fmt::format("{}\r\n", fmt::join(header, ","));
  for (const auto& row : table.rows) {
    std::vector<std::string> fields{std::string(kind_name(row.kind)), csv_field(row.label)};
    std::vector<std::size_t> marks = row.marks;
    const auto number = [](const Real& value) {
      return value ? raw_number(*value) : std::string();
    };
    const auto add_marks = [](const std::vector<std::size_t>& more, std::vector<std::size_t>& all) {
      for (const std::size_t mark : more) {
        if (std::find(all.begin(), all.end(), mark) == all.end()) all.push_back(mark);
      }
    };
    for (std::size_t c = 0; c < row.cells.size(); ++c) {
      const TableCell& cell = row.cells[c];
      fields.push_back(cell.value ? raw_number(*cell.value) : csv_field(cell.text));
      if (means[c]) {
        fields.push_back(number(cell.sd));
        fields.push_back(cell.n > 0 ? std::to_string(cell.n) : "");
      }
      if (deltas[c]) fields.push_back(number(cell.delta));
      if (runs[c]) fields.push_back(fmt::format("{}", fmt::join(cell.runs, " ")));
      if (cell.value) add_marks(table.columns[c].marks, marks);
      add_marks(cell.marks, marks);
    }
    std::vector<std::string> notes;
    for (const std::size_t mark : marks) notes.push_back(table.notes[mark]);
    fields.push_back(csv_field(fmt::format("{}", fmt::join(notes, "; "))));
    out += fmt::format("{}\r\n", fmt::join(fields, ","));
  }
  return out;
}

// Layout of one column in LaTeX: numbers of seeds and differences are in separate columns.
struct LatexColumn {
  bool seeds = false;
  bool delta = false;
};

// The number of seeds that every mean of the table has; none if they differ or there are no means.
std::optional<std::int64_t> common_seeds(const Table& table) {
  std::optional<std::int64_t> common;
  for (const auto& row : table.rows) {
    for (const auto& cell : row.cells) {
      if (cell.n == 0) continue;
      if (common && *common != cell.n) return std::nullopt;
      common = cell.n;
    }
  }
  return common;
}

// A number with a minus sign in place of the hyphen.
std::string latex_number(const std::string& text) {
  const std::string escaped = latex_escape(text);
  return text.starts_with('-') ? "$-$" + escaped.substr(1) : escaped;
}

// A line of text after a LaTeX line break, which would take a bracket or an asterisk for its
// argument.
std::string latex_line(const std::string& text) {
  const bool argument = text.starts_with('[') || text.starts_with('*');
  return (argument ? "{}" : "") + latex_escape(text);
}

// A heading in short lines: columns of numbers are narrower than their titles.
std::string latex_heading(const std::string& title, bool left) {
  constexpr std::size_t kShort = 12;
  const auto lines = lines_of(title, kShort, 0);
  if (lines.size() == 1) return latex_escape(title);
  std::vector<std::string> escaped;
  for (const auto& line : lines) escaped.push_back(latex_line(line));
  return fmt::format("\\shortstack[{}]{{{}}}", left ? "l" : "r", fmt::join(escaped, "\\\\"));
}

// The name of a row, in lines where it is long: one line for all would scale the numbers down.
std::string latex_label(const std::string& text) {
  const auto lines = lines_of(text, kLabelWidth, 0);
  std::vector<std::string> escaped;
  for (const auto& line : lines) escaped.push_back(latex_line(line));
  if (escaped.size() == 1) return escaped.front();
  return fmt::format("\\begin{{tabular}}[t]{{@{{}}l@{{}}}}{}\\end{{tabular}}",
                     fmt::join(escaped, "\\\\"));
}

std::string latex_body(const Table& table, bool percent) {
  const auto sup = [](const std::vector<std::size_t>& marks) {
    return marks.empty() ? "" : fmt::format("\\textsuperscript{{{}}}", letters(marks));
  };
  const bool show_seeds = table.seeds && !common_seeds(table);
  std::vector<LatexColumn> parts(table.columns.size());
  for (const auto& row : table.rows) {
    for (std::size_t c = 0; c < row.cells.size(); ++c) {
      parts[c].seeds = parts[c].seeds || (show_seeds && row.cells[c].n > 0);
      parts[c].delta = parts[c].delta || row.cells[c].delta.has_value();
    }
  }
  std::string out = "\\begin{tabular}{l";
  std::string heads = "Model";
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    const Column& column = table.columns[c];
    out += column.is_text() ? "l" : "r";
    heads += " & " + latex_heading(percent ? column.title : heading(column), column.is_text()) +
             sup(column.marks);
    if (parts[c].seeds) {
      out += "r";
      heads += " & $n$";
    }
    if (parts[c].delta) {
      out += "r";
      heads += " & $\\Delta$";
    }
  }
  out += fmt::format("}}\n\\toprule\n{} \\\\\n\\midrule\n", heads);
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    const auto& row = table.rows[r];
    if (begins_group(table, r)) out += "\\midrule\n";
    if (row.cite.empty()) {
      out += latex_label(row.label);
    } else {  // the citation names authors and year
      out += latex_line(row.label.substr(0, row.label.rfind(" ("))) +
             fmt::format("~\\cite{{{}}}", row.cite);
    }
    out += sup(row.marks);
    for (std::size_t c = 0; c < row.cells.size(); ++c) {
      const TableCell& cell = row.cells[c];
      std::string text =
          cell.value ? latex_number(number_text(cell)) : latex_escape(number_text(cell));
      if (cell.value && !cell.suffix.empty()) text += ", " + latex_escape(cell.suffix);
      out += " & " + (cell.best ? fmt::format("\\textbf{{{}}}", text) : text) + sup(cell.marks);
      if (parts[c].seeds) out += cell.n > 0 ? fmt::format(" & {}", cell.n) : " &";
      if (parts[c].delta) {
        out += cell.delta ? " & " + latex_number(format_number(*cell.delta, 2, true)) : " &";
      }
    }
    out += " \\\\\n";
  }
  return out + "\\bottomrule\n\\end{tabular}";
}

// A table that is never wider than the line: a wider one is scaled down.
std::string latex(const Table& table) {
  const bool percent = std::all_of(table.columns.begin(), table.columns.end(), [](const Column& c) {
    return c.unit == "%" && c.better == Better::higher;
  });
  std::string out = "% needs \\usepackage{booktabs,graphicx}\n\\begin{table}\n\\centering\n";
  // Without a caption \label would name the section.
  const std::string caption = !table.caption.empty() ? table.caption
                              : percent              ? "Accuracy in percent, higher is better"
                                                     : "Measured results";
  out += fmt::format("\\caption{{{}}}\n", latex_escape(caption));
  out += fmt::format(
      "\\label{{{}}}\n\\sbox0{{\\small\\setlength{{\\tabcolsep}}{{4pt}}\n{}}}\n\\ifdim\\wd0>"
      "\\linewidth\\resizebox{{\\linewidth}}{{!"
      "}}"
      "{{\\usebox0}}\\else\\usebox0\\fi\n\n\\medskip\n"
      "\\begin{{minipage}}{{\\linewidth}}\\footnotesize\\raggedright\n",
      table.label, latex_body(table, percent));
  for (std::size_t i = 0; i < table.notes.size(); ++i) {
    out += fmt::format("\\textsuperscript{{{}}} {}\\\\\n", mark_letter(i),
                       latex_escape(table.notes[i]));
  }
  if (percent && !table.caption.empty()) {
    out += "All numbers in percent; higher is better.\\\\\n";
  }
  for (const auto& line : table.head) out += latex_line(line) + "\\\\\n";
  if (const auto seeds = common_seeds(table); seeds && table.seeds) {
    out += fmt::format("Each number is of {} seed{}.\\\\\n", *seeds, *seeds == 1 ? "" : "s");
  }
  if (table.seeds && !common_seeds(table)) out += "$n$: number of seeds.\\\\\n";
  for (const auto& line : table.legend) {
    out += latex_line(replaced(line, {{" (number of seeds)", ""}})) + "\\\\\n";
  }
  out += "\\end{minipage}\n\\end{table}\n";
  for (const auto& entry : table.bibtex) {
    out += "% " + replaced(entry, {{"\n", "\n% "}}) + "\n";
  }
  return out;
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
      "td.text:first-child {{ max-width: 24em; }}\n"
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
    columns.push_back({{"id", column.id},
                       {"title", column.title},
                       {"unit", column.unit},
                       {"better", better},
                       {"notes", column.marks}});
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
                                    {"text", cell_text(cell, table.seeds)},
                                    {"best", cell.best},
                                    {"runs", cell.runs},
                                    {"notes", cell.marks}};
    }
    rows.push_back({{"kind", kind_name(row.kind)},
                    {"model", row.label},
                    {"notes", row.marks},
                    {"cells", std::move(cells)}});
  }
  const json out = {{"schema", "lra-table/2"}, {"caption", table.caption},
                    {"head", table.head},      {"columns", std::move(columns)},
                    {"rows", std::move(rows)}, {"notes", table.notes},
                    {"legend", table.legend}};
  return lra::json_text(out, 2) + "\n";
}

}  // namespace

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
        text = links ? fmt::format("<a href=\"#run-{}\" title=\"runs {}\">{}</a>",
                                   cell.runs.front(), runs, text)
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

std::string format_table(const Table& table, TableFormat format) {
  switch (format) {
    case TableFormat::text:
      return plain_text(table);
    case TableFormat::md:
      return markdown(table);
    case TableFormat::csv:
      return csv(table);
    case TableFormat::tex:
      return latex(table);
    case TableFormat::html:
      return html(table);
    case TableFormat::json:
      return json_text(table);
    case TableFormat::leaderboard:
      break;
  }
  fail(ErrorKind::usage, "table: {} is made of records, not of a table", name_of(format));
}

}  // namespace lra::results
