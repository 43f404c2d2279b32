#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "engine/base/error.h"
#include "results/analysis/leaderboard.h"
#include "results/analysis/scaling.h"
#include "results/record/metrics.h"
#include "results/report/report.h"
#include "results/table/table.h"

namespace lra::results {
namespace {

using nlohmann::json;

json number(const Real& value) { return value ? json(*value) : json(nullptr); }

// A metric's mean as shown; none if missing.
Real shown(const Cell& cell, std::string_view name) {
  const Summary* summary = cell.metric(name);
  return summary == nullptr ? Real() : Real(find_metric(name)->scale * summary->mean);
}

// An interval of shares in percent, as `low` and `high`; null where there is none.
void add_interval(json& out, const std::optional<Interval>& interval) {
  out["low"] = interval ? json(100 * interval->low) : json(nullptr);
  out["high"] = interval ? json(100 * interval->high) : json(nullptr);
}

json point_json(const BoardColumn& column, const Entry& entry, const std::string& label,
                const Cell& cell) {
  const Summary* accuracy = cell.metric("accuracy");
  json out = {{"task", column.id},
              {"model", entry.attention.label},
              {"label", label},
              {"accuracy", 100 * accuracy->mean},
              {"n", accuracy->n},
              {"speed", number(shown(cell, "train_tokens_per_second"))},
              {"memory", number(shown(cell, "peak_tensor_bytes"))},
              {"standIn", !column.data.comparable() && column.data.origin != Origin::own},
              {"freeForAll", cell.division == Division::free_for_all},
              {"shared", cell.measured == Timing::shared}};
  add_interval(out, cell.interval());
  return out;
}

// The entry over LRA's five tasks: mean accuracy, geometric mean of speeds, largest memory. Null
// unless all five have an accuracy; speed and memory are null unless all five have them.
json average_point(const Leaderboard& board, const Entry& entry, const std::string& label) {
  constexpr std::size_t kTasks = 5;
  const auto accuracy = board.average(entry, kTasks);
  if (!accuracy) return nullptr;
  double log_speed = 0;
  double memory = 0;
  bool measured = true;
  bool stand_in = false;
  bool free_for_all = false;
  bool shared = false;
  for (std::size_t i = 0; i < kTasks; ++i) {
    const std::size_t column = board.column_of(kLraTasks[i].name);
    const Cell& cell = entry.cells.at(column);
    const Real speed = shown(cell, "train_tokens_per_second");
    const Real bytes = shown(cell, "peak_tensor_bytes");
    measured = measured && speed && bytes;
    log_speed += speed ? std::log(*speed) : 0;
    memory = std::max(memory, bytes.value_or(0));
    stand_in = stand_in || !board.columns[column].data.comparable();
    free_for_all = free_for_all || cell.division == Division::free_for_all;
    shared = shared || cell.measured == Timing::shared;
  }
  json out = {{"task", "average"},
              {"model", entry.attention.label},
              {"label", label},
              {"accuracy", 100 * accuracy->mean},
              {"n", accuracy->seeds},
              {"speed", measured ? json(std::exp(log_speed / kTasks)) : json(nullptr)},
              {"memory", measured ? json(memory) : json(nullptr)},
              {"standIn", stand_in},
              {"freeForAll", free_for_all},
              {"shared", shared}};
  add_interval(out, accuracy->interval95);
  return out;
}

json points_json(const Leaderboard& board, const std::vector<std::string>& labels) {
  json points = json::array();
  for (std::size_t i = 0; i < board.entries.size(); ++i) {
    const Entry& entry = board.entries[i];
    json average = average_point(board, entry, labels[i]);
    if (!average.is_null()) points.push_back(std::move(average));
    for (const auto& [column, cell] : entry.cells) {
      if (cell.metric("accuracy") == nullptr) continue;
      points.push_back(point_json(board.columns[column], entry, labels[i], cell));
    }
  }
  return points;
}

// Chance and trivial predictors of each column, in percent.
json references_json(const Leaderboard& board) {
  json lines = json::array();
  for (const auto& column : board.columns) {
    for (const auto& task : kLraTasks) {
      if (task.name != column.task) continue;
      lines.push_back({{"task", column.id}, {"title", "chance"}, {"accuracy", task.chance}});
    }
  }
  for (const auto& of_column : board.baselines) {
    for (const auto& baseline : of_column.baselines) {
      lines.push_back({{"task", board.columns[of_column.column].id},
                       {"title", baseline.title},
                       {"accuracy", 100 * baseline.accuracy}});
    }
  }
  return lines;
}

// Position of a run on the board.
struct Place {
  std::string label;   // of its entry
  std::string column;  // id
};
using RunKey = std::tuple<std::string, std::string, std::string>;  // run id, machine, data
using Places = std::map<RunKey, Place>;

RunKey key_of(const Record& record) {
  return {record.run_id, machine_of(record.environment), record.task.data_sha256.value_or("")};
}

Places places_of(const Leaderboard& board, const std::vector<std::string>& labels) {
  Places places;
  for (std::size_t i = 0; i < board.entries.size(); ++i) {
    const std::string machine = machine_of(board.entries[i].environment);
    for (const auto& [column, cell] : board.entries[i].cells) {
      for (const auto& run : cell.runs) {
        places[{run.run_id, machine, run.data_sha256.value_or("")}] = {labels[i],
                                                                       board.columns[column].id};
      }
    }
  }
  return places;
}

// A damaged curve is left out and named in `faults`.
json curves_json(const std::vector<const Record*>& records, const Places& places, json& faults) {
  json curves = json::array();
  for (const auto* record : records) {
    std::vector<CurvePoint> curve;
    try {
      curve = load_curve(*record);
    } catch (const Error& error) {
      faults.push_back(error.what());
    }
    json points = json::array();
    for (const auto& point : curve) {
      points.push_back(
          {{"step", point.step},
           {"split", point.split},
           {"loss", number(point.loss)},
           {"accuracy", number(point.accuracy ? Real(100 * *point.accuracy) : Real())}});
    }
    if (points.empty()) continue;
    const Place& place = places.at(key_of(*record));
    curves.push_back({{"task", place.column},
                      {"model", record->attention.label},
                      {"label", place.label},
                      {"seed", record->seed},
                      {"status", name_of(record->status)},
                      {"points", std::move(points)}});
  }
  return curves;
}

// Accuracy over the length of test sequences, for runs evaluated by length.
json lengths_json(const std::vector<const Record*>& records, const Places& places) {
  json out = json::array();
  for (const auto* record : records) {
    json points = json::array();
    for (const auto& point : record->lengths.points) {
      if (!point.accuracy || !point.length) continue;
      points.push_back({{"n", *point.length}, {"accuracy", 100 * *point.accuracy}});
      add_interval(points.back(), point.wilson95);
    }
    if (points.empty()) continue;
    const Place& place = places.at(key_of(*record));
    out.push_back({{"task", place.column},
                   {"model", record->attention.label},
                   {"label", place.label},
                   {"seed", record->seed},
                   {"points", std::move(points)}});
  }
  return out;
}

// Expected best validation accuracy of k trials after the first rung's steps, which every trial
// had, of each search; runs of several seeds share one.
json searches_json(const std::vector<const Record*>& records, const Places& places) {
  json out = json::array();
  for (const auto* record : records) {
    if (!record->search) continue;
    const Place& place = places.at(key_of(*record));
    std::vector<double> values;
    for (const auto& trial : record->search->trials) values.push_back(trial.first.value_or(0));
    json points = json::array();
    for (const double best : expected_best_of(std::move(values))) {
      points.push_back({{"k", points.size() + 1}, {"accuracy", 100 * best}});
    }
    json search = {{"task", place.column},
                   {"model", record->attention.label},
                   {"label", place.label},
                   {"text", describe(*record->search)},
                   {"steps", record->search->rungs.front().steps},
                   {"points", std::move(points)}};
    if (std::find(out.begin(), out.end(), search) == out.end()) out.push_back(std::move(search));
  }
  return out;
}

std::string ahead_text(const std::optional<EfficiencyLength>& ahead, bool is_baseline) {
  if (is_baseline) return "baseline";
  if (!ahead) return "—";
  std::string n = format_number(std::round(ahead->n), 0);
  switch (ahead->kind) {
    case EfficiencyLength::Kind::at_once:
      return fmt::format("≤ {}", n);
    case EfficiencyLength::Kind::measured:
      return n;
    case EfficiencyLength::Kind::extrapolated:
      return fmt::format("≈ {} (extrapolated)", n);
    case EfficiencyLength::Kind::never:
      return "never (fits do not meet)";
  }
  return "";
}

json scaling_json(const std::vector<BenchRecord>& benches,
                  const std::vector<std::string>& attentions) {
  json groups = json::array();
  std::map<std::string, int> ids;
  for (const auto& group : scaling_groups(benches, attentions)) {
    std::string id = fmt::format("{}-{}-{}-b{}", name_of(group.mode), group.preset,
                                 name_of(group.precision), group.batch);
    if (const int repeats = ids[id]++) id += fmt::format("-{}", repeats + 1);  // another machine
    std::map<std::string, int> uses;
    for (const auto& line : group.lines) ++uses[line.bench->attention.label];
    json lines = json::array();
    for (const auto& line : group.lines) {
      const auto& attention = line.bench->attention;
      json points = json::array();
      for (const auto& point : line.bench->points) {
        points.push_back(
            {{"n", point.n},
             {"status", name_of(point.status)},
             {"ms", point.step_ms ? json(point.step_ms->median) : json(nullptr)},
             {"p10", point.step_ms ? json(point.step_ms->p10) : json(nullptr)},
             {"p90", point.step_ms ? json(point.step_ms->p90) : json(nullptr)},
             {"memory", point.peak_tensor_bytes
                            ? json(1e-6 * static_cast<double>(*point.peak_tensor_bytes))
                            : json(nullptr)}});
      }
      const bool repeated = uses[attention.label] > 1;
      lines.push_back(
          {{"model", attention.label},
           {"label", repeated ? attention.label + " " + attention.options.text : attention.label},
           {"points", std::move(points)},
           {"timeExponent", line.time ? json(line.time->exponent) : json(nullptr)},
           {"memoryExponent", line.memory ? json(line.memory->exponent) : json(nullptr)},
           {"efficiencyLength", ahead_text(line.ahead, line.bench == group.baseline)},
           {"shared", line.bench->measured == Timing::shared}});
    }
    groups.push_back(
        {{"mode", group.mode == BenchMode::train ? "training" : "inference"},
         {"id", id},
         {"preset", group.preset},
         {"precision", name_of(group.precision)},
         {"batch", group.batch},
         {"title",
          fmt::format("{}, preset {}, {}, {}, {}",
                      group.mode == BenchMode::train ? "training" : "inference", group.preset,
                      name_of(group.precision), batch_text(group), group.machine)},
         {"lines", std::move(lines)}});
  }
  return groups;
}

// Every label with its model, those of benches last.
json labels_json(const Leaderboard& board, const std::vector<std::string>& labels,
                 const json& scaling) {
  json list = json::array();
  const auto add = [&](const json& model, const json& label) {
    json item = {{"model", model}, {"label", label}};
    if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(std::move(item));
  };
  for (std::size_t i = 0; i < labels.size(); ++i) add(board.entries[i].attention.label, labels[i]);
  for (const auto& group : scaling) {
    for (const auto& line : group["lines"]) add(line.at("model"), line.at("label"));
  }
  return list;
}

json studies_json(const std::vector<StudyRecord>& studies) {
  json out = json::array();
  for (const auto& study : studies) {
    std::map<std::string, json> kernels;
    for (const auto& point : study.points) {
      json& points = kernels.try_emplace(point.kernel, json::array()).first->second;
      points.push_back({{"x", point.x},
                        {"trials", point.trials},
                        {"value", number(point.value)},
                        {"low", number(point.low)},
                        {"high", number(point.high)},
                        {"reference", number(point.reference)}});
    }
    json lines = json::array();
    for (auto& [kernel, points] : kernels) {
      lines.push_back({{"kernel", kernel}, {"points", std::move(points)}});
    }
    out.push_back({{"mode", name_of(study.mode)},
                   {"swept", study.swept},
                   {"quantity", study.quantity},
                   {"lines", std::move(lines)}});
  }
  return out;
}

// Columns that have a picture, the average first.
json tasks_json(const Leaderboard& board) {
  json tasks = json::array();
  const bool average =
      std::any_of(board.entries.begin(), board.entries.end(),
                  [&](const Entry& entry) { return board.average(entry, 5).has_value(); });
  if (average) tasks.push_back({{"task", "average"}, {"title", "Average of five tasks"}});
  for (const auto& column : board.columns) {
    tasks.push_back({{"task", column.id}, {"title", column.title}});
  }
  return tasks;
}

}  // namespace

json report_data(const std::vector<Record>& records, const std::vector<BenchRecord>& benches,
                 const std::vector<StudyRecord>& studies, const ReportOptions& options) {
  const bool no_runs = records.empty() && !(benches.empty() && studies.empty());
  const auto kept = no_runs ? records : select_records(records, options.table);
  const Leaderboard board = build_leaderboard(kept, options.table.baseline);
  const auto labels = entry_labels(board.entries);
  std::vector<const Record*> order;
  order.reserve(kept.size());
  for (const auto& record : kept) order.push_back(&record);
  std::sort(order.begin(), order.end(),
            [](const Record* a, const Record* b) { return key_of(*a) < key_of(*b); });
  json scaling = scaling_json(benches, options.table.attentions);
  json faults = json::array();
  const Places places = places_of(board, labels);
  json curves = curves_json(order, places, faults);
  return {{"tasks", tasks_json(board)},
          {"labels", labels_json(board, labels, scaling)},
          {"points", points_json(board, labels)},
          {"references", references_json(board)},
          {"curves", std::move(curves)},
          {"faults", std::move(faults)},
          {"scaling", std::move(scaling)},
          {"studies", studies_json(studies)},
          {"searches", searches_json(order, places)},
          {"lengths", lengths_json(order, places)}};
}

}  // namespace lra::results
