#include "results/analysis/leaderboard.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include "engine/base/error.h"
#include "results/record/metrics.h"

namespace lra::results {
namespace {

using Pointers = std::vector<const Record*>;

int origin_rank(const std::optional<Origin>& origin) {
  return origin ? static_cast<int>(*origin) : 3;
}

DataClass data_of(const Record& record) {
  return {record.task.origin, record.task.data_sha256, record.task.version, record.task.options};
}

// Conditions under which runs of different tasks make one entry.
auto conditions(const Record& record) {
  return std::tuple(record.attention.name, record.attention.options.text, record.preset,
                    record.protocol, record.deviations, record.precision,
                    machine_of(record.environment));
}
using Conditions = decltype(conditions(std::declval<const Record&>()));

// Records in an order that depends on their content alone.
Pointers ordered(const std::vector<Record>& records) {
  Pointers order;
  order.reserve(records.size());
  for (const auto& record : records) order.push_back(&record);
  const auto key = [](const Record* record) {
    return std::tuple(record->seed, std::string_view(record->run_id),
                      machine_of(record->environment));
  };
  std::sort(order.begin(), order.end(),
            [&](const Record* a, const Record* b) { return key(a) < key(b); });
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (key(order[i - 1]) == key(order[i])) {
      fail(ErrorKind::data, "leaderboard: run {} stands twice for one machine", order[i]->run_id);
    }
  }
  return order;
}

void add_unique(std::vector<std::string>& list, const std::string& value) {
  const auto at = std::lower_bound(list.begin(), list.end(), value);
  if (at == list.end() || *at != value) list.insert(at, value);
}

void summarize_metrics(const Pointers& completed, Cell& cell) {
  const auto exclusive = [](const Record* run) { return run->speed.measured == "exclusive"; };
  const auto timed = [](const Record* run) { return run->speed.measured.has_value(); };
  const bool any_exclusive = std::any_of(completed.begin(), completed.end(), exclusive);
  if (any_exclusive) {
    cell.measured = "exclusive";
  } else if (std::any_of(completed.begin(), completed.end(), timed)) {
    cell.measured = "shared";
  }
  for (const auto& metric : metrics()) {
    std::vector<double> values;
    for (const auto* run : completed) {
      if (metric.timing && any_exclusive && !exclusive(run)) continue;
      if (const Real value = metric.of(*run)) values.push_back(*value);
    }
    if (const auto summary = summarize(values)) {
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

Cell build_cell(const DataClass& data, const Pointers& runs) {
  Cell cell;
  cell.data = data;
  cell.title = runs.front()->task.title;
  Pointers completed;
  for (const auto* run : runs) {
    if (run->status == Status::completed) completed.push_back(run);
    cell.runs.push_back({run->run_id, run->seed, run->status, run->failure.value_or(""),
                         run->status == Status::completed ? run->accuracy.value.test : Real()});
    if (run->division.name == Division::free_for_all) cell.division = Division::free_for_all;
    for (const auto& reason : run->division.reasons) add_unique(cell.division_reasons, reason);
    add_unique(cell.versions, run->environment.version);
    if (run->verdict) add_unique(cell.verdicts, *run->verdict);
  }
  if (completed.empty()) return cell;
  cell.unit = completed.front()->accuracy.unit;
  cell.test_count = completed.front()->accuracy.counts.test;
  if (completed.size() == 1) cell.wilson95 = completed.front()->accuracy.test_wilson95;
  summarize_metrics(completed, cell);
  summarize_agreement(completed, cell);
  return cell;
}

// Compares each cell with the baseline's cell under the same conditions and data.
void compare_with_baseline(std::vector<Entry>& entries, const std::string& baseline) {
  const auto same_conditions = [](const Entry& a, const Entry& b) {
    return a.preset == b.preset && a.protocol == b.protocol && a.deviations == b.deviations &&
           a.precision == b.precision && a.alternative == b.alternative &&
           machine_of(a.environment) == machine_of(b.environment);
  };
  for (auto& entry : entries) {
    const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& other) {
      return &other != &entry && other.attention.name == baseline && same_conditions(entry, other);
    });
    if (found == entries.end() || entry.attention.name == baseline) continue;
    for (auto& [task, cell] : entry.cells) {
      const auto reference = found->cells.find(task);
      if (reference == found->cells.end() || !(reference->second.data == cell.data)) continue;
      Versus versus;
      std::vector<double> mine;
      std::vector<double> theirs;
      for (const auto& run : cell.runs) {
        const auto partner = std::find_if(
            reference->second.runs.begin(), reference->second.runs.end(),
            [&](const RunLine& line) { return line.seed == run.seed && line.accuracy; });
        if (!run.accuracy || partner == reference->second.runs.end()) continue;
        versus.seeds.push_back(run.seed);
        mine.push_back(*run.accuracy);
        theirs.push_back(*partner->accuracy);
      }
      if (const auto test = paired_test(mine, theirs)) {
        versus.test = *test;
        cell.versus = std::move(versus);
      }
    }
  }
}

using ByData = std::map<DataClass, Pointers>;

// Failed runs whose data could not be opened go with the first data of the same task.
void adopt_unopened(ByData& classes) {
  if (classes.size() < 2 || classes.rbegin()->first.origin) return;
  auto& first = classes.begin()->second;
  const Pointers& unopened = classes.rbegin()->second;
  first.insert(first.end(), unopened.begin(), unopened.end());
  std::stable_sort(first.begin(), first.end(),
                   [](const Record* a, const Record* b) { return a->seed < b->seed; });
  classes.erase(std::prev(classes.end()));
}

std::vector<TaskBaselines> collect_baselines(const Pointers& order) {
  std::vector<TaskBaselines> all;
  for (const auto* record : order) {
    if (record->baselines.empty()) continue;
    const DataClass data = data_of(*record);
    const bool known = std::any_of(all.begin(), all.end(), [&](const TaskBaselines& entry) {
      return entry.task == record->task.name && entry.data == data;
    });
    if (known) continue;
    all.push_back({record->task.name, data, record->baselines});
    for (auto& baseline : all.back().baselines) baseline.agreement.reset();
  }
  std::sort(all.begin(), all.end(), [](const TaskBaselines& a, const TaskBaselines& b) {
    return a.task != b.task ? task_before(a.task, b.task) : a.data < b.data;
  });
  return all;
}

}  // namespace

bool DataClass::operator<(const DataClass& other) const {
  const auto key = [](const DataClass& data) {
    return std::tuple(origin_rank(data.origin), data.version, data.options.text, data.sha256);
  };
  return key(*this) < key(other);
}

bool DataClass::comparable() const { return origin && *origin != Origin::stand_in; }

const Summary* Cell::metric(std::string_view name) const {
  const auto found = metrics.find(std::string(name));
  return found == metrics.end() ? nullptr : &found->second;
}

Real Entry::average(std::size_t tasks) const {
  double sum = 0;
  for (std::size_t i = 0; i < tasks; ++i) {
    const auto cell = cells.find(kLraTasks[i].name);
    const Summary* accuracy = cell == cells.end() ? nullptr : cell->second.metric("accuracy");
    if (accuracy == nullptr) return std::nullopt;
    sum += accuracy->mean;
  }
  return sum / static_cast<double>(tasks);
}

Leaderboard build_leaderboard(const std::vector<Record>& records, const std::string& baseline) {
  const Pointers order = ordered(records);
  // Runs by conditions and task, then by data; the i-th data of a task go to alternative i.
  std::map<Conditions, std::map<std::string, ByData>> groups;
  Leaderboard board;
  board.baseline = baseline;
  for (const auto* record : order) {
    ++board.runs[record->status];
    groups[conditions(*record)][record->task.name][data_of(*record)].push_back(record);
  }
  for (auto& [key, tasks] : groups) {
    std::map<int, Entry> alternatives;
    for (auto& [task, classes] : tasks) {
      adopt_unopened(classes);
      int index = 0;
      for (const auto& [data, runs] : classes) {
        const Record& first = *runs.front();
        Entry& entry = alternatives[index];
        entry.attention = first.attention;
        entry.preset = first.preset;
        entry.protocol = first.protocol;
        entry.deviations = first.deviations;
        entry.precision = first.precision;
        entry.environment = first.environment;
        entry.alternative = index++;
        entry.cells.emplace(task, build_cell(data, runs));
      }
    }
    for (auto& [index, entry] : alternatives) board.entries.push_back(std::move(entry));
  }
  compare_with_baseline(board.entries, baseline);
  board.baselines = collect_baselines(order);
  return board;
}

}  // namespace lra::results
