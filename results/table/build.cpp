#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
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

// "own data, text, 257 ids, length 300, ...": its options, without the list of labels and unchanged
// ones.
std::string describe_own_data(const DataClass& data) {
  const auto options = nlohmann::json::parse(data.options.text);
  const auto text_of = [&](const char* key) {
    const auto found = options.find(key);
    return found == options.end() ? std::string("?")
           : found->is_string()   ? found->get<std::string>()
                                  : found->dump();
  };
  std::string changed;  // ", permute 0": what makes other examples of the same files
  for (const auto& [key, value] : {std::pair{"colour", "keep"},
                                   {"permute", "-1"},
                                   {"words", ""},
                                   {"label_column", ""},
                                   {"text_columns", ""}}) {
    if (options.contains(key) && text_of(key) != value) {
      changed += fmt::format(", {} {}", key, text_of(key));
    }
  }
  return fmt::format("own data, {}, {} ids, length {}{}{}", text_of("kind"), text_of("vocabulary"),
                     text_of("max_length"), changed,
                     data.sha256 ? ", sha256 " + data.sha256->substr(0, 12) : "");
}

std::string describe_data(const DataClass& data) {
  if (data.origin == Origin::own) return describe_own_data(data);
  std::string text =
      data.origin ? fmt::format("{} data", name_of(*data.origin)) : std::string("no data");
  text += fmt::format(", task version {}", data.version);
  if (data.options.text != "{}") text += fmt::format(", options {}", data.options.text);
  if (data.sha256) text += fmt::format(", sha256 {}", data.sha256->substr(0, 12));
  return text;
}

std::string published_key(const std::string& word) {
  const std::string prefix = "published:";
  return word.starts_with(prefix) ? word.substr(prefix.size()) : word;
}

// Lists of sorted or unsorted texts without those of `others`.
std::vector<std::string> without(const std::vector<std::string>& list,
                                 const std::vector<std::string>& others) {
  std::vector<std::string> rest;
  std::copy_if(list.begin(), list.end(), std::back_inserter(rest), [&](const std::string& text) {
    return std::find(others.begin(), others.end(), text) == others.end();
  });
  return rest;
}

class Builder {
 public:
  Builder(const Leaderboard& board, const TableOptions& options)
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

  Table build() {
    const auto labels = entry_labels(board_.entries);
    for (std::size_t i = 0; i < board_.entries.size(); ++i) add_entry(board_.entries[i], labels[i]);
    sort_rows(0, table_.rows.size());
    if (options_.bold) mark_best();
    if (options_.ladder) add_baselines();
    for (const auto& name : options_.with) add_published(find_published(published_key(name)));
    add_head();
    add_legend();
    return std::move(table_);
  }

 private:
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

  static bool shows_accuracy(const Column& column) {
    return column.kind == Kind::metric && column.metric->name == "accuracy";
  }

  // Whether all data behind an average are comparable with the literature.
  [[nodiscard]] bool comparable_average(const Column& column) const {
    for (std::size_t i = 0; i < column.tasks; ++i) {
      const std::size_t at = board_.column_of(kLraTasks[i].name);
      if (at < board_.columns.size() && !board_.columns[at].data.comparable()) return false;
    }
    return true;
  }

