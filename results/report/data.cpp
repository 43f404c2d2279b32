#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

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

json point_json(const std::string& task, const Entry& entry, const std::string& label,
                const Cell& cell) {
  const Summary* accuracy = cell.metric("accuracy");
  const auto interval = accuracy->n == 1 ? cell.wilson95 : accuracy->interval95;
  json out = {{"task", task},
              {"model", entry.attention.label},
              {"label", label},
              {"accuracy", 100 * accuracy->mean},
              {"n", accuracy->n},
              {"low", nullptr},
              {"high", nullptr},
              {"speed", number(shown(cell, "train_tokens_per_second"))},
              {"memory", number(shown(cell, "peak_tensor_bytes"))},
              {"standIn", !cell.data.comparable()},
              {"freeForAll", cell.division == Division::free_for_all},
              {"shared", cell.measured == "shared"}};
  if (interval) {
    out["low"] = 100 * interval->low;
    out["high"] = 100 * interval->high;
  }
  return out;
}

// The entry over LRA's five tasks: mean accuracy, geometric mean of speeds, largest memory; null
// unless all five have all three.
json average_point(const Entry& entry, const std::string& label) {
  constexpr std::size_t kTasks = 5;
  const Real accuracy = entry.average(kTasks);
  if (!accuracy) return nullptr;
  double log_speed = 0;
  double memory = 0;
  bool stand_in = false;
  bool free_for_all = false;
  bool shared = false;
  for (std::size_t i = 0; i < kTasks; ++i) {
    const Cell& cell = entry.cells.find(kLraTasks[i].name)->second;
    const Real speed = shown(cell, "train_tokens_per_second");
    const Real bytes = shown(cell, "peak_tensor_bytes");
    if (!speed || !bytes) return nullptr;
    log_speed += std::log(*speed);
    memory = std::max(memory, *bytes);
    stand_in = stand_in || !cell.data.comparable();
    free_for_all = free_for_all || cell.division == Division::free_for_all;
    shared = shared || cell.measured == "shared";
  }
  return {{"task", "average"},
          {"model", entry.attention.label},
          {"label", label},
          {"accuracy", 100 * *accuracy},
          {"n", 1},
          {"low", nullptr},
          {"high", nullptr},
          {"speed", std::exp(log_speed / kTasks)},
          {"memory", memory},
          {"standIn", stand_in},
          {"freeForAll", free_for_all},
          {"shared", shared}};
}

json points_json(const Leaderboard& board, const std::vector<std::string>& labels) {
  json points = json::array();
  for (std::size_t i = 0; i < board.entries.size(); ++i) {
    json average = average_point(board.entries[i], labels[i]);
    if (!average.is_null()) points.push_back(std::move(average));
    for (const auto& [task, cell] : board.entries[i].cells) {
      if (cell.metric("accuracy") != nullptr) {
        points.push_back(point_json(task, board.entries[i], labels[i], cell));
      }
    }
  }
  return points;
}

// Chance and trivial predictors of each task, in percent.
json references_json(const Leaderboard& board) {
  json lines = json::array();
  for (const auto& task : kLraTasks) {
    lines.push_back({{"task", task.name}, {"title", "chance"}, {"accuracy", task.chance}});
  }
  for (const auto& task : board.baselines) {
    for (const auto& baseline : task.baselines) {
      lines.push_back(
          {{"task", task.task}, {"title", baseline.title}, {"accuracy", 100 * baseline.accuracy}});
    }
  }
  return lines;
}

// A run on its machine.
std::string key_of(const std::string& run_id, const std::string& machine) {
  return run_id + " " + machine;
}
std::string key_of(const Record& record) {
  return key_of(record.run_id, machine_of(record.environment));
}

// Label of the entry that a record belongs to: by the run id in its cells.
std::map<std::string, std::string> labels_by_run(const Leaderboard& board,
                                                 const std::vector<std::string>& labels) {
  std::map<std::string, std::string> by_run;
  for (std::size_t i = 0; i < board.entries.size(); ++i) {
    const std::string machine = machine_of(board.entries[i].environment);
    for (const auto& [task, cell] : board.entries[i].cells) {
      for (const auto& run : cell.runs) by_run[key_of(run.run_id, machine)] = labels[i];
    }
  }
  return by_run;
}

