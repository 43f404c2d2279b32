// Tables as Markdown, CSV and JSON, and the texts that all formats share.

#include "results/table/format.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/json.h"

namespace lra::results {

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

std::string number_text(const TableCell& cell) {
  if (!cell.value) return cell.text.empty() ? "—" : cell.text;
  std::string text = format_number(*cell.value, cell.decimals, cell.sign);
  if (cell.sd) text += " ± " + format_number_like(*cell.sd, *cell.value, cell.decimals);
  return text;
}

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
  names.reserve(marks.size());
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

bool begins_group(const Table& table, std::size_t row) {
  return row > 0 && table.rows[row].kind != table.rows[row - 1].kind;
}

std::string raw_number(double value) { return fmt::format("{:.10g}", value); }

namespace {

using nlohmann::json;

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
    if (means[c]) header.push_back(id + ".sd");
    if (means[c] && table.seeds) header.push_back(id + ".n");
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
        if (table.seeds) fields.push_back(cell.n > 0 ? std::to_string(cell.n) : "");
      }
      if (deltas[c]) fields.push_back(number(cell.delta));
      if (runs[c]) fields.push_back(fmt::format("{}", fmt::join(cell.runs, " ")));
      if (cell.value) add_marks(table.columns[c].marks, marks);
      add_marks(cell.marks, marks);
    }
    std::vector<std::string> notes;
    notes.reserve(marks.size());
    for (const std::size_t mark : marks) notes.push_back(table.notes[mark]);
    fields.push_back(csv_field(fmt::format("{}", fmt::join(notes, "; "))));
    out += fmt::format("{}\r\n", fmt::join(fields, ","));
  }
  return out;
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
