#pragma once
// `lra data check`: reads all of a task's data and reports statistics and faults. Not installed.

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tasks/task.h"

namespace lra::tasks {

struct LengthSummary {
  std::int64_t min = 0, max = 0;
  double mean = 0;
  // Tokens at the shares of kQuantiles (the smallest length that at least that share does not
  // exceed), and counts of lengths in 20 equal bins of `bin_width` from 0.
  std::array<std::int64_t, 7> quantiles{};
  std::int64_t bin_width = 1;
  std::array<std::int64_t, 20> histogram{};
};
inline constexpr std::array<double, 7> kQuantiles{0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99};

struct SplitSummary {
  std::int64_t examples = 0;
  std::vector<std::int64_t> labels;  // [classes] examples of each class; empty for token tasks
  LengthSummary lengths;             // of `tokens`, after cutting
  LengthSummary second_lengths;      // pair tasks only
  std::string sha256;                // the digest that the cache of this split has
  std::int64_t in_train = 0;         // of val, test: examples whose sequences are also in train
};

struct DataCheck {
  std::string task, description, sha256;
  std::vector<std::string> class_names;  // as TaskInfo
  Origin origin = Origin::generated;
  std::array<SplitSummary, 3> splits;  // by Split
  std::vector<std::string> faults;     // "file:line: what", the first of them
  std::int64_t fault_count = 0;
  bool complete = true;  // false: a fault of a whole file stopped the reading
  [[nodiscard]] nlohmann::json to_json() const;
};

// Reads everything, without the cache and without stopping at a faulty record; keeps the messages
// of the first `max_faults` faults. Throws only errors that do not concern the data, and
// Error(data) if there are no data at `options.data`.
[[nodiscard]] DataCheck check(const Task& task, const OpenOptions& options,
                              std::size_t max_faults = 1000);

}  // namespace lra::tasks
