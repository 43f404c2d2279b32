#include "harness/cluster/plan.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <utility>

namespace lra::harness::cluster {
namespace {

// The minimum of a run: opening the data, building the model, writing the result.
constexpr double kLeastSeconds = 1;
// A task may exceed the target length by this factor.
constexpr double kMostFill = 4.0 / 3.0;

std::int64_t next_power(double least) {
  return static_cast<std::int64_t>(
      std::bit_ceil(static_cast<std::uint64_t>(std::max(1.0, std::ceil(least)))));
}

double seconds_of(const PlannedRun& run) { return std::max(kLeastSeconds, run.cost.seconds); }

// Memory of the largest runs, as many at once as there are cores.
std::int64_t bytes_at_once(const std::vector<const PlannedRun*>& runs, int cores) {
  std::vector<Footprint> largest;
  std::int64_t sequence = 0;
  for (const PlannedRun* run : runs) {
    largest.push_back({run->cost.memory.fixed_bytes, 0});
    sequence = std::max(sequence, run->cost.memory.sequence_bytes);
  }
  std::sort(largest.begin(), largest.end(),
            [](const Footprint& a, const Footprint& b) { return a.fixed_bytes > b.fixed_bytes; });
  largest.resize(std::min(largest.size(), static_cast<std::size_t>(cores)));
  if (!largest.empty()) largest.front().sequence_bytes = sequence;
  return bytes_of(largest, cores);
}

// Packs short runs of one class of memory, the longest first, each into the task with the least
// work.
std::vector<std::vector<const PlannedRun*>> pack(std::vector<const PlannedRun*> runs,
                                                 double seconds) {
  std::stable_sort(runs.begin(), runs.end(), [](const PlannedRun* a, const PlannedRun* b) {
    return seconds_of(*a) > seconds_of(*b);
  });
  double sum = 0;
  for (const PlannedRun* run : runs) sum += seconds_of(*run);
  for (auto count = static_cast<std::size_t>(std::ceil(sum / seconds));; ++count) {
    std::vector<std::vector<const PlannedRun*>> tasks(std::min(count, runs.size()));
    std::vector<double> loads(tasks.size(), 0);
    for (const PlannedRun* run : runs) {
      const auto least = std::min_element(loads.begin(), loads.end());
      tasks[static_cast<std::size_t>(least - loads.begin())].push_back(run);
      *least += seconds_of(*run);
    }
    const double most = *std::max_element(loads.begin(), loads.end());
    if (most <= kMostFill * seconds || count >= runs.size()) return tasks;
  }
}

// The tasks of a class of memory; a run that fills a task is alone in it.
std::vector<std::vector<const PlannedRun*>> tasks_of(const std::vector<const PlannedRun*>& runs,
                                                     double seconds) {
  std::vector<std::vector<const PlannedRun*>> tasks;
  std::vector<const PlannedRun*> rest;
  for (const PlannedRun* run : runs) {
    if (seconds_of(*run) < seconds) {
      rest.push_back(run);
    } else {
      tasks.push_back({run});
    }
  }
  if (rest.empty()) return tasks;
  for (auto& task : pack(std::move(rest), seconds)) tasks.push_back(std::move(task));
  return tasks;
}

void share(std::vector<Array>& arrays, std::int64_t at_once) {
  if (at_once <= 0 || arrays.empty()) return;
  const auto count = static_cast<std::int64_t>(arrays.size());
  if (at_once < count) {
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      arrays[i].at_once = 1;
      const auto lanes = static_cast<std::size_t>(at_once);
      if (i >= lanes) arrays[i].after = i - lanes;
    }
    return;
  }
  // One slot per array, then each further slot to the array with the most work per slot.
  std::vector<double> work;
  for (Array& array : arrays) {
    double sum = 0;
    for (const Task& task : array.tasks) sum += task.seconds;
    work.push_back(sum);
    array.at_once = 1;
  }
  for (std::int64_t left = at_once - count; left > 0; --left) {
    std::size_t most = 0;
    double load = -1;
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      const double each = work[i] / static_cast<double>(arrays[i].at_once);
      if (each > load) {
        most = i;
        load = each;
      }
    }
    ++arrays[most].at_once;
  }
}

}  // namespace

std::size_t Array::runs() const {
  std::size_t count = 0;
  for (const Task& task : tasks) count += task.runs.size();
  return count;
}

double Array::longest() const {
  double seconds = 0;
  for (const Task& task : tasks) seconds = std::max(seconds, task.seconds);
  return seconds;
}

std::int64_t hours_for(double seconds) {
  constexpr double kHour = 3600;
  constexpr double kStart = 600;
  return next_power((2 * seconds + kStart) / kHour);
}

std::int64_t gigabytes_for(std::int64_t bytes) {
  constexpr double kGiga = 1 << 30;
  return next_power(1.25 * static_cast<double>(bytes) / kGiga + 0.5);
}

std::vector<Array> plan_arrays(const std::vector<PlannedRun>& runs, const PlanOptions& options) {
  // Large runs are separated from small ones, which would otherwise request as much memory.
  std::map<std::int64_t, std::vector<const PlannedRun*>> by_memory;
  for (const PlannedRun& run : runs) {
    const std::vector<const PlannedRun*> alike(static_cast<std::size_t>(options.cores), &run);
    by_memory[gigabytes_for(bytes_at_once(alike, options.cores))].push_back(&run);
  }
  std::map<std::pair<std::int64_t, std::int64_t>, std::vector<Task>> classes;
  for (const auto& [gigabytes, alike] : by_memory) {
    for (const auto& members : tasks_of(alike, 60 * options.task_minutes)) {
      Task task;
      for (const PlannedRun* run : members) {
        task.runs.push_back(run->run);
        task.seconds += seconds_of(*run);
      }
      task.bytes = bytes_at_once(members, options.cores);
      classes[{hours_for(task.seconds), gigabytes_for(task.bytes)}].push_back(std::move(task));
    }
  }
  std::vector<Array> arrays;
  for (auto entry = classes.rbegin(); entry != classes.rend(); ++entry) {
    auto& tasks = entry->second;
    std::stable_sort(tasks.begin(), tasks.end(),
                     [](const Task& a, const Task& b) { return a.seconds > b.seconds; });
    for (std::size_t begin = 0; begin < tasks.size(); begin += kMostTasks) {
      const std::size_t end = std::min(tasks.size(), begin + kMostTasks);
      Array& array = arrays.emplace_back();
      array.hours = entry->first.first;
      array.gigabytes = entry->first.second;
      array.tasks.assign(tasks.begin() + static_cast<std::ptrdiff_t>(begin),
                         tasks.begin() + static_cast<std::ptrdiff_t>(end));
    }
  }
  share(arrays, options.at_once);
  return arrays;
}

}  // namespace lra::harness::cluster
