#pragma once
// Growth of time and memory with the sequence length, from bench records.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "results/analysis/statistics.h"
#include "results/record/bench_record.h"

namespace lra::results {

// The length from which a variant's step is faster than the baseline's.
struct EfficiencyLength {
  enum class Kind {
    at_once,       // faster already at the smallest common length n
    measured,      // at n, between two measured lengths (log-log interpolation)
    extrapolated,  // at n, where the fitted power laws meet beyond the longest common length
    never          // the fits do not meet
  };
  Kind kind = Kind::never;
  double n = 0;  // 0 for never
};

struct ScalingLine {
  const BenchRecord* bench = nullptr;
  std::optional<PowerLaw> time;           // median step in ms over n
  std::optional<PowerLaw> memory;         // peak tensor bytes over n
  std::optional<EfficiencyLength> ahead;  // against the group's baseline; none for the baseline
};

// Benches that can share a picture: same mode, preset, precision, batch, sequence lengths and
// machine.
struct ScalingGroup {
  BenchMode mode = BenchMode::train;
  Precision precision = Precision::f32;
  std::string preset, machine;
  std::int64_t batch = 1;
  Real mean_tokens;                       // as in the records
  std::vector<ScalingLine> lines;         // by attention and options
  const BenchRecord* baseline = nullptr;  // the softmax that is fastest at its longest length
};

// "batch 32", or with the mean length where sequences have several.
[[nodiscard]] std::string batch_text(const ScalingGroup& group);

// Groups in a fixed order; pointers into `benches`. With `attentions` only their lines, and groups
// that have any; the baseline is that of all.
[[nodiscard]] std::vector<ScalingGroup> scaling_groups(
    const std::vector<BenchRecord>& benches, const std::vector<std::string>& attentions = {});

// Throws Error(usage) with near matches for an attention that no bench is of.
void require_benched(const std::vector<BenchRecord>& benches,
                     const std::vector<std::string>& attentions);

// Empty if the two have no common length with a measured time.
[[nodiscard]] std::optional<EfficiencyLength> efficiency_length(const BenchRecord& variant,
                                                                const BenchRecord& baseline);

}  // namespace lra::results
