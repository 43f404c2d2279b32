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
// n-grams; logistic regression on the frequencies of single bytes, and on overlaps, cosines and
// lengths.
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

// How the frequencies of single bytes in two documents differ: what a pair looks like to a model
// that averages over tokens without mixing them.
class ByteFeatures {
 public:
  static constexpr std::size_t kValues = 256;  // of a byte
  static constexpr std::size_t kCount = 2 * kValues;

  // Takes mean and standard deviation of each byte's share of a document from the documents of the
  // first `most` pairs of a split.
  ByteFeatures(const Dataset& split, std::size_t most);

  // For each byte b the distance |x - y|, then for each b the product x y, of its standardised
  // shares x and y in the first 4,000 bytes of the documents, clipped to [-5, 5]; 0 for a byte
  // whose share does not vary.
  [[nodiscard]] std::array<float, kCount> of(const Example& pair) const;

 private:
  std::array<float, kValues> mean_{}, scale_{};  // of the shares; scale: 1 / deviation, or 0
};

}  // namespace lra::tasks::retrieval
