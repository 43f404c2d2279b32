#pragma once
// Correlations of measures with accuracy among configurations that differ only in their attention,
// for ablations.

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "results/analysis/statistics.h"
#include "results/record/output_formats.h"
#include "results/record/record.h"

namespace lra::results {

// One attention with its options; means over the completed runs, one per seed.
struct RelationCell {
  std::string attention;     // label and the options in which the cells of its variant differ
  Summary accuracy;          // test
  std::vector<Real> values;  // by metric, recorded units
};

// Correlation over the cells that have the metric.
struct Relation {
  std::string metric;
  std::int64_t cells = 0;
  std::optional<double> pearson, spearman;  // with the mean test accuracy
  std::optional<double> p;                  // two-sided, of Pearson's r, Student's t (cells - 2)
};

// Runs of one task, preset, protocol with deviations, precision and data.
struct RelationGroup {
  std::string setting;  // "listops, nystromformer [train.steps: 2000 instead of 5000], f32"
  std::vector<std::string> metrics;
  std::vector<RelationCell> cells;  // most accurate first
  std::vector<Relation> relations;  // by metric
};

// `metrics` are names or aliases (metrics.h). Incomplete runs are left out. The p values are for
// single correlations: among many metrics, one in twenty is below 0.05 by chance. Throws
// Error(usage) for an unknown metric, Error(data) if no runs are completed.
[[nodiscard]] std::vector<RelationGroup> relate(const std::vector<Record>& records,
                                                const std::vector<std::string>& metrics);

[[nodiscard]] std::string format_relations(const std::vector<RelationGroup>& groups,
                                           SummaryFormat format);

}  // namespace lra::results
