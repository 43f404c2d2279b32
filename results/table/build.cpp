#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "engine/base/error.h"
#include "results/table/table.h"

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

std::string describe_data(const DataClass& data) {
  std::string text =
      data.origin ? fmt::format("{} data", name_of(*data.origin)) : std::string("no data");
  text += fmt::format(", task version {}", data.version);
  if (data.options.text != "{}") text += fmt::format(", options {}", data.options.text);
  if (data.sha256) text += fmt::format(", sha256 {}", data.sha256->substr(0, 12));
  return text;
}

class Builder {
 public:
  Builder(const Leaderboard& board, const TableOptions& options)
      : board_(board), options_(options) {
    table_.caption = options.caption;
    table_.columns = select_columns(board, options.columns);
    for (const auto& entry : board.entries) {
      for (const auto& [task, cell] : entry.cells) {
        tasks_.emplace(task, cell.title);
        data_classes_[task].push_back(cell.data);
      }
    }
    for (const auto& [task, classes] : data_classes_) {
      std::vector<DataClass> comparable;
      std::copy_if(classes.begin(), classes.end(), std::back_inserter(comparable),
                   [](const DataClass& data) { return data.comparable(); });
      reference_data_.emplace(task, most_frequent(comparable.empty() ? classes : comparable));
    }
    std::vector<std::string> machines;
    for (const auto& entry : board.entries) machines.push_back(machine_of(entry.environment));
    reference_machine_ = most_frequent(machines);
    if (!options.delta.empty()) delta_ = find_published(published_key(options.delta));
  }

  Table build() {
    const auto labels = entry_labels(board_.entries);
    for (std::size_t i = 0; i < board_.entries.size(); ++i) add_entry(board_.entries[i], labels[i]);
    sort_rows(0, table_.rows.size());
    if (options_.ladder) add_baselines();
    for (const auto& name : options_.with) add_published(find_published(published_key(name)));
    add_legend();
    return std::move(table_);
  }

 private:
  static std::string published_key(const std::string& word) {
    const std::string prefix = "published:";
    return word.starts_with(prefix) ? word.substr(prefix.size()) : word;
  }

  std::size_t note(const std::string& text) {
    const auto found = std::find(table_.notes.begin(), table_.notes.end(), text);
    if (found == table_.notes.end()) {
      table_.notes.push_back(text);
      return table_.notes.size() - 1;
    }
    return static_cast<std::size_t>(found - table_.notes.begin());
  }

  static void add_mark(std::vector<std::size_t>& marks, std::size_t mark) {
    if (std::find(marks.begin(), marks.end(), mark) == marks.end()) marks.push_back(mark);
  }

  void add_entry(const Entry& entry, const std::string& label) {
    TableRow row;
    row.label = label;
    if (!entry.deviations.empty()) {
      add_mark(row.marks, note(fmt::format("free-for-all: deviates from protocol {}: {}",
                                           entry.protocol, fmt::join(entry.deviations, "; "))));
    }
    if (const auto machine = machine_of(entry.environment); machine != reference_machine_) {
      add_mark(row.marks, note("another machine: " + machine));
    }
    if (tasks_.size() == 1) {  // one cell a row: its marks stand at the label, once
      for (const auto& [task, cell] : entry.cells) {
        for (const std::size_t mark : cell_marks(task, cell, entry)) add_mark(row.marks, mark);
      }
    }
    for (const auto& column : table_.columns) row.cells.push_back(entry_cell(entry, column));
    table_.rows.push_back(std::move(row));
  }

  TableCell entry_cell(const Entry& entry, const Column& column) {
    TableCell out;
    if (column.kind == Kind::entry_text) {
      out.text = column.name == "preset"      ? entry.preset
                 : column.name == "protocol"  ? entry.protocol
                 : column.name == "precision" ? entry.precision
                                              : machine_of(entry.environment);
      return out;
    }
    if (column.kind == Kind::average) return average_cell(entry, column);
    const auto found = entry.cells.find(column.task);
    if (found == entry.cells.end()) return out;
    const Cell& cell = found->second;
    fill(out, cell, column);
    if (tasks_.size() > 1) out.marks = cell_marks(column.task, cell, entry);
    if (column.metric != nullptr && column.metric->timing && out.value &&
        cell.measured == "shared") {
      add_mark(out.marks, note("measured while other runs ran beside"));
    }
    if (column.kind == Kind::metric && column.metric->name == "accuracy" &&
        cell.data.comparable()) {
      const PublishedRow* row = delta_ ? delta_->row_of(entry.attention.name) : nullptr;
      const auto score =
          row == nullptr ? decltype(row->scores.end())() : row->scores.find(column.task);
      if (row != nullptr && score != row->scores.end() && score->second.percent && out.value) {
        out.delta = *out.value - *score->second.percent;
      }
    }
    return out;
  }

