#pragma once
// Changes between two sets of results, and the differences that exceed the noise.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "results/record/output_formats.h"
#include "results/record/record.h"

namespace lra::results {

// One number of one configuration (attention, options, preset, protocol, precision) on one task.
struct Change {
  std::string configuration;  // "Transformer, nystromformer, f32"
  std::string task;
  std::string metric;  // name, see metrics.h
  double before = 0;   // mean over completed runs, recorded units
  double after = 0;
  std::int64_t seeds = 0;   // compared pairs, for accuracy
  std::optional<double> p;  // for accuracy, adjusted by Holm over all accuracies compared
  std::string test;         // the criterion for noise
  bool beyond_noise = false;
};

struct Comparison {
  std::vector<Change> changes;           // of all common configurations; equal numbers too
  std::vector<std::string> only_before;  // configuration and task
  std::vector<std::string> only_after;
  std::vector<std::string> status;        // runs whose status changed
  std::vector<std::string> not_compared;  // and why: other data, another machine, no common seed
  std::vector<std::string> environment;   // program versions, compilers, machines that differ
  [[nodiscard]] bool any_beyond_noise() const;
};

// Accuracy is compared over common seeds: two or more by Student's paired t test; a single one by
// McNemar's test on the answers to the same test examples or, if the records lack them, by the test
// of two shares (neither covers the noise between seeds); at an adjusted p < 0.05. Step times are
// beyond noise if their p10-p90 ranges do not overlap; other timings if they differ by more than 5
// %; memory by more than 1 %. Timings are compared only on one machine and if both were measured
// exclusively, memory only on one machine.
[[nodiscard]] Comparison compare_results(const std::vector<Record>& before,
                                         const std::vector<Record>& after);

// `all` also lists numbers within noise.
[[nodiscard]] std::string format_comparison(const Comparison& comparison, SummaryFormat format,
                                            bool all = false);

}  // namespace lra::results
