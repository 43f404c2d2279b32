#include "harness/measure/cores.h"

#include <algorithm>

namespace lra::harness {
namespace {

// Seconds until the last lane is done; lanes are taken in order by the first free core.
double makespan(const std::vector<double>& lanes, int cores) {
  std::vector<double> busy(static_cast<std::size_t>(cores), 0.0);
  for (const double seconds : lanes) *std::min_element(busy.begin(), busy.end()) += seconds;
  return *std::max_element(busy.begin(), busy.end());
}

}  // namespace

double seconds_on(const StepParts& step, int threads, int cores) {
  const double alone = std::max(0.0, step.whole - step.update - makespan(step.lanes, threads));
  return makespan(step.lanes, cores) + step.update * threads / cores + alone;
}

}  // namespace lra::harness
