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
          {"interval95", interval(summary.interval95)}};
}

json versus_json(const std::optional<Versus>& versus) {
  if (!versus) return nullptr;
  return {{"against", versus->against},
          {"seeds", versus->seeds},
          {"mean_difference", versus->test.mean_difference},
          {"p_sign_flip", versus->test.p_sign_flip},
          {"p_t", number(versus->test.p_t)},
          {"p_mcnemar", number(versus->p_mcnemar)}};
}

json run_json(const RunLine& run, bool timings) {
  json out = {{"run_id", run.run_id},
              {"seed", run.seed},
              {"status", name_of(run.status)},
              {"failure", run.failure.empty() ? json(nullptr) : json(run.failure)},
              {"accuracy", number(run.accuracy)},
              {"version", run.version},
              {"commit", run.commit ? json(*run.commit) : json(nullptr)},
              {"dirty", run.dirty ? json(*run.dirty) : json(nullptr)}};
  if (timings) out["started"] = run.started;
  return out;
}

json cell_json(const Cell& cell, const BoardColumn& column, const std::string& machine,
               bool timings) {
  json runs = json::array();
  for (const auto& run : cell.runs) runs.push_back(run_json(run, timings));
  json values = json::object();
  for (const auto& metric : metrics()) {
    const Summary* summary = cell.metric(metric.name);
    if (summary == nullptr || (metric.timed != Timed::no && !timings)) continue;
    values[std::string(metric.name)] = summary_json(*summary);
  }
  json out = {{"data_sha256", column.data.sha256 ? json(*column.data.sha256) : json(nullptr)},
              {"machine", machine},
              {"division", name_of(cell.division)},
              {"division_reasons", cell.division_reasons},
              {"deviations", cell.deviations},
              {"runs", std::move(runs)},
              {"metrics", std::move(values)},
              {"wilson95", interval(cell.wilson95)},
              {"agreement", cell.agreement},
              {"verdicts", cell.verdicts},
              {"versus", versus_json(cell.versus)}};
  if (!cell.searches.empty()) out["searches"] = cell.searches;
  if (timings) out["measured"] = cell.measured ? json(name_of(*cell.measured)) : json(nullptr);
  if (timings && cell.measured == Timing::exclusive && !cell.shared.empty()) {
    out["shared"] = cell.shared;
  }
  return out;
}

json average_json(const std::optional<Average>& average) {
  if (!average) return nullptr;
  return {{"mean", average->mean},
          {"seeds", average->seeds},
          {"sd", number(average->sd)},
          {"interval95", interval(average->interval95)}};
}

json entry_json(const Leaderboard& board, const Entry& entry, bool timings) {
  json cells = json::object();
  const std::string machine = machine_of(entry.environment);
  for (const auto& [index, cell] : entry.cells) {
    cells[board.columns[index].id] = cell_json(cell, board.columns[index], machine, timings);
  }
  return {{"attention",
           {{"name", entry.attention.name},
            {"label", entry.attention.label},
            {"options", json::parse(entry.attention.options.text)}}},
          {"preset", entry.preset},
          {"protocol", entry.protocol},
          {"settings", entry.settings},
          {"precision", name_of(entry.precision)},
          {"machine", machine},
          {"cells", std::move(cells)},
          {"average_five_tasks", average_json(board.average(entry, 5))},
          {"average_six_tasks", average_json(board.average(entry, 6))}};
}

json column_json(const BoardColumn& column) {
  return {{"id", column.id},
          {"task", column.task},
          {"title", column.title},
          {"data", data_json(column.data)},
          {"deviations", column.deviations},
          {"unit", column.unit.empty() ? json(nullptr) : json(column.unit)},
          {"test_count", column.test_count ? json(*column.test_count) : json(nullptr)}};
}

}  // namespace

json to_json(const Leaderboard& board, bool timings) {
  json columns = json::array();
  for (const auto& column : board.columns) columns.push_back(column_json(column));
  json entries = json::array();
  for (const auto& entry : board.entries) entries.push_back(entry_json(board, entry, timings));
  json baselines = json::array();
  for (const auto& of_column : board.baselines) {
    json list = json::array();
    for (const auto& baseline : of_column.baselines) {
      list.push_back({{"name", baseline.name},
                      {"title", baseline.title},
                      {"accuracy", baseline.accuracy},
                      {"count", baseline.count},
                      {"ladder", baseline.ladder}});
    }
    baselines.push_back({{"column", board.columns[of_column.column].id}, {"predictors", list}});
  }
  json runs = json::object();
  for (const auto status :
       {Status::completed, Status::diverged, Status::interrupted, Status::failed}) {
    const auto found = board.runs.find(status);
    runs[std::string(name_of(status))] = found == board.runs.end() ? 0 : found->second;
  }
  json out = {{"schema", "lra-leaderboard/2"},     {"runs", std::move(runs)},
              {"programs", board.programs},        {"settings", board.settings},
              {"versus", board.baseline},          {"columns", std::move(columns)},
              {"baselines", std::move(baselines)}, {"entries", std::move(entries)}};
  if (timings) {
    out["first_started"] = board.first_started;
    out["last_started"] = board.last_started;
  }
  static const JsonSchema schema(schema_text("leaderboard"), "leaderboard.schema.json");
  schema.require(out, "leaderboard", ErrorKind::config);
  return out;
}

}  // namespace lra::results
