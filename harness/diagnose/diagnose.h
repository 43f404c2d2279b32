#pragma once
// Measures of the attention of a trained model. The weights follow the variant's own definition and
// are computed row by row, in memory linear in the length, from the model's queries and keys.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "harness/diagnose/measures.h"
#include "harness/diagnose/settings.h"
#include "harness/workers/workers.h"

namespace lra::harness::diagnose {

struct Diagnosis {
  bool matrix = false;  // the variant has an attention matrix; else its measures are missing
  std::int64_t samples = 0;
  std::int64_t rows = 0;
  std::vector<std::vector<Measures>> heads;  // [layers][heads]

  // Means over the heads of a layer, and over all heads.
  [[nodiscard]] Measures layer(std::size_t index) const;
  [[nodiscard]] Measures mean() const;
  // {matrix: "definition" | "unavailable", samples, rows, mean {...}, layers [[{...}]]}.
  [[nodiscard]] nlohmann::json to_json() const;
};

// Measures `settings.samples` examples of a split, the same ones for a seed. Random draws use
// separate streams. For pairs, the first sequence is measured.
[[nodiscard]] Diagnosis diagnose(Workers& workers, const models::Model& model,
                                 const tasks::Dataset& data, const Settings& settings,
                                 std::int64_t seed);

}  // namespace lra::harness::diagnose
