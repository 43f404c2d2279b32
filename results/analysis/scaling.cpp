#include "results/analysis/scaling.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "results/analysis/wanted.h"

namespace lra::results {
namespace {

// Median step times in ms by length; lengths without one are left out.
std::map<std::int64_t, double> times_of(const BenchRecord& bench) {
  std::map<std::int64_t, double> times;
  for (const auto& point : bench.points) {
    if (point.step_ms && point.step_ms->median > 0) times[point.n] = point.step_ms->median;
  }
  return times;
}

std::optional<PowerLaw> fit(const std::map<std::int64_t, double>& values) {
  std::vector<double> x;
  std::vector<double> y;
  for (const auto& [n, value] : values) {
    x.push_back(static_cast<double>(n));
    y.push_back(value);
  }
  return fit_power_law(x, y);
}

std::map<std::int64_t, double> memory_of(const BenchRecord& bench) {
  std::map<std::int64_t, double> bytes;
  for (const auto& point : bench.points) {
    if (point.peak_tensor_bytes && *point.peak_tensor_bytes > 0) {
      bytes[point.n] = static_cast<double>(*point.peak_tensor_bytes);
    }
  }
  return bytes;
}

// The softmax that is fastest at its longest measured length.
const BenchRecord* find_baseline(const ScalingGroup& group) {
  const BenchRecord* best = nullptr;
  std::pair<std::int64_t, double> best_end;
  for (const auto& line : group.lines) {
    const auto times = times_of(*line.bench);
    if (line.bench->attention.name != "softmax" || times.empty()) continue;
    const std::pair<std::int64_t, double> end = *times.rbegin();
    const bool better = best == nullptr || end.first > best_end.first ||
                        (end.first == best_end.first && end.second < best_end.second);
    if (!better) continue;
    best = line.bench;
    best_end = end;
  }
  return best;
}

}  // namespace

std::optional<EfficiencyLength> efficiency_length(const BenchRecord& variant,
                                                  const BenchRecord& baseline) {
  using Kind = EfficiencyLength::Kind;
  const auto mine = times_of(variant);
  const auto theirs = times_of(baseline);
  // log(variant / baseline) at common lengths: below 0 the variant is ahead.
  std::vector<std::pair<double, double>> ratio;
  for (const auto& [n, time] : mine) {
    const auto other = theirs.find(n);
    if (other != theirs.end()) {
      ratio.emplace_back(static_cast<double>(n), std::log(time / other->second));
    }
  }
  if (ratio.empty()) return std::nullopt;
  if (ratio.front().second <= 0) return EfficiencyLength{Kind::at_once, ratio.front().first};
  for (std::size_t i = 1; i < ratio.size(); ++i) {
    if (ratio[i].second > 0) continue;
    const double share = ratio[i - 1].second / (ratio[i - 1].second - ratio[i].second);
    const double low = std::log(ratio[i - 1].first);
    const double high = std::log(ratio[i].first);
    return EfficiencyLength{Kind::measured, std::exp(low + share * (high - low))};
  }
  const auto a = fit(mine);
  const auto b = fit(theirs);
  if (!a || !b || a->exponent >= b->exponent) return EfficiencyLength{Kind::never, 0};
  const double n = std::pow(a->scale / b->scale, 1 / (b->exponent - a->exponent));
  // The fits may meet before lengths at which the measurements contradict them.
  return EfficiencyLength{Kind::extrapolated, std::max(n, ratio.back().first)};
}

std::string batch_text(const ScalingGroup& group) {
  std::string text = fmt::format("batch {}", group.batch);
  if (group.mean_tokens) {
    text += fmt::format(" of {:.0f} tokens a sequence on average", *group.mean_tokens);
  }
  return text;
}

std::vector<ScalingGroup> scaling_groups(const std::vector<BenchRecord>& benches,
                                         const std::vector<std::string>& attentions) {
  const auto conditions = [](const BenchRecord& b) {
    return std::tuple(b.mode, b.preset, b.precision, b.batch, b.mean_tokens,
                      machine_of(b.environment));
  };
  std::map<decltype(conditions(benches.front())), std::vector<const BenchRecord*>> sorted;
  for (const auto& bench : benches) sorted[conditions(bench)].push_back(&bench);
  std::vector<ScalingGroup> groups;
  for (auto& [key, members] : sorted) {
    std::stable_sort(members.begin(), members.end(), [](const auto* a, const auto* b) {
      return std::tie(a->attention.name, a->attention.options.text, a->started) <
             std::tie(b->attention.name, b->attention.options.text, b->started);
    });
    ScalingGroup& group = groups.emplace_back();
    group.mode = members.front()->mode;
    group.preset = members.front()->preset;
    group.precision = members.front()->precision;
    group.machine = machine_of(members.front()->environment);
    group.batch = members.front()->batch;
    group.mean_tokens = members.front()->mean_tokens;
    for (const auto* bench : members) {
      group.lines.push_back({bench, fit(times_of(*bench)), fit(memory_of(*bench)), {}});
    }
    group.baseline = find_baseline(group);
    for (auto& line : group.lines) {
      if (group.baseline != nullptr && line.bench != group.baseline) {
        line.ahead = efficiency_length(*line.bench, *group.baseline);
      }
    }
  }
  if (attentions.empty()) return groups;
  for (auto& group : groups) {
    std::erase_if(group.lines, [&](const ScalingLine& line) {
      return std::find(attentions.begin(), attentions.end(), line.bench->attention.name) ==
             attentions.end();
    });
  }
  std::erase_if(groups, [](const ScalingGroup& group) { return group.lines.empty(); });
  return groups;
}

void require_benched(const std::vector<BenchRecord>& benches,
                     const std::vector<std::string>& attentions) {
  std::set<std::string> known;
  for (const auto& bench : benches) known.insert(bench.attention.name);
  require_wanted(attentions, known, "attention", "benches");
}

}  // namespace lra::results
