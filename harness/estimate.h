#pragma once
// What a run will cost, from a few steps of its model on this machine.

#include <cstdint>

#include "harness/spec.h"

namespace lra::harness {

struct Estimate {
  double seconds = 0;             // of training and evaluation
  std::int64_t tensor_bytes = 0;  // at the peak of training
  bool known = false;             // false: the trial ran out of memory
};

// Upper bounds: sequences are taken as long as the task's longest. The trial runs in a child
// process; call it before this process has started threads. 0 threads: all cores.
[[nodiscard]] Estimate estimate(const RunSpec& spec, int threads);

}  // namespace lra::harness