  static void fill(TableCell& out, const Cell& cell, const Column& column) {
    const Summary* accuracy = cell.metric("accuracy");
    if (column.kind == Kind::metric) {
      if (const Summary* summary = cell.metric(column.metric->name)) {
        const double scale = column.metric->scale;
        out.value = scale * summary->mean;
        if (summary->sd) out.sd = scale * *summary->sd;
        out.n = summary->n;
        out.decimals = column.metric->decimals;
      } else if (column.metric->name == "accuracy") {
        out.text = name_of(cell.runs.front().status);  // none completed
      }
    } else if (column.kind == Kind::versus && cell.versus) {
      out.value = 100 * cell.versus->test.mean_difference;
      out.n = cell.versus->test.n;
      out.sign = true;
      if (cell.versus->test.p_t) out.suffix = format_p(*cell.versus->test.p_t);
    } else if (column.kind == Kind::agreement) {
      const auto found = cell.agreement.find(column.name);
      if (found != cell.agreement.end()) out.value = 100 * found->second;
    } else if (column.kind == Kind::interval && accuracy != nullptr) {
      const auto interval = accuracy->n == 1 ? cell.wilson95 : accuracy->interval95;
      if (interval)
        out.text = fmt::format("{:.2f}–{:.2f}", 100 * interval->low, 100 * interval->high);
    } else if (column.kind == Kind::seeds) {
      out.value = accuracy == nullptr ? 0.0 : static_cast<double>(accuracy->n);
      out.decimals = 0;
    } else if (column.kind == Kind::data) {
      out.text = describe_data(cell.data);
    } else if (column.kind == Kind::verdict) {
      out.text = fmt::format("{}", fmt::join(cell.verdicts, "; "));
    }
  }

  TableCell average_cell(const Entry& entry, const Column& column) {
    TableCell out;
    const Real average = entry.average(column.tasks);
    if (!average) return out;
    out.value = 100 * *average;
    bool comparable = true;
    for (std::size_t i = 0; i < column.tasks; ++i) {
      const Cell& cell = entry.cells.at(std::string(kLraTasks[i].name));
      comparable = comparable && cell.data.comparable();
      for (const std::size_t mark : cell_marks(std::string(kLraTasks[i].name), cell, entry)) {
        add_mark(out.marks, mark);
      }
    }
    const PublishedRow* row = delta_ ? delta_->row_of(entry.attention.name) : nullptr;
    const Real published = row == nullptr ? Real() : average_of(*row, column.tasks);
    if (published && comparable) out.delta = *out.value - *published;
    return out;
  }

  std::vector<std::size_t> cell_marks(const std::string& task, const Cell& cell,
                                      const Entry& entry) {
    std::vector<std::size_t> marks;
    if (cell.data.origin == Origin::stand_in) {
      add_mark(marks, note("stand-in data, not comparable with the literature"));
    }
    if (!(cell.data == reference_data_.at(task))) {
      add_mark(marks, note(fmt::format("other data: {}", describe_data(cell.data))));
    }
    std::vector<std::string> reasons;
    for (const auto& reason : cell.division_reasons) {
      const auto& stated = entry.deviations;
      if (std::find(stated.begin(), stated.end(), reason) == stated.end())
        reasons.push_back(reason);
    }
    if (cell.division == Division::free_for_all && !reasons.empty()) {
      add_mark(marks, note(fmt::format("free-for-all: {}", fmt::join(reasons, "; "))));
    }
    std::set<std::int64_t> seeds;
    for (const auto& run : cell.runs) {
      if (run.status != Status::completed) {
        add_mark(marks, note(fmt::format("{}, seed {}: {} ({})", cell.title, run.seed,
                                         name_of(run.status), run.failure)));
      } else if (!seeds.insert(run.seed).second) {
        add_mark(marks, note(fmt::format("several runs of seed {}", run.seed)));
      }
    }
    if (cell.versions.size() > 1) {
      add_mark(marks, note(fmt::format("runs of versions {}", fmt::join(cell.versions, ", "))));
    }
    return marks;
  }