  // The literature's scores get separate columns if ours are on stand-in data. For own data there
  // are none.
  void add_published_columns() {
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

  [[nodiscard]] static bool published_only(const Column& column) {
    return column.id.ends_with(":published");
  }

  void mark_column(Column& column) {
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

  void add_entry(const Entry& entry, const std::string& label) {
    TableRow row;
    row.label = label;
    const auto deviations = row_deviations(entry);
    if (!deviations.empty()) {
      add_mark(row.marks, note(fmt::format("free-for-all: deviates from protocol {}: {}",
                                           entry.protocol, fmt::join(deviations, "; "))));
    }
    if (const auto machine = machine_of(entry.environment); machine != reference_machine_) {
      add_mark(row.marks, note("another machine: " + machine));
    }
    if (board_.columns.size() == 1) {  // one cell per row: its marks are at the label, once
      for (const auto& [at, cell] : entry.cells) {
        for (const std::size_t mark : cell_marks(at, cell, entry)) add_mark(row.marks, mark);
      }
    }
    for (const auto& column : table_.columns) row.cells.push_back(entry_cell(entry, column));
    table_.rows.push_back(std::move(row));
  }

  // Deviations of a cell that are shared neither by its column nor by the whole board.
  [[nodiscard]] std::vector<std::string> own_deviations(std::size_t at, const Cell& cell) const {
    std::vector<std::string> rest = without(cell.deviations, board_.columns[at].deviations);
    std::erase_if(rest, [&](const std::string& text) {
      return std::find(board_.settings.begin(), board_.settings.end(), short_setting(text)) !=
             board_.settings.end();
    });
    return rest;
  }

  // Those shared by all cells of an entry: as recorded if the texts agree, else in short.
  [[nodiscard]] std::vector<std::string> row_deviations(const Entry& entry) const {
    std::vector<std::string> shared;
    std::vector<std::string> in_short;
    for (bool first = true; const auto& [at, cell] : entry.cells) {
      const auto own = own_deviations(at, cell);
      std::vector<std::string> own_short;
      for (const auto& text : own) own_short.push_back(short_setting(text));
      if (first) {
        shared = own;
        in_short = own_short;
      }
      first = false;
      std::erase_if(shared, [&](const std::string& text) {
        return std::find(own.begin(), own.end(), text) == own.end();
      });
      std::erase_if(in_short, [&](const std::string& text) {
        return std::find(own_short.begin(), own_short.end(), text) == own_short.end();
      });
    }
    for (const auto& text : in_short) {
      const bool known = std::any_of(shared.begin(), shared.end(), [&](const std::string& full) {
        return short_setting(full) == text;
      });
      if (!known) shared.push_back(text);
    }
    return shared;
  }

  TableCell entry_cell(const Entry& entry, const Column& column) {
    TableCell out;
    if (published_only(column)) return out;
    if (column.kind == Kind::entry_text) {
      out.text = column.name == "preset"      ? entry.preset
                 : column.name == "protocol"  ? entry.protocol
                 : column.name == "precision" ? std::string(name_of(entry.precision))
                                              : machine_of(entry.environment);
      return out;
    }
    if (column.kind == Kind::average) return average_cell(entry, column);
    const auto found = entry.cells.find(*column.at);
    if (found == entry.cells.end()) return out;
    const Cell& cell = found->second;
    fill(out, cell, column);
    if (board_.columns.size() > 1) out.marks = cell_marks(*column.at, cell, entry);
    if (column.metric != nullptr && column.metric->timing && out.value &&
        cell.measured == Timing::shared) {
      add_mark(out.marks, note("measured while other runs ran beside"));
    }
    if (shows_accuracy(column) && !column.task.empty() && delta_) {
      const PublishedRow* row = delta_->row_of(entry.attention.name);
      const auto score =
          row == nullptr ? decltype(row->scores.end())() : row->scores.find(column.task);
      if (row != nullptr && score != row->scores.end() && score->second.percent && out.value) {
        out.delta = *out.value - *score->second.percent;
      }
    }
    return out;
  }

  void fill(TableCell& out, const Cell& cell, const Column& column) {
    const Summary* accuracy = cell.metric("accuracy");
    if (column.kind == Kind::metric) {
      if (const Summary* summary = cell.metric(column.metric->name)) {
        const double scale = column.metric->scale;
        out.value = scale * summary->mean;
        if (summary->sd) out.sd = scale * *summary->sd;
        out.n = summary->n;
        out.decimals = column.metric->decimals;
        for (const auto& run : cell.runs) {
          if (run.status == Status::completed) out.runs.push_back(run.run_id);
        }
      } else if (column.metric->name == "accuracy") {
        out.text = name_of(cell.runs.front().status);  // none completed
        for (const auto& run : cell.runs) out.runs.push_back(run.run_id);
      }
    } else if (column.kind == Kind::versus && cell.versus) {
      const Versus& versus = *cell.versus;
      out.value = 100 * versus.test.mean_difference;
      out.n = versus.test.n;
      out.sign = true;
      if (versus.test.p_t) out.suffix = format_p(*versus.test.p_t);
      if (versus.p_mcnemar) out.suffix = format_p(*versus.p_mcnemar);
      versus_rows_.insert(versus.against);
    } else if (column.kind == Kind::agreement) {
      const auto found = cell.agreement.find(column.name);
      if (found != cell.agreement.end()) out.value = 100 * found->second;
    } else if (column.kind == Kind::interval && accuracy != nullptr) {
      if (const auto interval = cell.interval()) {
        out.text = fmt::format("{:.2f}–{:.2f}", 100 * interval->low, 100 * interval->high);
      }
    } else if (column.kind == Kind::seeds) {
      out.value = accuracy == nullptr ? 0.0 : static_cast<double>(accuracy->n);
      out.decimals = 0;
    } else if (column.kind == Kind::data) {
      out.text = describe_data(board_.columns[*column.at].data);
    } else if (column.kind == Kind::verdict) {
      out.text = fmt::format("{}", fmt::join(cell.verdicts, "; "));
    }
  }

  TableCell average_cell(const Entry& entry, const Column& column) {
    TableCell out;
    const auto average = board_.average(entry, column.tasks);
    if (!average) return out;
    out.value = 100 * average->mean;
    if (average->sd) out.sd = 100 * *average->sd;
    out.n = average->seeds;
    for (std::size_t i = 0; i < column.tasks; ++i) {
      const std::size_t at = board_.column_of(kLraTasks[i].name);
      const Cell& cell = entry.cells.at(at);
      for (const std::size_t mark : cell_marks(at, cell, entry)) add_mark(out.marks, mark);
      for (const auto& run : cell.runs) {
        if (run.status == Status::completed) out.runs.push_back(run.run_id);
      }
    }
    const PublishedRow* row = delta_ ? delta_->row_of(entry.attention.name) : nullptr;
    const Real published = row == nullptr ? Real() : average_of(*row, column.tasks);
    if (published && comparable_average(column)) out.delta = *out.value - *published;
    return out;
  }

  // What distinguishes a cell from the others of its column, in addition to its row.
  std::vector<std::size_t> cell_marks(std::size_t at, const Cell& cell, const Entry& entry) {
    std::vector<std::size_t> marks;
    const auto of_row = row_deviations(entry);
    std::vector<std::string> own = own_deviations(at, cell);
    std::erase_if(own, [&](const std::string& text) {
      return std::any_of(of_row.begin(), of_row.end(), [&](const std::string& stated) {
        return stated == text || stated == short_setting(text);
      });
    });
    for (const auto& reason : without(cell.division_reasons, cell.deviations)) {
      own.push_back(reason);
    }
    if (cell.division == Division::free_for_all && !own.empty()) {
      add_mark(marks, note(fmt::format("free-for-all: {}", fmt::join(own, "; "))));
    }
    for (const auto& search : cell.searches) {
      add_mark(marks, note("settings chosen by a search: " + search));
      searched_ = true;
    }
    std::set<std::int64_t> seeds;
    std::set<std::string> versions;
    for (const auto& run : cell.runs) {
      versions.insert(run.version);
      if (run.status != Status::completed) {
        add_mark(marks, note(fmt::format("{}, seed {}: {} ({})", board_.columns[at].title, run.seed,
                                         name_of(run.status), run.failure)));
      } else if (!seeds.insert(run.seed).second) {
        add_mark(marks, note(fmt::format("several runs of seed {}", run.seed)));
      }
    }
    if (versions.size() > 1) {
      add_mark(marks, note(fmt::format("runs of versions {}", fmt::join(versions, ", "))));
    }
    return marks;
  }

  // The best of several numbers as shown; none if all are shown equal.
  void mark_best() {
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

  void add_baselines() {
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

  // One title for a predictor of several tasks with "the task's rule: ..." for each: the text
  // before the colon.
  static std::string common_title(const std::string& a, const std::string& b) {
    if (a == b) return a;
    std::size_t same = 0;
    while (same < std::min(a.size(), b.size()) && a[same] == b[same]) ++same;
    const std::size_t colon = a.rfind(':', same);
    if (colon == std::string::npos && b.starts_with(a + ":")) return a;
    return colon == std::string::npos ? a : a.substr(0, colon);
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

  TableRow published_row(const Published& published, const PublishedRow& line) const {
    TableRow row;
    row.kind = TableRow::Kind::published;
    row.label = fmt::format("{} ({})", line.model, published.short_name());
    row.cite = published.bibtex_key();
    const char* metric = published.kind == "train_accuracy" ? "train_accuracy" : "accuracy";
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

  // "2026-01-31" from a time in UTC.
  static std::string day_of(const std::string& time) { return time.substr(0, time.find('T')); }

  void add_head() {
    std::set<std::string> presets;
    std::set<std::string> protocols;
    std::set<std::string> precisions;
    for (const auto& entry : board_.entries) {
      presets.insert(entry.preset);
      protocols.insert(entry.protocol);
      precisions.emplace(name_of(entry.precision));
    }
    table_.head.push_back(fmt::format("Preset {}; protocol {}; {}. Machine: {}.",
                                      fmt::join(presets, ", "), fmt::join(protocols, ", "),
                                      fmt::join(precisions, ", "), reference_machine_));
    if (!board_.settings.empty()) {
      table_.head.push_back(fmt::format("Every run is free-for-all, changed alike: {}.",
                                        fmt::join(board_.settings, ", ")));
    }
    if (const auto options = shared_options(board_.entries); !options.empty()) {
      table_.head.push_back(fmt::format("Every attention with {}.", fmt::join(options, ", ")));
    }
    const std::string first = day_of(board_.first_started);
    const std::string last = day_of(board_.last_started);
    constexpr std::size_t kNamed = 3;  // programs; more are counted
    table_.head.push_back(fmt::format(
        "Runs of {}, by lra {}.", first == last ? first : fmt::format("{} to {}", first, last),
        board_.programs.size() <= kNamed
            ? fmt::format("{}", fmt::join(board_.programs, ", "))
            : fmt::format("{} and {} other versions", board_.programs.back(),
                          board_.programs.size() - 1)));
  }

  void add_legend() {
    auto& legend = table_.legend;
    const auto has = [&](auto predicate) {
      return std::any_of(table_.columns.begin(), table_.columns.end(), predicate);
    };
    legend.emplace_back(
        table_.seeds ? "Mean ± standard deviation over seeds (number of seeds); — is missing."
                     : "Mean ± standard deviation over seeds; — is missing.");
    for (std::size_t i = 0; i < board_.columns.size(); ++i) {
      if (!has([&](const Column& column) {
            return column.at == i ||
                   (column.kind == Kind::average && board_.column_of(board_.columns[i].task) == i);
          })) {
        continue;
      }
      const BoardColumn& column = board_.columns[i];
      std::string line = fmt::format("{}: {}", column.title, describe_data(column.data));
      if (column.test_count) {
        line += fmt::format("; {} test {}",
                            format_number(static_cast<double>(*column.test_count), 0), column.unit);
      }
      if (!column.deviations.empty()) {
        line += fmt::format("; every run free-for-all: {}", fmt::join(column.deviations, ", "));
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
    if (searched_) {
      legend.emplace_back(
          "Searches saw train and validation alone; where none is noted, settings were not "
          "searched for.");
    }
    if (!versus_rows_.empty()) {
      const auto labels = entry_labels(board_.entries);
      std::set<std::string> rows;
      for (const std::size_t row : versus_rows_) rows.insert(labels[row]);
      legend.push_back(fmt::format(
          "Difference to baseline: paired over common seeds with the row {}; p of "
          "Student's paired t test, of a single seed of McNemar's test on the same test "
          "examples, which knows nothing of the noise between seeds.",
          fmt::join(rows, "; ")));
    } else if (has([](const Column& c) { return c.kind == Kind::versus; })) {
      legend.push_back(fmt::format("Difference to baseline: there is no row of {} to compare with.",
                                   board_.baseline));
    }
    if (has([](const Column& c) { return c.kind == Kind::interval; })) {
      legend.emplace_back(
          "95 % interval: of one seed Wilson's over test examples, of several Student's t over "
          "seeds.");
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
  std::string reference_machine_;
  std::optional<Published> delta_;
  bool searched_ = false;              // a cell's settings were chosen by a search
  std::set<std::size_t> versus_rows_;  // entries that the differences are to
  std::vector<std::string> left_out_;
};

}  // namespace

Table build_table(const Leaderboard& board, const TableOptions& options) {
  return Builder(board, options).build();
}

}  // namespace lra::results
