#pragma once
// Distribution of runs over jobs: several short runs form a task, tasks of one class of time and
// memory form an array.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "harness/suite/estimate.h"

namespace lra::harness::cluster {

struct PlannedRun {
  std::size_t run = 0;  // its number in the suite
  Estimate cost;        // with all cores of a task
};

// The runs of one job, the longest first.
struct Task {
  std::vector<std::size_t> runs;
  double seconds = 0;      // estimated
  std::int64_t bytes = 0;  // of the largest runs, as many at once as there are cores
};

struct Array {
  std::vector<Task> tasks;
  std::int64_t hours = 1;            // limit of each task
  std::int64_t gigabytes = 1;        // limit of each task, in 2^30 bytes
  std::int64_t at_once = 0;          // tasks that may run at once; 0: any number
  std::optional<std::size_t> after;  // the array that must end before this one starts

  [[nodiscard]] std::size_t runs() const;
  [[nodiscard]] double longest() const;  // seconds of its longest task
};

struct PlanOptions {
  int cores = 1;             // of a task
  double task_minutes = 45;  // of runs in a task; 0: a task for each run
  std::int64_t at_once = 0;  // tasks that may run at once, over all arrays; 0: any number
};

// Slurm's MaxArraySize is 1001 unless a site has set it, and indices end below it.
inline constexpr std::size_t kMostTasks = 1000;

// Arrays, those with the longest tasks first. A limit is the next power of two above twice the
// estimated time and ten minutes, or above the estimated memory, a quarter and half a gigabyte.
// With `at_once`, arrays share that number by their work; where there are more arrays than that,
// they follow one another.
[[nodiscard]] std::vector<Array> plan_arrays(const std::vector<PlannedRun>& runs,
                                             const PlanOptions& options);

// The limits of a job with this length and size.
[[nodiscard]] std::int64_t hours_for(double seconds);
[[nodiscard]] std::int64_t gigabytes_for(std::int64_t bytes);

}  // namespace lra::harness::cluster
