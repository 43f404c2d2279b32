#pragma once
// What a run will cost, from a few steps of its model on this machine.

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "harness/measure/bench.h"
#include "harness/run/spec.h"
#include "harness/suite/jobs.h"

namespace lra::harness {

struct Estimate {
  double seconds = 0;  // of training and evaluation with all threads
  Footprint memory;
  bool known = false;  // false: the trial ran out of memory
};

// Upper bounds: sequences are taken as long as the task's longest. The trial runs in a child
// process; call it before this process has started threads. 0 threads: all cores.
// Throws Interrupted once `stop` is set, as all here.
[[nodiscard]] Estimate estimate(const RunSpec& spec, int threads,
                                const std::atomic<bool>* stop = nullptr);

// How many validation examples a run evaluates while it trains.
[[nodiscard]] double evaluated_examples(const RunSpec& spec);

// As estimate() for a bench over lengths: seconds of warm-up and measuring, memory of the longest.
// Tries lengths up to 2,048 and the shortest; beyond them time and memory grow as the variant
// claims.
[[nodiscard]] Estimate estimate_bench(const BenchOptions& options,
                                      std::vector<std::int64_t> lengths,
                                      const std::atomic<bool>* stop = nullptr);

// Estimates of many runs, which are kept in a file, so that a continued suite does not wait for
// them again, and shared by runs that differ in their seed alone.
class Estimates {
 public:
  Estimates(std::filesystem::path file, int threads, const std::atomic<bool>* stop);
  [[nodiscard]] Estimate of(const RunSpec& spec);

 private:
  std::filesystem::path file_;
  int threads_;
  const std::atomic<bool>* stop_;
  nlohmann::json known_;
};

}  // namespace lra::harness
