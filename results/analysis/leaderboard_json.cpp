#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/json_schema.h"
#include "results/analysis/leaderboard.h"
#include "results/record/metrics.h"

namespace lra::results {
namespace {

using nlohmann::json;

json number(const Real& value) { return value ? json(*value) : json(nullptr); }

json interval(const std::optional<Interval>& value) {
  return value ? json{{"low", value->low}, {"high", value->high}} : json(nullptr);
}

json data_json(const DataClass& data) {
  return {{"origin", data.origin ? json(name_of(*data.origin)) : json(nullptr)},
          {"sha256", data.sha256 ? json(*data.sha256) : json(nullptr)},
          {"version", data.version},
          {"options", json::parse(data.options.text)}};
}

json summary_json(const Summary& summary) {
  return {{"mean", summary.mean},
          {"sd", number(summary.sd)},
          {"n", summary.n},
          {"bootstrap95", interval(summary.interval95)}};
}

json versus_json(const std::optional<Versus>& versus) {
  if (!versus) return nullptr;
  return {{"seeds", versus->seeds},
          {"mean_difference", versus->test.mean_difference},
          {"p_sign_flip", versus->test.p_sign_flip},
          {"p_t", number(versus->test.p_t)}};
}

json cell_json(const Cell& cell, bool timings) {
  json runs = json::array();
  for (const auto& run : cell.runs) {
    runs.push_back({{"run_id", run.run_id},
                    {"seed", run.seed},
                    {"status", name_of(run.status)},
                    {"failure", run.failure.empty() ? json(nullptr) : json(run.failure)},
                    {"accuracy", number(run.accuracy)}});
  }
  json values = json::object();
  for (const auto& metric : metrics()) {
    const Summary* summary = cell.metric(metric.name);
    if (summary == nullptr || (metric.timing && !timings)) continue;
    values[std::string(metric.name)] = summary_json(*summary);
  }
  json out = {{"title", cell.title},
              {"data", data_json(cell.data)},
              {"division", name_of(cell.division)},
              {"division_reasons", cell.division_reasons},
              {"runs", std::move(runs)},
              {"metrics", std::move(values)},
              {"test_count", cell.test_count ? json(*cell.test_count) : json(nullptr)},
              {"wilson95", interval(cell.wilson95)},
              {"agreement", cell.agreement},
              {"verdicts", cell.verdicts},
              {"versions", cell.versions},
              {"versus", versus_json(cell.versus)}};
  if (timings) out["measured"] = cell.measured.empty() ? json(nullptr) : json(cell.measured);
  return out;
}

json entry_json(const Entry& entry, bool timings) {
  json tasks = json::object();
  for (const auto& [task, cell] : entry.cells) tasks[task] = cell_json(cell, timings);
  return {{"attention",
           {{"name", entry.attention.name},
            {"label", entry.attention.label},
            {"options", json::parse(entry.attention.options.text)}}},
          {"preset", entry.preset},
          {"protocol", entry.protocol},
          {"deviations", entry.deviations},
          {"precision", entry.precision},
          {"machine", machine_of(entry.environment)},
          {"alternative", entry.alternative},
          {"tasks", std::move(tasks)},
          {"average_five_tasks", number(entry.average(5))},
          {"average_six_tasks", number(entry.average(6))}};
}

}  // namespace

json to_json(const Leaderboard& board, bool timings) {
  json entries = json::array();
  for (const auto& entry : board.entries) entries.push_back(entry_json(entry, timings));
  json baselines = json::array();
  for (const auto& task : board.baselines) {
    json list = json::array();
    for (const auto& baseline : task.baselines) {
      list.push_back({{"name", baseline.name},
                      {"title", baseline.title},
                      {"accuracy", baseline.accuracy},
                      {"count", baseline.count},
                      {"ladder", baseline.ladder}});
    }
    baselines.push_back(
        {{"task", task.task}, {"data", data_json(task.data)}, {"predictors", list}});
  }
  json runs = json::object();
  for (const auto status :
       {Status::completed, Status::diverged, Status::interrupted, Status::failed}) {
    const auto found = board.runs.find(status);
    runs[std::string(name_of(status))] = found == board.runs.end() ? 0 : found->second;
  }
  json out = {{"schema", "lra-leaderboard/1"},
              {"runs", std::move(runs)},
              {"versus", board.baseline},
              {"baselines", std::move(baselines)},
              {"entries", std::move(entries)}};
  static const JsonSchema schema(schema_text("leaderboard"), "leaderboard.schema.json");
  const auto faults = schema.check(out);
  if (!faults.empty()) {
    fail(ErrorKind::config, "leaderboard: {}: {}", faults.front().path, faults.front().message);
  }
  return out;
}

}  // namespace lra::results
