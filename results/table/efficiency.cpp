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
  if (!value) return point->status == "completed" ? "—" : point->status;
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

// A row a variant; `relative`: with the ratio to the baseline.
std::string table_of(const ScalingGroup& group, const Measure& measure, bool relative = true) {
  std::set<std::int64_t> lengths;
  for (const ScalingLine& line : group.lines) {
    for (const BenchPoint& point : line.bench->points) lengths.insert(point.n);
  }
  std::string text = "| " + std::string(measure.title) + " |";
  std::string rule = "|---|";
  for (const std::int64_t n : lengths) {
    text += " " + length_title(n) + " |";
    rule += "---:|";
  }
  text += "\n" + rule + "\n";
  for (const ScalingLine& line : group.lines) {
    text += "| " + markdown_escape(line.bench->attention.label) + " |";
    for (const std::int64_t n : lengths) {
      const bool compared = relative && group.baseline != nullptr;
      const BenchPoint* base = compared ? point_at(*group.baseline, n) : nullptr;
      text += " " + cell(measure, point_at(*line.bench, n), base) + " |";
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::string render_efficiency(const std::vector<BenchRecord>& benches) {
  std::string text;
  for (const ScalingGroup& group : scaling_groups(benches)) {
    text += fmt::format("{}: preset {}, {}, batch {}, {}; in brackets: relative to softmax\n\n",
                        group.mode == "train" ? "Training" : "Inference", group.preset,
                        group.precision, group.batch, group.machine);
    text += table_of(group, {"steps/s ↑", speed_of, 3}) + "\n";
    text += table_of(group, {"peak tensor memory ↓ (MB)", memory_of, 1}) + "\n";
    if (has_limits(group)) {
      text +=
          table_of(group, {"share of the machine's limit ↑ (%)", limit_share_of, 0}, false) + "\n";
    }
  }
  return text;
}

}  // namespace lra::results
