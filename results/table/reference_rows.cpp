// Rows to compare the measured ones with: predictors without a model, and the literature.

#include <algorithm>
#include <set>
#include <utility>

#include "engine/base/error.h"
#include "results/table/builder.h"

namespace lra::results {
namespace {

using Kind = Column::Kind;

}  // namespace

std::string published_key(const std::string& word) {
  const std::string prefix = "published:";
  return word.starts_with(prefix) ? word.substr(prefix.size()) : word;
}

std::string_view scored_metric(const Published& published) {
  return published.kind == "train_accuracy" ? "train_accuracy" : "accuracy";
}

void TableBuilder::require_differences() const {
  const bool any = std::any_of(table_.rows.begin(), table_.rows.end(), [](const TableRow& row) {
    return std::any_of(row.cells.begin(), row.cells.end(),
                       [](const TableCell& cell) { return cell.delta.has_value(); });
  });
  if (delta_ && !any) {
    fail(ErrorKind::usage,
         "published:{}: gives no difference; it is a table of {}, and has none of these variants "
         "on these tasks with official or generated data; leave out --delta",
         delta_->key, delta_->kind);
  }
}

void TableBuilder::add_baselines() {
  std::vector<std::pair<std::string, TableRow>> rows;  // by baseline name
  for (std::size_t c = 0; c < table_.columns.size(); ++c) {
    const Column& column = table_.columns[c];
    if (!shows_accuracy(column) || !column.at) continue;
    for (const auto& of_column : board_.baselines) {
      if (of_column.column != *column.at) continue;
      for (const auto& baseline : of_column.baselines) {
        auto row = std::find_if(rows.begin(), rows.end(),
                                [&](const auto& item) { return item.first == baseline.name; });
        if (row == rows.end()) {
          TableRow fresh;
          fresh.kind = TableRow::Kind::baseline;
          fresh.label = baseline.title;
          fresh.cells.resize(table_.columns.size());
          row = rows.insert(rows.end(), {baseline.name, std::move(fresh)});
        }
        row->second.label = common_title(row->second.label, baseline.title);
        row->second.cells[c].value = 100 * baseline.accuracy;
      }
    }
  }
  for (auto& [name, row] : rows) table_.rows.push_back(std::move(row));
}

std::string TableBuilder::common_title(const std::string& a, const std::string& b) {
  if (a == b) return a;
  std::size_t same = 0;
  while (same < std::min(a.size(), b.size()) && a[same] == b[same]) ++same;
  const std::size_t colon = a.rfind(':', same);
  if (colon == std::string::npos && b.starts_with(a + ":")) return a;
  return colon == std::string::npos ? a : a.substr(0, colon);
}

void TableBuilder::add_published(const Published& published) {
  const std::size_t first = table_.rows.size();
  std::set<std::string> shown;
  for (const auto& name : options_.with) shown.insert(find_published(published_key(name)).key);
  std::size_t repeated = 0;
  for (const auto& line : published.rows) {
    if (shown.count(line.copied_from) != 0) {
      ++repeated;
      continue;
    }
    TableRow row = published_row(published, line);
    const bool any = std::any_of(row.cells.begin(), row.cells.end(), [](const TableCell& cell) {
      return cell.value || !cell.text.empty();
    });
    if (!any) continue;
    add_mark(row.marks, note("published, not measured here: " + published.source_line()));
    if (!line.copied_from.empty()) add_mark(row.marks, note("copied from " + line.copied_from));
    if (!line.note.empty()) add_mark(row.marks, note(line.note));
    table_.rows.push_back(std::move(row));
  }
  if (table_.rows.size() == first && repeated == 0) {
    fail(ErrorKind::usage, "published:{}: has nothing for these columns; it is a table of {}",
         published.key, published.kind);
  }
  if (table_.rows.size() > first && !published.bibtex_key().empty()) {
    const std::string entry = published.bibtex();
    if (std::find(table_.bibtex.begin(), table_.bibtex.end(), entry) == table_.bibtex.end()) {
      table_.bibtex.push_back(entry);
    }
  }
  if (repeated > 0) {
    left_out_.push_back(
        fmt::format("{} rows of {} repeat another table shown here and are left out.", repeated,
                    published.key));
  }
  sort_rows(first, table_.rows.size());
}

TableRow TableBuilder::published_row(const Published& published, const PublishedRow& line) const {
  TableRow row;
  row.kind = TableRow::Kind::published;
  row.label = fmt::format("{} ({})", line.model, published.short_name());
  row.cite = published.bibtex_key();
  const std::string_view metric = scored_metric(published);
  for (const auto& column : table_.columns) {
    TableCell cell;
    if (column.kind == Kind::metric && column.metric->name == metric && !column.task.empty()) {
      const auto score = line.scores.find(column.task);
      if (score != line.scores.end()) {
        cell.value = score->second.percent;
        if (score->second.failed) cell.text = "FAIL";
      }
    } else if (column.kind == Kind::average && published.kind == "accuracy" &&
               (published_only(column) || comparable_average(column))) {
      cell.value = average_of(line, column.tasks);
    }
    row.cells.push_back(std::move(cell));
  }
  return row;
}

}  // namespace lra::results
