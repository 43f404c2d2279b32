#include "results/analysis/leaderboard.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>

#include "engine/base/error.h"
#include "results/record/answers.h"
#include "results/record/metrics.h"

namespace lra::results {
namespace {

using nlohmann::json;
using Pointers = std::vector<const Record*>;

int origin_rank(const std::optional<Origin>& origin) {
  return origin ? static_cast<int>(*origin) : 5;
}

DataClass data_of(const Record& record) {
  return {record.task.origin, record.task.data_sha256, record.task.version, record.task.options};
}

// A deviation "KEY: VALUE instead of STANDARD" in its parts; KEY alone if it has another form.
struct Setting {
  explicit Setting(const std::string& deviation) {
    const std::size_t colon = deviation.find(": ");
    key = deviation.substr(0, colon);
    if (colon == std::string::npos) return;
    value = deviation.substr(colon + 2);
    const std::size_t instead = value.rfind(kInstead);
    if (instead == std::string::npos) return;
    standard = value.substr(instead + kInstead.size());
    value.resize(instead);
  }
  static constexpr std::string_view kInstead = " instead of ";
  std::string key, value;
  std::optional<std::string> standard;
};

std::string short_text(const std::string& key, std::string value) {
  if (value.empty()) return key;
  if (value.size() > 2 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
  }
  return key + "=" + value;
}

// Properties shared by every run of a row; Rows handles its changed settings.
auto conditions(const Record& record) {
  return std::tuple(record.attention.name, record.attention.options.text, record.preset,
                    record.protocol, record.precision, machine_of(record.environment));
}
using Conditions = decltype(conditions(std::declval<const Record&>()));

// Records in an order that depends on their content alone.
Pointers ordered(const std::vector<Record>& records) {
  Pointers order;
  order.reserve(records.size());
  for (const auto& record : records) order.push_back(&record);
  const auto key = [](const Record* record) {
    return std::tuple(record->seed, std::string_view(record->run_id),
                      machine_of(record->environment), record->task.data_sha256.value_or(""));
  };
  std::sort(order.begin(), order.end(),
            [&](const Record* a, const Record* b) { return key(a) < key(b); });
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (key(order[i - 1]) == key(order[i])) {
      fail(ErrorKind::data, "leaderboard: run {} occurs twice for one machine and the same data",
           order[i]->run_id);
    }
  }
  return order;
}

void add_unique(std::vector<std::string>& list, const std::string& value) {
  const auto at = std::lower_bound(list.begin(), list.end(), value);
  if (at == list.end() || *at != value) list.insert(at, value);
}

// What distinguishes the data of a task from its first: differing options, the origin, or the
// digest.
std::string difference_of(const DataClass& data, const DataClass& first) {
  std::vector<std::string> parts;
  const json mine = json::parse(data.options.text);
  const json theirs = json::parse(first.options.text);
  for (const auto& [key, value] : mine.items()) {
    if (theirs.value(key, json()) != value) parts.push_back(short_text(key, value.dump()));
  }
  for (const auto& [key, value] : theirs.items()) {
    if (!mine.contains(key)) parts.push_back("no " + key);
  }
  if (data.version != first.version) parts.push_back(fmt::format("task version {}", data.version));
  if (data.origin != first.origin) {
    parts.push_back(data.origin ? fmt::format("{} data", name_of(*data.origin)) : "no data");
  }
  if (parts.empty()) {
    parts.push_back(data.sha256 ? "data " + data.sha256->substr(0, 8) : std::string("no data"));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

// The columns, and the column of each record.
class Columns {
 public:
  explicit Columns(const Pointers& order) {
    std::map<std::string, std::map<DataClass, std::int64_t>, TaskBefore> tasks;
    for (const auto* record : order) {
      auto& classes = tasks[record->task.name];
      if (record->task.origin) ++classes[data_of(*record)];
    }
    for (const auto* record : order) {  // runs that failed before their data were open
      auto& classes = tasks[record->task.name];
      if (!record->task.origin && !home_of(*record, classes)) classes[data_of(*record)] = 0;
    }
    for (const auto& [task, classes] : tasks) add_task(task, classes);
    std::set<std::size_t> titled;
    for (const auto* record : order) {
      const auto home = home_of(*record, tasks[record->task.name]);
      const DataClass data = home ? *home : data_of(*record);
      const auto at = std::find_if(columns.begin(), columns.end(), [&](const BoardColumn& column) {
        return column.task == record->task.name && column.data == data;
      });
      column_of[record] = static_cast<std::size_t>(at - columns.begin());
      if (!titled.insert(column_of[record]).second) continue;
      at->title = at->title.empty() ? record->task.title
                                    : fmt::format("{} ({})", record->task.title, at->title);
    }
  }

  std::vector<BoardColumn> columns;
  std::map<const Record*, std::size_t> column_of;

 private:
  using Classes = std::map<DataClass, std::int64_t>;  // with the number of their runs

  // Usual data first: comparable ones, then those of most runs.
  static std::vector<DataClass> by_use(const Classes& classes) {
    std::vector<DataClass> sorted;
    for (const auto& [data, runs] : classes) sorted.push_back(data);
    std::stable_sort(sorted.begin(), sorted.end(), [&](const DataClass& a, const DataClass& b) {
      if (a.comparable() != b.comparable()) return a.comparable();
      return classes.at(a) > classes.at(b);
    });
    return sorted;
  }

  // The column of data for a run whose own data could not be opened; none if no data have its task
  // options.
  static std::optional<DataClass> home_of(const Record& record, const Classes& classes) {
    if (record.task.origin) return std::nullopt;
    for (const DataClass& data : by_use(classes)) {
      if (data.origin && data.options == record.task.options) return data;
    }
    return std::nullopt;
  }

  void add_task(const std::string& task, const Classes& classes) {
    const auto sorted = by_use(classes);
    std::map<std::string, int> uses;
    for (const DataClass& data : sorted) {
      BoardColumn column;
      column.task = column.id = task;
      column.data = data;
      if (&data != &sorted.front()) {
        column.id += "@" + (data.sha256 ? data.sha256->substr(0, 8) : std::string("none"));
        column.title = difference_of(data, sorted.front());
      }
      if (const int repeats = uses[column.id]++) column.id += fmt::format(".{}", repeats + 1);
      columns.push_back(std::move(column));
    }
  }
};

// The changed settings that separate rows: those in which runs of equal conditions differ within a
// column.
class Rows {
 public:
  Rows(const Pointers& order, const std::map<const Record*, std::size_t>& column_of)
      : column_of_(column_of) {
    for (const auto* record : order) {
      Variant& variant = variants_[conditions(*record)];
      const std::size_t column = column_of.at(record);
      ++variant.runs[column];
      for (const auto& text : record->deviations) {
        const Setting setting(text);
        ++variant.stated[setting.key][column][setting.value];
        variant.values[setting.key].insert(setting.value);
        if (setting.standard) standards_[column][setting.key] = *setting.standard;
      }
    }
    for (auto& [key, variant] : variants_) {
      for (const auto& [setting, columns] : variant.stated) {
        for (const auto& [column, values] : columns) {
          if (values.size() > 1 || values.begin()->second < variant.runs.at(column)) {
            variant.telling.insert(setting);
          }
        }
      }
    }
    // Runs of one cell that still differ, e.g. in the standard value: their deviations in full.
    std::map<std::tuple<Conditions, std::vector<std::string>, std::size_t>,
             std::set<std::vector<std::string>>>
        cells;
    for (const auto* record : order) {
      cells[{conditions(*record), settings_of(*record), column_of.at(record)}].insert(
          record->deviations);
    }
    for (const auto& [key, deviations] : cells) {
      if (deviations.size() > 1) variants_.at(std::get<0>(key)).verbatim = true;
    }
  }

  [[nodiscard]] std::vector<std::string> settings_of(const Record& record) const {
    const Variant& variant = variants_.at(conditions(record));
    if (variant.verbatim) return record.deviations;
    std::map<std::string, std::string> values;
    for (const auto& text : record.deviations) {
      const Setting setting(text);
      values.emplace(setting.key, setting.value);
    }
    std::vector<std::string> settings;
    for (const auto& key : variant.telling) {
      const auto stated = values.find(key);
      if (stated != values.end()) {
        settings.push_back(short_text(key, stated->second));
      } else if (const auto standard = standard_of(record, key);
                 standard && variant.values.at(key).count(*standard) != 0) {
        settings.push_back(short_text(key, *standard));  // another task had to be set to it
      }
    }
    return settings;
  }

 private:
  struct Variant {
    std::map<std::size_t, std::int64_t> runs;  // by column
    // Setting -> column -> value -> runs that state it.
    std::map<std::string, std::map<std::size_t, std::map<std::string, std::int64_t>>> stated;
    std::map<std::string, std::set<std::string>> values;
    std::set<std::string> telling;
    bool verbatim = false;
  };

  [[nodiscard]] std::optional<std::string> standard_of(const Record& record,
                                                       const std::string& key) const {
    const auto column = standards_.find(column_of_.at(&record));
    if (column == standards_.end()) return std::nullopt;
    const auto found = column->second.find(key);
    return found == column->second.end() ? std::nullopt : std::optional(found->second);
  }

  const std::map<const Record*, std::size_t>& column_of_;
  std::map<Conditions, Variant> variants_;
  std::map<std::size_t, std::map<std::string, std::string>> standards_;  // by column and key
};

// Settings shared by all runs of the board, in short, and others shared by a column, as recorded.
void collect_shared(const Pointers& order, const Columns& columns, Leaderboard& board) {
  const auto common = [](std::vector<std::string>& list, std::vector<std::string> more,
                         bool first) {
    std::sort(more.begin(), more.end());
    if (first) {
      list = std::move(more);
    } else {
      std::erase_if(list, [&](const std::string& text) {
        return !std::binary_search(more.begin(), more.end(), text);
      });
    }
  };
  std::set<std::size_t> begun;
  for (const auto* record : order) {
    std::vector<std::string> in_short;
    for (const auto& text : record->deviations) in_short.push_back(short_setting(text));
    common(board.settings, in_short, record == order.front());
    const std::size_t column = columns.column_of.at(record);
    common(board.columns[column].deviations, record->deviations, begun.insert(column).second);
  }
  for (auto& column : board.columns) {
    std::erase_if(column.deviations, [&](const std::string& text) {
      return std::find(board.settings.begin(), board.settings.end(), short_setting(text)) !=
             board.settings.end();
    });
  }
}

void summarize_metrics(const Pointers& completed, Cell& cell) {
  const auto exclusive = [](const Record* run) { return run->speed.measured == Timing::exclusive; };
  const auto timed = [](const Record* run) { return run->speed.measured.has_value(); };
  const bool any_exclusive = std::any_of(completed.begin(), completed.end(), exclusive);
  if (any_exclusive) {
    cell.measured = Timing::exclusive;
  } else if (std::any_of(completed.begin(), completed.end(), timed)) {
    cell.measured = Timing::shared;
  }
  for (const auto& metric : metrics()) {
    std::vector<double> values;
    for (const auto* run : completed) {
      if (metric.timing && any_exclusive && !exclusive(run)) continue;
      if (const Real value = metric.of(*run)) values.push_back(*value);
    }
    if (auto summary = summarize(values)) {
      if (summary->interval95 && metric.unit == "%") {  // a share
        summary->interval95 = Interval{std::max(0.0, summary->interval95->low),
                                       std::min(1.0, summary->interval95->high)};
      }
      cell.metrics.emplace(std::string(metric.name), *summary);
    }
  }
}

void summarize_agreement(const Pointers& completed, Cell& cell) {
  std::map<std::string, std::vector<double>> values;
  for (const auto* run : completed) {
    for (const auto& baseline : run->baselines) {
      if (baseline.agreement) values[baseline.name].push_back(*baseline.agreement);
    }
  }
  for (const auto& [name, shares] : values) cell.agreement[name] = summarize(shares)->mean;
}

RunLine line_of(const Record& record) {
  RunLine line;
  line.run_id = record.run_id;
  line.seed = record.seed;
  line.status = record.status;
  line.failure = record.failure.value_or("");
  if (record.status == Status::completed) line.accuracy = record.accuracy.value.test;
  line.started = record.time.started;
  line.version = record.environment.version;
  line.commit = record.environment.commit;
  line.dirty = record.environment.dirty;
  line.data_sha256 = record.task.data_sha256;
  return line;
}

Cell build_cell(const Pointers& runs, BoardColumn& column) {
  Cell cell;
  cell.deviations = runs.front()->deviations;
  Pointers completed;
  for (const auto* run : runs) {
    if (run->status == Status::completed) completed.push_back(run);
    cell.runs.push_back(line_of(*run));
    if (run->division.name == Division::free_for_all) cell.division = Division::free_for_all;
    for (const auto& reason : run->division.reasons) add_unique(cell.division_reasons, reason);
    if (run->verdict) add_unique(cell.verdicts, *run->verdict);
    if (run->search) add_unique(cell.searches, describe(*run->search));
  }
  if (completed.empty()) return cell;
  if (!column.test_count) {
    column.unit = completed.front()->accuracy.unit;
    column.test_count = completed.front()->accuracy.counts.test;
  }
  if (completed.size() == 1) cell.wilson95 = completed.front()->accuracy.test_wilson95;
  summarize_metrics(completed, cell);
  summarize_agreement(completed, cell);
  return cell;
}

// Equal training apart from the attention: steps, batch, examples of the data, new or given
// weights. A tuned learning rate (lra tune) does not change the budget.
bool same_budget(const Record& a, const Record& b) {
  const auto data_of = [](const Record& record) {
    std::vector<std::string> data;
    for (const auto& deviation : record.deviations) {
      if (deviation.starts_with("data.")) data.push_back(deviation);
    }
    std::sort(data.begin(), data.end());
    return data;
  };
  return a.training.steps == b.training.steps && a.training.batch == b.training.batch &&
         (a.training.init == JsonText{}) == (b.training.init == JsonText{}) &&
         data_of(a) == data_of(b);
}

std::optional<Versus> compare_cells(const Pointers& mine, const Pointers& theirs) {
  Versus versus;
  std::vector<double> a;
  std::vector<double> b;
  std::optional<double> p_mcnemar;
  for (const auto* run : mine) {
    if (run->status != Status::completed) continue;
    const auto partner = std::find_if(theirs.begin(), theirs.end(), [&](const Record* other) {
      return other->seed == run->seed && other->status == Status::completed &&
             same_budget(*run, *other);
    });
    if (partner == theirs.end()) continue;
    versus.seeds.push_back(run->seed);
    a.push_back(*run->accuracy.value.test);
    b.push_back(*(*partner)->accuracy.value.test);
    p_mcnemar = same_examples_p(*run, **partner);
  }
  const auto test = paired_test(a, b);
  if (!test) return std::nullopt;
  versus.test = *test;
  if (versus.seeds.size() == 1) versus.p_mcnemar = p_mcnemar;
  return versus;
}

using CellRuns = std::map<std::size_t, Pointers>;  // by column

// Compares each cell with the baseline's cell in its column under the same conditions.
void compare_with_baseline(Leaderboard& board, const std::vector<CellRuns>& runs) {
  const auto same_conditions = [](const Entry& a, const Entry& b) {
    return a.preset == b.preset && a.protocol == b.protocol && a.settings == b.settings &&
           a.precision == b.precision && machine_of(a.environment) == machine_of(b.environment);
  };
  for (std::size_t i = 0; i < board.entries.size(); ++i) {
    Entry& entry = board.entries[i];
    if (entry.attention.name == board.baseline) continue;
    for (auto& [column, cell] : entry.cells) {
      for (std::size_t j = 0; j < board.entries.size() && !cell.versus; ++j) {
        const Entry& other = board.entries[j];
        if (other.attention.name != board.baseline || !same_conditions(entry, other)) continue;
        const auto theirs = runs[j].find(column);
        if (theirs == runs[j].end()) continue;
        cell.versus = compare_cells(runs[i].at(column), theirs->second);
        if (cell.versus) cell.versus->against = j;
      }
    }
  }
}

// Each predictor once per column, whichever of the runs name it.
std::vector<ColumnBaselines> collect_baselines(const Pointers& order, const Columns& columns) {
  std::map<std::size_t, std::vector<Baseline>> all;
  for (const auto* record : order) {
    for (const auto& baseline : record->baselines) {
      auto& known = all[columns.column_of.at(record)];
      if (std::any_of(known.begin(), known.end(),
                      [&](const Baseline& other) { return other.name == baseline.name; })) {
        continue;
      }
      known.push_back(baseline);
      known.back().agreement.reset();
    }
  }
  std::vector<ColumnBaselines> list;
  list.reserve(all.size());
  for (auto& [column, baselines] : all) list.push_back({column, std::move(baselines)});
  return list;
}

}  // namespace

bool DataClass::operator<(const DataClass& other) const {
  const auto key = [](const DataClass& data) {
    return std::tuple(origin_rank(data.origin), data.version, data.options.text, data.sha256);
  };
  return key(*this) < key(other);
}

bool DataClass::comparable() const { return origin && is_comparable(*origin); }

const Summary* Cell::metric(std::string_view name) const {
  const auto found = metrics.find(std::string(name));
  return found == metrics.end() ? nullptr : &found->second;
}

std::optional<Interval> Cell::interval() const {
  const Summary* accuracy = metric("accuracy");
  if (accuracy == nullptr) return std::nullopt;
  return accuracy->n == 1 ? wilson95 : accuracy->interval95;
}

std::size_t Leaderboard::column_of(std::string_view task) const {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const BoardColumn& column) { return column.task == task; });
  return static_cast<std::size_t>(found - columns.begin());
}