// A damaged curve is left out and named in `faults`.
json curves_json(const std::vector<const Record*>& records,
                 const std::map<std::string, std::string>& labels, json& faults) {
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
    curves.push_back({{"task", record->task.name},
                      {"model", record->attention.label},
                      {"label", labels.at(key_of(*record))},
                      {"seed", record->seed},
                      {"status", name_of(record->status)},
                      {"points", std::move(points)}});
  }
  return curves;
}

// Accuracy over the length of test sequences, of the runs that were evaluated so.
json lengths_json(const std::vector<const Record*>& records,
                  const std::map<std::string, std::string>& labels) {
  json out = json::array();
  for (const auto* record : records) {
    json points = json::array();
    for (const auto& point : record->lengths.points) {
      if (!point.accuracy || !point.length) continue;
      points.push_back({{"n", *point.length}, {"accuracy", 100 * *point.accuracy}});
    }
    if (points.empty()) continue;
    out.push_back({{"task", record->task.name},
                   {"model", record->attention.label},
                   {"label", labels.at(key_of(*record))},
                   {"seed", record->seed},
                   {"points", std::move(points)}});
  }
  return out;
}

std::string ahead_text(const std::optional<EfficiencyLength>& ahead, bool is_baseline) {
  if (is_baseline) return "baseline";
  if (!ahead) return "—";
  const std::string n = format_number(std::round(ahead->n), 0);
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

json scaling_json(const std::vector<BenchRecord>& benches) {
  json groups = json::array();
  std::map<std::string, int> ids;
  for (const auto& group : scaling_groups(benches)) {
    std::string id =
        fmt::format("{}-{}-{}-b{}", group.mode, group.preset, group.precision, group.batch);
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
             {"status", point.status},
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
           {"shared", line.bench->measured == "shared"}});
    }
    groups.push_back(
        {{"mode", group.mode == "train" ? "training" : "inference"},
         {"id", id},
         {"preset", group.preset},
         {"precision", group.precision},
         {"batch", group.batch},
         {"title", fmt::format("{}, preset {}, {}, batch {}, {}",
                               group.mode == "train" ? "training" : "inference", group.preset,
                               group.precision, group.batch, group.machine)},
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
    out.push_back({{"mode", study.mode},
                   {"swept", study.swept},
                   {"quantity", study.quantity},
                   {"lines", std::move(lines)}});
  }
  return out;
}

// Tasks that have a picture, the average first.
json tasks_json(const Leaderboard& board) {
  std::map<std::string, std::string, TaskBefore> titles;
  bool average = false;
  for (const auto& entry : board.entries) {
    for (const auto& [task, cell] : entry.cells) titles.emplace(task, cell.title);
    average = average || !average_point(entry, "").is_null();
  }
  json tasks = json::array();
  if (average) tasks.push_back({{"task", "average"}, {"title", "Average of five tasks"}});
  for (const auto& [task, title] : titles) tasks.push_back({{"task", task}, {"title", title}});
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
  for (const auto& record : kept) order.push_back(&record);
  std::sort(order.begin(), order.end(), [](const Record* a, const Record* b) {
    return std::pair(a->run_id, machine_of(a->environment)) <
           std::pair(b->run_id, machine_of(b->environment));
  });
  json scaling = scaling_json(benches);
  json faults = json::array();
  const auto by_run = labels_by_run(board, labels);
  json curves = curves_json(order, by_run, faults);
  return {{"tasks", tasks_json(board)},
          {"labels", labels_json(board, labels, scaling)},
          {"points", points_json(board, labels)},
          {"references", references_json(board)},
          {"curves", std::move(curves)},
          {"faults", std::move(faults)},
          {"scaling", std::move(scaling)},
          {"studies", studies_json(studies)},
          {"lengths", lengths_json(order, by_run)}};
}

}  // namespace lra::results
