#pragma once
// Predicted time of a training step on another number of cores, from the parts of a measured step.
//
// The model covers only the program: free cores take lanes in order, the optimiser's update divides
// evenly, the rest runs on one thread. Clock rates, caches and shared memory bandwidth are assumed
// to be as in the measurement.

#include <vector>

namespace lra::harness {

// Seconds of a measured step.
struct StepParts {
  std::vector<double> lanes;  // each lane's own
  double update = 0;          // of the optimiser, summing the lanes included
  double whole = 0;           // wall time
};

// Seconds on `cores` cores of a step that was measured with `threads` threads.
[[nodiscard]] double seconds_on(const StepParts& step, int threads, int cores);

}  // namespace lra::harness
