#pragma once
// What a training step would take on another number of cores, from the parts of a measured one.
//
// Only what is known of the program goes in: lanes are taken by free cores in their order, the
// optimiser's update divides evenly, the rest is one thread's. Clock rates, caches and memory
// bandwidth that cores share are taken as they were in the measurement.

#include <vector>

namespace lra::harness {

// Seconds of a measured step.
struct StepParts {
  std::vector<double> lanes;  // each lane's own
  double update = 0;          // of the optimiser, summing the lanes included
  double whole = 0;           // wall time
};

// Seconds on `cores` of a step that was measured with `threads`.
[[nodiscard]] double seconds_on(const StepParts& step, int threads, int cores);

}  // namespace lra::harness
