#include "results/analysis/relations.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/base/error.h"
#include "results/record/escape.h"
#include "results/record/metrics.h"

namespace lra::results {
namespace {

using nlohmann::json;

// Runs of one attention with one set of options, by seed.
struct CellRuns {
  std::string name, label;
  json options;
  std::map<std::int64_t, const Record*> runs;
};

// The label and the options in which the variant's cells differ.
std::string cell_name(const CellRuns& cell, const std::vector<CellRuns>& all) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : cell.options.items()) {
    const bool differs = std::any_of(all.begin(), all.end(), [&](const CellRuns& other) {
      return other.name == cell.name && other.options.value(key, json()) != value;
    });
    if (!differs) continue;
    parts.push_back(
        fmt::format("{}={}", key, value.is_string() ? value.get<std::string>() : value.dump()));
  }
  return parts.empty() ? cell.label : fmt::format("{} ({})", cell.label, fmt::join(parts, ", "));
}

Real mean_over(const CellRuns& cell, const Metric& metric) {
  double sum = 0;
  for (const auto& [seed, run] : cell.runs) {
    const Real value = metric.of(*run);
    if (!value) return {};  // a mean over other seeds than the accuracy's would compare unlike runs
    sum += *value;
  }
  return sum / static_cast<double>(cell.runs.size());
}

Relation relation(const std::vector<RelationCell>& cells, std::size_t metric,
                  const std::string& name) {
  std::vector<double> x;
  std::vector<double> y;
  for (const auto& cell : cells) {
    if (!cell.values[metric]) continue;
    x.push_back(*cell.values[metric]);
    y.push_back(cell.accuracy.mean);
  }
  Relation r;
  r.metric = name;
  r.cells = static_cast<std::int64_t>(x.size());
  r.pearson = pearson(x, y);
  r.spearman = spearman(x, y);
  if (r.pearson && r.cells > 2) {
    const auto degrees = static_cast<double>(r.cells - 2);
    const double rest = 1 - *r.pearson * *r.pearson;
    r.p = rest <= 0 ? 0 : student_t_two_sided(*r.pearson * std::sqrt(degrees / rest), degrees);
  }
  return r;
}

std::string number(const Real& value, int digits = 3) {
  return value ? fmt::format("{:.{}g}", *value, digits) : "—";
}

json number_json(const Real& value) { return value ? json(*value) : json(); }

std::string markdown(const RelationGroup& group) {
  std::string out =
      fmt::format("**{}**\n\n| attention | test accuracy |", markdown_escape(group.setting));
  for (const auto& metric : group.metrics) out += fmt::format(" {} |", metric);
  out += "\n|---|---:|";
  for (std::size_t i = 0; i < group.metrics.size(); ++i) out += "---:|";
  for (const auto& cell : group.cells) {
    const auto& a = cell.accuracy;
    out += fmt::format("\n| {} | {:.4f}{} ({}) |", markdown_escape(cell.attention), a.mean,
                       a.sd ? fmt::format(" ± {:.4f}", *a.sd) : "", a.n);
    for (const auto& value : cell.values) out += fmt::format(" {} |", number(value, 4));
  }
  for (const auto& [title, of] : {std::pair<const char*, std::optional<double> Relation::*>{
                                      "Pearson's r with accuracy", &Relation::pearson},
                                  {"Spearman's ρ", &Relation::spearman},
                                  {"p of r", &Relation::p}}) {
    out += fmt::format("\n| *{}* | |", title);
    for (const auto& r : group.relations) out += fmt::format(" *{}* |", number(r.*of));
  }
  return out + "\n";
}

}  // namespace

std::vector<RelationGroup> relate(const std::vector<Record>& records,
                                  const std::vector<std::string>& metrics) {
  std::vector<const Metric*> wanted;
  for (const auto& name : metrics) {
    wanted.push_back(find_metric(name));
    if (wanted.back() != nullptr) continue;
    std::vector<std::string> known;
    for (const auto& metric : results::metrics()) {
      known.emplace_back(metric.name);
      if (!metric.alias.empty()) known.emplace_back(metric.alias);
    }
    throw Error(ErrorKind::usage, unknown_name_message("metric", name, known));
  }
  std::map<std::pair<std::string, std::string>, std::vector<CellRuns>> groups;
  for (const auto& record : records) {
    if (record.status != Status::completed || !record.accuracy.value.test) continue;
    auto& cells = groups[{record.task.name + ", " + setting_of(record),
                          record.task.data_sha256.value_or("")}];
    const json options = json::parse(record.attention.options.text);
    auto cell = std::find_if(cells.begin(), cells.end(), [&](const CellRuns& c) {
      return c.name == record.attention.name && c.options == options;
    });
    if (cell == cells.end()) {
      cell = cells.insert(cell, {record.attention.name, record.attention.label, options, {}});
    }
    cell->runs.emplace(record.seed, &record);
  }
  if (groups.empty()) fail(ErrorKind::data, "relations: no completed runs");

  std::vector<RelationGroup> result;
  for (const auto& [key, cells] : groups) {
    RelationGroup group;
    group.setting = key.first;
    for (const Metric* metric : wanted) group.metrics.emplace_back(metric->name);
    for (const auto& cell : cells) {
      std::vector<double> accuracies;
      for (const auto& [seed, run] : cell.runs) {
        accuracies.push_back(*run->accuracy.value.test);
      }
      RelationCell summary{cell_name(cell, cells), *summarize(accuracies), {}};
      for (const Metric* metric : wanted) summary.values.push_back(mean_over(cell, *metric));
      group.cells.push_back(std::move(summary));
    }
    std::sort(group.cells.begin(), group.cells.end(), [](const auto& a, const auto& b) {
      return a.accuracy.mean != b.accuracy.mean ? a.accuracy.mean > b.accuracy.mean
                                                : a.attention < b.attention;
    });
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      group.relations.push_back(relation(group.cells, i, group.metrics[i]));
    }
    result.push_back(std::move(group));
  }
  return result;
}

std::string format_relations(const std::vector<RelationGroup>& groups, SummaryFormat format) {
  if (format == SummaryFormat::md) {
    std::vector<std::string> parts;
    parts.reserve(groups.size());
    for (const auto& group : groups) parts.push_back(markdown(group));
    return fmt::format("{}", fmt::join(parts, "\n"));
  }
  json out = json::array();
  for (const auto& group : groups) {
    json cells = json::array();
    for (const auto& cell : group.cells) {
      json values = json::object();
      for (std::size_t i = 0; i < group.metrics.size(); ++i) {
        values[group.metrics[i]] = number_json(cell.values[i]);
      }
      cells.push_back({{"attention", cell.attention},
                       {"accuracy", cell.accuracy.mean},
                       {"sd", number_json(cell.accuracy.sd)},
                       {"seeds", cell.accuracy.n},
                       {"values", std::move(values)}});
    }
    json relations = json::array();
    for (const auto& r : group.relations) {
      relations.push_back({{"metric", r.metric},
                           {"cells", r.cells},
                           {"pearson", number_json(r.pearson)},
                           {"spearman", number_json(r.spearman)},
                           {"p", number_json(r.p)}});
    }
    out.push_back({{"setting", group.setting},
                   {"cells", std::move(cells)},
                   {"relations", std::move(relations)}});
  }
  return out.dump(2) + "\n";
}

}  // namespace lra::results
