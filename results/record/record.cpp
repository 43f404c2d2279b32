#include "results/record/record.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/base/file.h"

namespace lra::results {

using nlohmann::json;

std::string describe(const SearchPart& search) {
  std::string steps;
  for (std::size_t i = 0; i < search.rungs.size(); ++i) {
    const bool last = i + 1 == search.rungs.size();
    steps += fmt::format("{}{}", i == 0 ? "" : last ? " and " : ", ", search.rungs[i].steps);
  }
  std::string text =
      fmt::format("best validation of {} trials of {} steps, {:.3g} M tokens", search.trials.size(),
                  steps, 1e-6 * static_cast<double>(search.tokens));
  if (search.further.runs > 0) {
    text += fmt::format(", beside {} further run{} of trials, {:.3g} M tokens", search.further.runs,
                        search.further.runs == 1 ? "" : "s",
                        1e-6 * static_cast<double>(search.further.tokens));
  }
  return text;
}

std::string threads_of(const TimePart& time) {
  std::string text;
  for (const Stretch& stretch : time.stretches) {
    text += fmt::format("{}{}", text.empty() ? "" : ", then ", stretch.threads);
  }
  return text;
}

void set_run_id(Record& record, std::string_view spec_json) {
  record.spec_sha256 = sha256_hex(spec_json);
  record.run_id = record.spec_sha256.substr(0, 16);
}

void set_diagnostics(Record& record, const json& diagnostics) {
  record.diagnostics = {diagnostics.dump()};
  record.diagnosis.clear();
  if (!diagnostics.contains("mean")) return;
  for (const auto& [name, value] : diagnostics["mean"].items()) {
    if (value.is_number()) record.diagnosis[name] = value.get<double>();
  }
}

void merge_lengths(LengthPart& lengths, const LengthPart& fresh) {
  for (const LengthPoint& point : fresh.points) {
    const auto at = std::lower_bound(
        lengths.points.begin(), lengths.points.end(), point.factor,
        [](const LengthPoint& p, std::int64_t factor) { return p.factor < factor; });
    if (at == lengths.points.end() || at->factor != point.factor) {
      lengths.points.insert(at, point);
    } else if (point.accuracy || !at->accuracy) {
      *at = point;
    }
  }
  judge_lengths(lengths);
}

void judge_lengths(LengthPart& lengths) {
  constexpr double kReached = 0.9;
  lengths.reach.reset();
  lengths.area.reset();
  double sum = 0;
  double span = 0;
  bool all = true;
  const LengthPoint* last = nullptr;
  for (const LengthPoint& point : lengths.points) {
    if (!point.accuracy || !point.length) {
      all = false;
      continue;
    }
    if (*point.accuracy >= kReached)
      lengths.reach = std::max(lengths.reach.value_or(0), *point.length);
    if (last != nullptr) {
      const double step = std::log2(static_cast<double>(*point.length)) -
                          std::log2(static_cast<double>(*last->length));
      sum += step * (*point.accuracy + *last->accuracy) / 2;
      span += step;
    }
    last = &point;
  }
  if (all && span > 0) lengths.area = sum / span;
}

void judge_division(Record& record, Count baseline_parameters) {
  auto& division = record.division;
  division = {};
  division.baseline_parameters = baseline_parameters;
  if (record.parameters && baseline_parameters && *baseline_parameters > 0 &&
      *record.parameters > 0) {
    division.parameter_ratio =
        static_cast<double>(*record.parameters) / static_cast<double>(*baseline_parameters);
  }
  if (!division.parameter_ratio) {
    division.reasons.emplace_back("the Transformer's parameters are not known");
  } else if (std::abs(*division.parameter_ratio - 1) > 0.10) {
    division.reasons.push_back(
        fmt::format("{:+.1f} % parameters", 100 * (*division.parameter_ratio - 1)));
  }
  for (const auto& deviation : record.deviations) division.reasons.push_back(deviation);
  division.name = division.reasons.empty() ? Division::apples_to_apples : Division::free_for_all;
}

std::string setting_of(const Record& record) {
  std::string text = record.preset;
  if (record.protocol != record.preset) text += fmt::format(", protocol {}", record.protocol);
  if (!record.deviations.empty()) text += fmt::format(" [{}]", fmt::join(record.deviations, "; "));
  return text + fmt::format(", {}", name_of(record.precision));
}

std::string machine_of(const Environment& environment) {
  return fmt::format("{}, {}, {} cores, {} threads", environment.cpu, environment.isa,
                     environment.cores, environment.threads);
}

std::string program_of(const Environment& environment) {
  return fmt::format("{} ({}{})", environment.version,
                     environment.commit ? environment.commit->substr(0, 12) : "no commit",
                     environment.dirty.value_or(false) ? ", with changes" : "");
}

}  // namespace lra::results
