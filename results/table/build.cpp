// The frame of a table: its columns, its footnotes and the order of its rows.

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "engine/base/error.h"
#include "results/table/builder.h"

namespace lra::results {
namespace {

using Kind = Column::Kind;

// The most frequent value; among equals the smallest.
template <class T>
T most_frequent(const std::vector<T>& values) {
  std::map<T, int> counts;
  for (const auto& value : values) ++counts[value];
  return std::max_element(counts.begin(), counts.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

}  // namespace

TableBuilder::TableBuilder(const Leaderboard& board, const TableOptions& options)
    : board_(board), options_(options) {
  table_.caption = options.caption;
  table_.label = options.label;
  table_.seeds = options.seeds;
  table_.columns = select_columns(board, options.columns);
  std::vector<std::string> machines;
  for (const auto& entry : board.entries) machines.push_back(machine_of(entry.environment));
  reference_machine_ = most_frequent(machines);
  if (!options.delta.empty()) delta_ = find_published(published_key(options.delta));
  if (!options.with.empty()) add_published_columns();
  for (auto& column : table_.columns) mark_column(column);
}

Table TableBuilder::build() {
  const auto labels = entry_labels(board_.entries);
  for (std::size_t i = 0; i < board_.entries.size(); ++i) add_entry(board_.entries[i], labels[i]);
  require_differences();
  sort_rows(0, table_.rows.size());
  if (options_.bold) mark_best();
  if (options_.ladder) add_baselines();
  for (const auto& name : options_.with) add_published(find_published(published_key(name)));
  add_head();
  add_legend();
  return std::move(table_);
}

std::size_t TableBuilder::note(const std::string& text) {
  const auto found = std::find(table_.notes.begin(), table_.notes.end(), text);
  if (found == table_.notes.end()) {
    table_.notes.push_back(text);
    return table_.notes.size() - 1;
  }
  return static_cast<std::size_t>(found - table_.notes.begin());
}

void TableBuilder::add_mark(std::vector<std::size_t>& marks, std::size_t mark) {
  if (std::find(marks.begin(), marks.end(), mark) == marks.end()) marks.push_back(mark);
}

bool TableBuilder::shows_accuracy(const Column& column) {
  return column.kind == Kind::metric && column.metric->name == "accuracy";
}

bool TableBuilder::comparable_average(const Column& column) const {
  for (std::size_t i = 0; i < column.tasks; ++i) {
    const std::size_t at = board_.column_of(kLraTasks[i].name);
    if (at < board_.columns.size() && !board_.columns[at].data.comparable()) return false;
  }
  return true;
}

void TableBuilder::add_published_columns() {
  std::vector<Column> columns;
  for (const auto& column : table_.columns) {
    columns.push_back(column);
    const bool stand_in_average = column.kind == Kind::average && !comparable_average(column);
    const bool stand_in_task = shows_accuracy(column) && column.task.empty() &&
                               board_.columns[*column.at].data.origin != Origin::own &&
                               board_.column_of(board_.columns[*column.at].task) == *column.at;
    if (!stand_in_average && !stand_in_task) continue;
    Column published = column;
    published.id += ":published";
    published.title += ", published";
    published.at.reset();
    if (stand_in_task) published.task = board_.columns[*column.at].task;
    columns.push_back(std::move(published));
  }
  table_.columns = std::move(columns);
}

bool TableBuilder::published_only(const Column& column) {
  return column.id.ends_with(":published");
}

void TableBuilder::mark_column(Column& column) {
  const auto mark = [&](const DataClass& data) {
    if (data.origin == Origin::stand_in) {
      add_mark(column.marks, note("stand-in data, not comparable with the literature"));
    } else if (data.origin == Origin::own) {
      add_mark(column.marks, note("own data, no task of the benchmark"));
    } else if (data.origin == Origin::official_cut) {
      add_mark(column.marks,
               note("a part of the official data, not comparable with the literature"));
    }
  };
  if (published_only(column)) return;
  if (column.at) mark(board_.columns[*column.at].data);
  for (std::size_t i = 0; column.kind == Kind::average && i < column.tasks; ++i) {
    const std::size_t at = board_.column_of(kLraTasks[i].name);
    if (at < board_.columns.size()) mark(board_.columns[at].data);
  }
}

void TableBuilder::mark_best() {
  for (std::size_t c = 0; c < table_.columns.size(); ++c) {
    const Column& column = table_.columns[c];
    if (column.better == Better::neither) continue;
    std::map<double, std::vector<TableCell*>> shown;
    for (auto& row : table_.rows) {
      TableCell& cell = row.cells[c];
      if (!cell.value) continue;
      const double unit = std::pow(10, std::max(cell.decimals, 0));
      shown[cell.decimals < 0 ? *cell.value : std::round(*cell.value * unit)].push_back(&cell);
    }
    if (shown.size() < 2) continue;
    const auto& best =
        column.better == Better::higher ? shown.rbegin()->second : shown.begin()->second;
    for (TableCell* cell : best) cell->best = true;
  }
}

void TableBuilder::sort_rows(std::size_t first, std::size_t last) {
  const auto begin = table_.rows.begin() + static_cast<std::ptrdiff_t>(first);
  const auto end = table_.rows.begin() + static_cast<std::ptrdiff_t>(last);
  std::stable_sort(begin, end,
                   [](const TableRow& a, const TableRow& b) { return a.label < b.label; });
  if (options_.sort.empty()) return;
  const bool reverse = options_.sort.starts_with('-');
  const std::string word = options_.sort.substr(reverse ? 1 : 0);
  if (word == "model") {
    if (reverse) std::reverse(begin, end);
    return;
  }
  const auto wanted = select_columns(board_, {word});
  const auto column =
      std::find_if(table_.columns.begin(), table_.columns.end(),
                   [&](const Column& c) { return !wanted.empty() && c.id == wanted[0].id; });
  if (column == table_.columns.end()) {
    std::vector<std::string> ids{"model"};
    for (const auto& c : table_.columns) ids.push_back(c.id);
    fail(ErrorKind::usage, "sort: column '{}' is not in the table; it has {}", word,
         fmt::join(ids, ", "));
  }
  const auto at = static_cast<std::size_t>(column - table_.columns.begin());
  const bool ascending = (column->better == Better::lower) != reverse;
  std::stable_sort(begin, end, [&](const TableRow& a, const TableRow& b) {
    const TableCell& x = a.cells[at];
    const TableCell& y = b.cells[at];
    if (x.value.has_value() != y.value.has_value()) return x.value.has_value();
    if (!x.value) return x.text < y.text;
    return ascending ? *x.value < *y.value : *x.value > *y.value;
  });
}

Table build_table(const Leaderboard& board, const TableOptions& options) {
  return TableBuilder(board, options).build();
}

}  // namespace lra::results
