// Tables in aligned columns for a terminal.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "results/table/format.h"

namespace lra::results {
namespace {

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

}  // namespace

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

}  // namespace lra::results
