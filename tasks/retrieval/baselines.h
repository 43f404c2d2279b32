#pragma once
// Predictors for pairs of documents without a trained network.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "tasks/baselines/ngrams.h"
#include "tasks/task.h"

namespace lra::tasks::retrieval {

// The most frequent label; the same given the overlap and the cosine of the two documents' byte
// n-grams; logistic regression on overlaps, cosines and lengths.
[[nodiscard]] std::vector<Predictor> predictors();

// Numbers of a pair of documents, from the n-grams that occur in their first 4,000 bytes, each
// hashed to one of 2^bits features.
class PairFeatures {
 public:
  static constexpr std::array<std::size_t, 3> kOrders{3, 4, 5};  // n
  static constexpr std::size_t kCount = 2 * kOrders.size() + 2;

  // Counts in how many documents of the first `most` pairs of a split each feature occurs.
  PairFeatures(const Dataset& split, std::size_t most, unsigned bits = 18);

  // For each n: the n-grams in both documents over those in either (0 if none is); the cosine of
  // the two documents' vectors of inverse document frequencies, log((1 + documents) / (1 +
  // documents with the n-gram)). Then the logarithm of the product and of the ratio of the longer
  // document's length to the shorter's, in bytes plus 1. Safe to call from many threads.
  [[nodiscard]] std::array<float, kCount> of(const Example& pair) const;

 private:
  unsigned bits_;
  std::array<std::vector<float>, kOrders.size()> weight_;  // [2^bits] squared inverse frequencies
  struct Scratch;
  std::shared_ptr<Scratch> scratch_;
};

}  // namespace lra::tasks::retrieval
