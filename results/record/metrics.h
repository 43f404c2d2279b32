#pragma once
// The numbers of a run that tables and leaderboards show, with title, unit and direction.

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "results/record/record.h"

namespace lra::results {

enum class Better { higher, lower, neither };

struct Metric {
  std::string_view name;   // in JSON, CSV and `--columns`
  std::string_view alias;  // short word for `--columns`; may be empty
  std::string_view title;  // for people
  std::string_view unit;   // of shown numbers; may be empty
  Better better;
  bool timing;               // depends on the machine and its load: speed, time, memory
  double scale;              // shown = scale * recorded
  int decimals;              // shown; -1: three significant digits
  std::string_view meaning;  // one line
  Real (*of)(const Record& record);
};

[[nodiscard]] std::span<const Metric> metrics();
// How the run's number of a metric with `timing` was taken: training time and energy are those of
// the training itself, speed and memory may have been measured alone. None: not measured.
[[nodiscard]] std::optional<Timing> timing_of(const Metric& metric, const Record& record);
// The metric with this name or alias; nullptr if there is none.
[[nodiscard]] const Metric* find_metric(std::string_view name);

}  // namespace lra::results
