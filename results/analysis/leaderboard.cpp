#include "results/analysis/leaderboard.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>
#include <utility>

#include "engine/base/error.h"
#include "results/analysis/leaderboard_cells.h"
#include "results/analysis/leaderboard_layout.h"

namespace lra::results {
namespace {

int origin_rank(const std::optional<Origin>& origin) {
  return origin ? static_cast<int>(*origin) : 5;
}

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

// Settings shared by all runs of the board, in short, and others shared by a column, as recorded.
void collect_shared(const Pointers& order, const BoardColumns& columns, Leaderboard& board) {
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

// Each predictor once per column, whichever of the runs name it.
std::vector<ColumnBaselines> collect_baselines(const Pointers& order, const BoardColumns& columns) {
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

Leaderboard build_leaderboard(const std::vector<Record>& records, const std::string& baseline) {
  const Pointers order = ordered(records);
  Leaderboard board;
  board.baseline = baseline;
  BoardColumns columns(order);
  board.columns = std::move(columns.columns);
  const BoardRows rows(order, columns.column_of);
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