std::optional<Average> Leaderboard::average(const Entry& entry, std::size_t tasks) const {
  Average average;
  const auto count = static_cast<double>(tasks);
  std::map<std::int64_t, std::pair<double, std::size_t>> by_seed;  // sum, tasks
  double below = 0;  // squared distances to the ends of the tasks' own intervals
  double above = 0;
  bool intervals = true;
  for (std::size_t i = 0; i < tasks; ++i) {
    const auto cell = entry.cells.find(column_of(kLraTasks[i].name));
    const Summary* accuracy = cell == entry.cells.end() ? nullptr : cell->second.metric("accuracy");
    if (accuracy == nullptr) return std::nullopt;
    average.mean += accuracy->mean / count;
    for (const RunLine& run : cell->second.runs) {
      if (!run.accuracy) continue;
      by_seed[run.seed].first += *run.accuracy / count;
      ++by_seed[run.seed].second;
    }
    const auto& wilson = cell->second.wilson95;
    intervals = intervals && wilson.has_value();
    if (!wilson) continue;
    below += (accuracy->mean - wilson->low) * (accuracy->mean - wilson->low);
    above += (wilson->high - accuracy->mean) * (wilson->high - accuracy->mean);
  }
  std::vector<double> averages;
  for (const auto& [seed, sum] : by_seed) {
    if (sum.second != tasks) return average;
    averages.push_back(sum.first);
  }
  const auto summary = summarize(averages);
  average.seeds = summary->n;
  average.sd = summary->sd;
  average.interval95 = summary->interval95;
  if (average.interval95) {
    average.interval95 =
        Interval{std::max(0.0, average.interval95->low), std::min(1.0, average.interval95->high)};
  } else if (intervals) {  // independent tasks: MOVER (Zou and Donner 2008, eq. 2)
    average.interval95 =
        Interval{average.mean - std::sqrt(below) / count, average.mean + std::sqrt(above) / count};
  }
  return average;
}

