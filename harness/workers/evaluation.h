#pragma once
// Evaluation of a model on examples of a split.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "harness/workers/workers.h"

namespace lra::harness {

// Aggregated predictions on examples of a split.
struct Evaluation {
  double loss = 0;  // mean over labels
  double accuracy = 0;
  std::int64_t correct = 0;
  std::int64_t counted = 0;
  std::int64_t independent = 0;  // effective number of labels if each sequence had only one
  std::int64_t examples = 0;
  std::int64_t exact = 0;  // examples with every label right
  std::int64_t tokens = 0;
  double seconds = 0;
  std::vector<std::int32_t> labels;  // predicted, in the order of the examples
  std::vector<bool> right;           // whether every label of an example is right, in that order
};
[[nodiscard]] Evaluation evaluate(Workers& workers, const models::Model& model,
                                  const tasks::Dataset& data, std::span<const std::size_t> indices,
                                  std::int64_t seed);

}  // namespace lra::harness
