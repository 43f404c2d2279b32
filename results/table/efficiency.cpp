#include "results/table/efficiency.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "results/analysis/scaling.h"
#include "results/record/escape.h"

namespace lra::results {
namespace {

struct Measure {
  const char* title;
  Real (*of)(const BenchPoint&);
  int decimals;
};

constexpr double kMega = 1e6;

Real speed_of(const BenchPoint& point) { return point.steps_per_second; }
Real tokens_of(const BenchPoint& point) { return point.tokens_per_second; }
Real outside_products_of(const BenchPoint& point) {
  if (!point.matmul_share) return std::nullopt;
  return 100 * (1 - *point.matmul_share);
}
Real memory_of(const BenchPoint& point) {
  if (!point.peak_tensor_bytes) return std::nullopt;
  return static_cast<double>(*point.peak_tensor_bytes) / kMega;
}

Real limit_share_of(const BenchPoint& point) {
  if (!point.limit_ms || !point.step_ms) return std::nullopt;
  return 100 * *point.limit_ms / point.step_ms->median;
}

const BenchPoint* point_at(const BenchRecord& bench, std::int64_t n) {
  const auto found = std::find_if(bench.points.begin(), bench.points.end(),
                                  [n](const BenchPoint& p) { return p.n == n; });
  return found == bench.points.end() ? nullptr : &*found;
}

std::string cell(const Measure& measure, const BenchPoint* point, const BenchPoint* baseline) {
  if (point == nullptr) return "—";
  const Real value = measure.of(*point);
  if (!value)
    return point->status == PointStatus::completed ? "—" : std::string(name_of(point->status));
  std::string text = fmt::format("{:.{}f}", *value, measure.decimals);
  const Real base = baseline == nullptr ? std::nullopt : measure.of(*baseline);
  return base && *base > 0 ? text + fmt::format(" ({:.2f}x)", *value / *base) : text;
}

std::string length_title(std::int64_t n) {
  return n % 1024 == 0 ? fmt::format("{}K", n / 1024) : fmt::format("{}", n);
}

bool has_limits(const ScalingGroup& group) {
  return std::any_of(group.lines.begin(), group.lines.end(), [](const ScalingLine& line) {
    return std::any_of(line.bench->points.begin(), line.bench->points.end(),
                       [](const BenchPoint& point) { return limit_share_of(point).has_value(); });
  });
}

std::set<std::int64_t> lengths_of(const ScalingGroup& group) {
  std::set<std::int64_t> lengths;
  for (const ScalingLine& line : group.lines) {
    for (const BenchPoint& point : line.bench->points) lengths.insert(point.n);
  }
  return lengths;
}

std::vector<const BenchRecord*> benches_of(const ScalingGroup& group) {
  std::vector<const BenchRecord*> benches;
  for (const ScalingLine& line : group.lines) benches.push_back(line.bench);
  return benches;
}

// One row per variant; cell_of(bench, c) is the text below heads[c].
template <class CellOf>
std::string markdown(const std::string& corner, const std::vector<std::string>& heads,
                     const std::vector<const BenchRecord*>& benches, const CellOf& cell_of) {
  std::string text = "| " + corner + " |";
  std::string rule = "|---|";
  for (const std::string& head : heads) {
    text += " " + head + " |";
    rule += "---:|";
  }
  text += "\n" + rule + "\n";
  for (const BenchRecord* bench : benches) {
    text += "| " + markdown_escape(bench->attention.label) + " |";
    for (std::size_t c = 0; c < heads.size(); ++c) text += " " + cell_of(*bench, c) + " |";
    text += "\n";
  }
  return text;
}

// Table for one length: one column per measure, the fastest variant first.
std::string table_at(const ScalingGroup& group, std::int64_t n) {
  std::vector<Measure> measures{{"tokens/s ↑", tokens_of, 0},
                                {"peak tensor memory ↓ (MB)", memory_of, 1},
                                {"outside products (%)", outside_products_of, 0}};
  if (has_limits(group)) {
    measures.push_back({"share of the machine's limit ↑ (%)", limit_share_of, 0});
  }
  auto benches = benches_of(group);
  const auto speed = [n](const BenchRecord* bench) {
    const BenchPoint* point = point_at(*bench, n);
    return point == nullptr ? 0.0 : tokens_of(*point).value_or(0);
  };
  std::stable_sort(benches.begin(), benches.end(),
                   [&](const auto* a, const auto* b) { return speed(a) > speed(b); });
  std::vector<std::string> heads;
  heads.reserve(measures.size());
  for (const Measure& measure : measures) heads.emplace_back(measure.title);
  return markdown("n = " + length_title(n), heads, benches,
                  [&](const BenchRecord& bench, std::size_t c) {
                    const bool compared = measures[c].of == tokens_of && group.baseline != nullptr;
                    return cell(measures[c], point_at(bench, n),
                                compared ? point_at(*group.baseline, n) : nullptr);
                  });
}

// Table for one length: one column per number of cores, with tokens per second and the efficiency
// relative to one core. Empty if there are no predictions.
std::string cores_table(const ScalingGroup& group, std::int64_t n) {
  const auto at = [n](const BenchRecord& bench, std::int64_t cores) -> const CoresPoint* {
    const BenchPoint* point = point_at(bench, n);
    if (point == nullptr) return nullptr;
    const auto found = std::find_if(point->on_cores.begin(), point->on_cores.end(),
                                    [cores](const CoresPoint& p) { return p.cores == cores; });
    return found == point->on_cores.end() ? nullptr : &*found;
  };
  std::set<std::int64_t> found;
  for (const ScalingLine& line : group.lines) {
    if (const BenchPoint* point = point_at(*line.bench, n)) {
      for (const CoresPoint& p : point->on_cores) found.insert(p.cores);
    }
  }
  if (found.empty()) return "";
  const std::vector<std::int64_t> cores(found.begin(), found.end());
  std::vector<std::string> heads;
  heads.reserve(cores.size());
  for (const std::int64_t c : cores)
    heads.push_back(fmt::format("{} {}", c, c == 1 ? "core" : "cores"));
  return markdown(fmt::format("n = {}, worked out: tokens/s ↑ (efficiency)", length_title(n)),
                  heads, benches_of(group), [&](const BenchRecord& bench, std::size_t c) {
                    const CoresPoint* point = at(bench, cores[c]);
                    if (point == nullptr) return std::string("—");
                    std::string text =
                        fmt::format("{:.0f}", 1e3 * step_tokens(bench, n) / point->step_ms);
                    if (const CoresPoint* one = at(bench, 1)) {
                      text += fmt::format(" ({:.0f} %)", 100 * one->step_ms / point->step_ms /
                                                             static_cast<double>(cores[c]));
                    }
                    return text;
                  });
}

// One column per length; `relative`: with the ratio to the baseline.
std::string table_of(const ScalingGroup& group, const Measure& measure, bool relative = true) {
  const std::set<std::int64_t> found = lengths_of(group);
  const std::vector<std::int64_t> lengths(found.begin(), found.end());
  std::vector<std::string> heads;
  heads.reserve(lengths.size());
  for (const std::int64_t n : lengths) heads.push_back(length_title(n));
  return markdown(measure.title, heads, benches_of(group),
                  [&](const BenchRecord& bench, std::size_t c) {
                    const bool compared = relative && group.baseline != nullptr;
                    return cell(measure, point_at(bench, lengths[c]),
                                compared ? point_at(*group.baseline, lengths[c]) : nullptr);
                  });
}

}  // namespace

std::string render_efficiency(const std::vector<BenchRecord>& benches,
                              const std::vector<std::string>& attentions) {
  require_benched(benches, attentions);
  std::string text;
  for (const ScalingGroup& group : scaling_groups(benches, attentions)) {
    text += fmt::format("{}: preset {}, {}, {}, {}; in brackets: relative to softmax\n\n",
                        group.mode == BenchMode::train ? "Training" : "Inference", group.preset,
                        name_of(group.precision), batch_text(group), group.machine);
    const auto lengths = lengths_of(group);
    if (lengths.size() == 1) {
      text += table_at(group, *lengths.begin()) + "\n";
    } else {
      text += table_of(group, {"steps/s ↑", speed_of, 3}) + "\n";
      text += table_of(group, {"peak tensor memory ↓ (MB)", memory_of, 1}) + "\n";
      if (has_limits(group)) {
        text += table_of(group, {"share of the machine's limit ↑ (%)", limit_share_of, 0}, false) +
                "\n";
      }
    }
    for (const std::int64_t n : lengths) {
      if (const std::string cores = cores_table(group, n); !cores.empty()) text += cores + "\n";
    }
  }
  return text;
}

}  // namespace lra::results