std::optional<double> same_examples_p(const Record& a, const Record& b) {
  const auto answers = [](const Record& record) -> std::optional<std::vector<bool>> {
    if (record.accuracy.test_right.empty()) return std::nullopt;
    return decode_answers(record.accuracy.test_right, record.accuracy.counts.test.value_or(0));
  };
  if (a.task.data_sha256 != b.task.data_sha256 || a.task.version != b.task.version) return {};
  const auto x = answers(a);
  const auto y = answers(b);
  if (!x || !y || x->size() != y->size()) return std::nullopt;
  std::int64_t only_a = 0;
  std::int64_t only_b = 0;
  for (std::size_t i = 0; i < x->size(); ++i) {
    only_a += static_cast<std::int64_t>((*x)[i] && !(*y)[i]);
    only_b += static_cast<std::int64_t>((*y)[i] && !(*x)[i]);
  }
  return mcnemar_p(only_a, only_b);
}

std::string short_setting(const std::string& deviation) {
  const Setting setting(deviation);
  return short_text(setting.key, setting.value);
}

Leaderboard build_leaderboard(const std::vector<Record>& records, const std::string& baseline) {
  const Pointers order = ordered(records);
  Leaderboard board;
  board.baseline = baseline;
  Columns columns(order);
  board.columns = std::move(columns.columns);
  const Rows rows(order, columns.column_of);
  std::map<std::pair<Conditions, std::vector<std::string>>, CellRuns> groups;
  for (const auto* record : order) {
    ++board.runs[record->status];
    add_unique(board.programs, program_of(record->environment));
    const std::string& started = record->time.started;
    if (board.first_started.empty() || started < board.first_started) board.first_started = started;
    board.last_started = std::max(board.last_started, started);
    groups[{conditions(*record), rows.settings_of(*record)}][columns.column_of.at(record)]
        .push_back(record);
  }
  std::vector<CellRuns> runs;
  for (auto& [key, cells] : groups) {
    const Record& first = *cells.begin()->second.front();
    Entry& entry = board.entries.emplace_back();
    entry.attention = first.attention;
    entry.preset = first.preset;
    entry.protocol = first.protocol;
    entry.settings = key.second;
    entry.precision = first.precision;
    entry.environment = first.environment;
    for (const auto& [column, list] : cells) {
      entry.cells.emplace(column, build_cell(list, board.columns[column]));
      for (const Record* record : list) {  // records of earlier versions do not say it
        if (entry.attention.changed.empty()) entry.attention.changed = record->attention.changed;
      }
    }
    runs.push_back(std::move(cells));
  }
  collect_shared(order, columns, board);
  compare_with_baseline(board, runs);
  board.baselines = collect_baselines(order, columns);
  return board;
}

}  // namespace lra::results