  // Best first by --sort; rows without a number last; equal ones by label.
  void sort_rows(std::size_t first, std::size_t last) {
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

  static bool shows_accuracy(const Column& column) {
    return column.kind == Kind::metric && column.metric->name == "accuracy";
  }

  void add_baselines() {
    std::vector<std::pair<std::string, TableRow>> rows;  // by baseline name
    for (std::size_t c = 0; c < table_.columns.size(); ++c) {
      const Column& column = table_.columns[c];
      if (!shows_accuracy(column)) continue;
      for (const auto& task : board_.baselines) {
        if (task.task != column.task || !(task.data == reference_data_.at(task.task))) continue;
        for (const auto& baseline : task.baselines) {
          auto row = std::find_if(rows.begin(), rows.end(),
                                  [&](const auto& item) { return item.first == baseline.name; });
          if (row == rows.end()) {
            TableRow fresh;
            fresh.kind = TableRow::Kind::baseline;
            fresh.label = baseline.title;
            fresh.cells.resize(table_.columns.size());
            row = rows.insert(rows.end(), {baseline.name, std::move(fresh)});
          }
          row->second.cells[c].value = 100 * baseline.accuracy;
        }
      }
    }
    for (auto& [name, row] : rows) table_.rows.push_back(std::move(row));
  }

  void add_published(const Published& published) {
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
    if (repeated > 0) {
      left_out_.push_back(
          fmt::format("{} rows of {} repeat another table shown here and are left out.", repeated,
                      published.key));
    }
    sort_rows(first, table_.rows.size());
  }

  TableRow published_row(const Published& published, const PublishedRow& line) {
    TableRow row;
    row.kind = TableRow::Kind::published;
    row.label = fmt::format("{} ({})", line.model, published.short_name());
    const char* metric = published.kind == "train_accuracy" ? "train_accuracy" : "accuracy";
    for (const auto& column : table_.columns) {
      TableCell cell;
      if (column.kind == Kind::metric && column.metric->name == metric) {
        const auto score = line.scores.find(column.task);
        if (score != line.scores.end()) {
          cell.value = score->second.percent;
          if (score->second.failed) cell.text = "FAIL";
        }
      } else if (column.kind == Kind::average && published.kind == "accuracy") {
        cell.value = average_of(line, column.tasks);
      }
      row.cells.push_back(std::move(cell));
    }
    return row;
  }

  [[nodiscard]] Count test_count(const std::string& task, const DataClass& data) const {
    for (const auto& entry : board_.entries) {
      const auto cell = entry.cells.find(task);
      if (cell != entry.cells.end() && cell->second.data == data && cell->second.test_count) {
        return cell->second.test_count;
      }
    }
    return std::nullopt;
  }

  void add_legend() {
    auto& legend = table_.legend;
    const auto has = [&](auto predicate) {
      return std::any_of(table_.columns.begin(), table_.columns.end(), predicate);
    };
    legend.emplace_back("Mean ± standard deviation over seeds (number of seeds); — is missing.");
    std::vector<std::string> protocols;
    for (const auto& entry : board_.entries) protocols.push_back(entry.protocol);
    const std::set<std::string> distinct(protocols.begin(), protocols.end());
    legend.push_back(
        fmt::format("Protocol: {}. Machine: {}.", fmt::join(distinct, ", "), reference_machine_));
    for (const auto& [task, data] : reference_data_) {
      std::string line = fmt::format("{}: {}", tasks_.at(task), describe_data(data));
      if (const auto count = test_count(task, data)) {
        line += fmt::format("; {} test examples", format_number(static_cast<double>(*count), 0));
      }
      legend.push_back(line + ".");
    }
    if (has([](const Column& c) { return c.kind == Kind::average && c.tasks == 5; })) {
      legend.emplace_back("Average of five tasks: ListOps, Text, Retrieval, Image, Pathfinder.");
    }
    if (has([](const Column& c) { return c.kind == Kind::average && c.tasks == 6; })) {
      legend.emplace_back(
          "Average of six tasks: the five and Path-X; none without a number for each.");
    }
    if (has([](const Column& c) { return c.kind == Kind::versus; })) {
      legend.push_back(fmt::format(
          "Difference to baseline: paired with {} over common seeds; p of Student's paired t test.",
          board_.baseline));
    }
    if (has([](const Column& c) { return c.kind == Kind::interval; })) {
      legend.emplace_back("95 % interval: Wilson for one seed, bootstrap of the mean for several.");
    }
    if (delta_) {
      legend.push_back(fmt::format("Δ: difference in points to the same variant in {} ({}).",
                                   delta_->key, delta_->source_line()));
    }
    legend.insert(legend.end(), left_out_.begin(), left_out_.end());
  }

  const Leaderboard& board_;
  const TableOptions& options_;
  Table table_;
  std::map<std::string, std::string, TaskBefore> tasks_;  // name -> title
  std::map<std::string, std::vector<DataClass>> data_classes_;
  std::map<std::string, DataClass, TaskBefore> reference_data_;
  std::string reference_machine_;
  std::optional<Published> delta_;
  std::vector<std::string> left_out_;
};

}  // namespace

Table build_table(const Leaderboard& board, const TableOptions& options) {
  return Builder(board, options).build();
}

}  // namespace lra::results
