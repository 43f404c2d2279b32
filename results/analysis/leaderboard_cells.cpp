#include "results/analysis/leaderboard_cells.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "results/record/answers.h"
#include "results/record/metrics.h"

namespace lra::results {
namespace {

void summarize_metrics(const Pointers& completed, Cell& cell) {
  const auto exclusive = [](const Record* run) { return run->speed.measured == Timing::exclusive; };
  const auto timed = [](const Record* run) { return run->speed.measured.has_value(); };
  if (std::any_of(completed.begin(), completed.end(), exclusive)) {
    cell.measured = Timing::exclusive;
  } else if (std::any_of(completed.begin(), completed.end(), timed)) {
    cell.measured = Timing::shared;
  }
  for (const auto& metric : metrics()) {
    const auto alone = [&metric](const Record* run) {
      return timing_of(metric, *run) == Timing::exclusive;
    };
    const auto beside = [&metric](const Record* run) {
      return timing_of(metric, *run) == Timing::shared;
    };
    const bool any_alone = std::any_of(completed.begin(), completed.end(), alone);
    std::vector<double> values;
    for (const auto* run : completed) {
      if (any_alone && !alone(run)) continue;
      if (const Real value = metric.of(*run)) values.push_back(*value);
    }
    if (auto summary = summarize(values)) {
      if (!any_alone && std::any_of(completed.begin(), completed.end(), beside)) {
        cell.shared.emplace(metric.name);
      }
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
  line.threads = threads_of(record.time);
  line.version = record.environment.version;
  line.commit = record.environment.commit;
  line.dirty = record.environment.dirty;
  line.data_sha256 = record.task.data_sha256;
  return line;
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

}  // namespace

void add_unique(std::vector<std::string>& list, const std::string& value) {
  const auto at = std::lower_bound(list.begin(), list.end(), value);
  if (at == list.end() || *at != value) list.insert(at, value);
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

void compare_with_baseline(Leaderboard& board, const std::vector<CellRuns>& runs) {
  const auto same_conditions = [](const Entry& a, const Entry& b) {
    return a.preset == b.preset && a.protocol == b.protocol && a.settings == b.settings &&
           a.precision == b.precision && machine_of(a.environment) == machine_of(b.environment);
  };
  const auto is_plain = [&board](const Entry& entry) {
    return entry.attention.name == board.baseline && entry.attention.changed.empty();
  };
  const bool any_plain = std::any_of(board.entries.begin(), board.entries.end(), is_plain);
  const auto is_baseline = [&](const Entry& entry) {
    return any_plain ? is_plain(entry) : entry.attention.name == board.baseline;
  };
  for (std::size_t i = 0; i < board.entries.size(); ++i) {
    Entry& entry = board.entries[i];
    if (is_baseline(entry)) continue;
    for (auto& [column, cell] : entry.cells) {
      for (std::size_t j = 0; j < board.entries.size() && !cell.versus; ++j) {
        const Entry& other = board.entries[j];
        if (!is_baseline(other) || !same_conditions(entry, other)) continue;
        const auto theirs = runs[j].find(column);
        if (theirs == runs[j].end()) continue;
        cell.versus = compare_cells(runs[i].at(column), theirs->second);
        if (cell.versus) cell.versus->against = j;
      }
    }
  }
}

const Summary* Cell::metric(std::string_view name) const {
  const auto found = metrics.find(std::string(name));
  return found == metrics.end() ? nullptr : &found->second;
}

std::optional<Interval> Cell::interval() const {
  const Summary* accuracy = metric("accuracy");
  if (accuracy == nullptr) return std::nullopt;
  return accuracy->n == 1 ? wilson95 : accuracy->interval95;
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

}  // namespace lra::results
