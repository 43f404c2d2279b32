#pragma once
// Cost estimates of runs, from a few steps of their models on this machine.

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "harness/measure/bench.h"
#include "harness/run/spec.h"
#include "harness/suite/jobs.h"

namespace lra::harness {

using ExampleCounts = std::array<std::int64_t, 3>;  // by tasks::Split

struct Estimate {
  double seconds = 0;  // of training and evaluation with all threads
  Footprint memory;
  bool known = false;
  std::string failure;  // why the cost is unknown; a killed trial does not imply lack of memory
};

// Why a run of that cost cannot begin where runs may use so many bytes; empty if it can.
[[nodiscard]] std::string refusal(const Estimate& estimate, int threads, std::int64_t memory_bytes);

[[nodiscard]] nlohmann::json to_json(const Estimate& estimate);
// Throws nlohmann::json::exception for malformed JSON.
[[nodiscard]] Estimate estimate_from_json(const nlohmann::json& json);

// Estimates the cost of runs from trial steps at the task's longest sequences and, if the data are
// mostly shorter, at their mean length; the memory is that of the longest. Trials run in child
// processes; must be called before this process has started threads.
class Estimator {
 public:
  // 0 threads: all cores. `data` as OpenOptions.
  Estimator(int threads, std::filesystem::path data, const std::atomic<bool>* stop)
      : threads_(threads), data_(std::move(data)), stop_(stop) {}
  // `counts`: examples by tasks::Split; -1: the task's official ones. Throws Interrupted once
  // `stop` is set.
  [[nodiscard]] Estimate of(const RunSpec& spec, const ExampleCounts& counts);

 private:
  int threads_;
  std::filesystem::path data_;
  const std::atomic<bool>* stop_;
  std::map<std::string, std::vector<std::int64_t>> lengths_;  // by task, its options, pooling
};

// Key shared by runs that differ only by seed, on this machine with this number of threads.
[[nodiscard]] std::string cost_key(RunSpec spec, int threads);

// Numbers of examples that a run evaluates: validation during training, every split at its end.
[[nodiscard]] double evaluated_examples(const RunSpec& spec, const ExampleCounts& counts);

// Like estimate(), for a bench over lengths: seconds of warm-up and measurement, memory of the
// longest. Tries lengths up to 2,048 and the shortest; beyond, time and memory grow as claimed by
// the variant.
[[nodiscard]] Estimate estimate_bench(const BenchOptions& options,
                                      std::vector<std::int64_t> lengths,
                                      const std::atomic<bool>* stop = nullptr);

// Estimates of many runs, shared by runs that differ only by seed. Known estimates are kept in a
// file for later calls; an unreadable file is replaced.
class Estimates {
 public:
  Estimates(std::filesystem::path file, int threads, std::filesystem::path data,
            const std::atomic<bool>* stop);
  [[nodiscard]] Estimate of(const RunSpec& spec, const ExampleCounts& counts);

 private:
  std::filesystem::path file_;
  int threads_;
  Estimator estimator_;
  std::map<std::string, Estimate> known_;  // by cost_key()
};

}  // namespace lra::harness
