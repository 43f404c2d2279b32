#pragma once
// Speed and memory of training and inference on sequences of random tokens.

#include <atomic>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "attention/attention.h"
#include "engine/compute/profile.h"
#include "harness/run/spec.h"
#include "models/config.h"
#include "results/analysis/growth.h"
#include "results/record/bench_record.h"

namespace lra::harness {

struct BenchOptions {
  std::string attention = "softmax";
  nlohmann::json attention_options = nlohmann::json::object();
  models::ModelConfig model;  // dropout as given; the preset's for `preset`
  std::string preset = "small";
  results::BenchMode mode = results::BenchMode::train;
  Precision precision = Precision::f32;
  std::int64_t batch = 32;
  std::vector<std::int64_t> lengths;  // of the batch's sequences, repeated; empty: n each
  std::int64_t lanes = 0;             // gradient lanes that training asks for; 0: by batch and n
  int threads = 0;
  double seconds = 2;  // of measuring, after warm-up
  std::int64_t min_steps = 3;
  bool profile = false;
  bool limit = false;      // also measure the machine's limit (limit.h)
  std::vector<int> cores;  // numbers of cores to predict a training step for (cores.h)
};

struct BenchResult {
  bool known = true;  // false: its process was killed, independently of memory
  results::BenchPoint point;
  std::int64_t parameters = 0;
  std::int64_t lanes = 0;                       // gradient lanes; none in inference
  std::vector<engine::profile::Entry> profile;  // of the measured steps, if asked for
  double profiled_seconds = 0;                  // wall time of these steps
};

[[nodiscard]] std::int64_t lanes_of(const BenchOptions& options, std::int64_t n);

// The attention, model and precision of a run; everything else has its default.
[[nodiscard]] BenchOptions bench_options(const RunSpec& spec);

// Parameters of the measured model for this length.
[[nodiscard]] std::int64_t bench_parameters(const BenchOptions& options, std::int64_t n);

// One length, in this process.
[[nodiscard]] BenchResult bench_point(const BenchOptions& options, std::int64_t n);

// The same in a child process, so that its peak resident memory is separate and running out of
// memory is a result. Must be called before this process has started threads. Throws Interrupted
// once `stop` is set.
[[nodiscard]] BenchResult bench_point_isolated(const BenchOptions& options, std::int64_t n,
                                               const std::atomic<bool>* stop = nullptr);

// One length of several variants measured alternately, in three rounds of `seconds` / 3 each and at
// least one step. Each variant has a separate process; all processes together stay within
// `memory_bytes` (0: no limit). Fewer results than variants if it was stopped.
[[nodiscard]] std::vector<BenchResult> bench_side_by_side(const std::vector<BenchOptions>& variants,
                                                          std::int64_t n, std::int64_t memory_bytes,
                                                          const std::atomic<bool>* stop);

// A record of the options without points; 0 threads: all cores.
[[nodiscard]] results::BenchRecord bench_record(const BenchOptions& options);
// Adds a length, keeping the points sorted by n. The record's lanes are the most of any length.
void add_point(results::BenchRecord& record, const BenchResult& result);

// The growth in time or memory claimed by a variant's traits.
[[nodiscard]] results::GrowthClaim claim_of(attention::Growth growth);

}  // namespace lra::harness
