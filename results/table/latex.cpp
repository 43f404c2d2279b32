// Tables in LaTeX, with booktabs.

#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "results/table/format.h"

namespace lra::results {
namespace {

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

std::string latex_lines(const std::vector<std::string>& lines) {
  std::vector<std::string> escaped;
  escaped.reserve(lines.size());
  for (const auto& line : lines) escaped.push_back(latex_line(line));
  return fmt::format("{}", fmt::join(escaped, "\\\\"));
}

// A heading in short lines: columns of numbers are narrower than their titles.
std::string latex_heading(const std::string& title, bool left) {
  constexpr std::size_t kShort = 12;
  const auto lines = lines_of(title, kShort, 0);
  if (lines.size() == 1) return latex_escape(title);
  return fmt::format("\\shortstack[{}]{{{}}}", left ? "l" : "r", latex_lines(lines));
}

// The name of a row, in lines where it is long: one line for all would scale the numbers down.
std::string latex_label(const std::string& text) {
  const auto lines = lines_of(text, kLabelWidth, 0);
  if (lines.size() == 1) return latex_line(lines.front());
  return fmt::format("\\begin{{tabular}}[t]{{@{{}}l@{{}}}}{}\\end{{tabular}}", latex_lines(lines));
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

}  // namespace

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

}  // namespace lra::results
