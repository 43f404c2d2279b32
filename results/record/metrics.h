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

// Whether a number depends on the machine and its load, and when it is taken.
enum class Timed {
  no,
  measurement,  // speed and memory, which may be measured by themselves
  training,     // time and energy of the training itself
};

struct Metric {
  std::string_view name;   // in JSON, CSV and `--columns`
  std::string_view alias;  // short word for `--columns`; may be empty
  std::string_view title;  // for people
  std::string_view unit;   // of shown numbers; may be empty
  Better better;
  Timed timed;
  double scale;              // shown = scale * recorded
  int decimals;              // shown; -1: three significant digits
  std::string_view meaning;  // one line
  Real (*of)(const Record& record);
};

[[nodiscard]] std::span<const Metric> metrics();
// How the run's number of the metric was taken; none: not timed, or not measured.
[[nodiscard]] std::optional<Timing> timing_of(const Metric& metric, const Record& record);
// The metric with this name or alias; nullptr if there is none.
[[nodiscard]] const Metric* find_metric(std::string_view name);

}  // namespace lra::results
