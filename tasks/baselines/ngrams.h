#pragma once
// Byte n-grams hashed into a fixed number of features.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tasks/task.h"

namespace lra::tasks::baselines {

// The features of a text's n-grams of the orders `shortest`..`longest` (at most 5, by ids below
// 4,096): 2^bits of them.
struct NgramOptions {
  std::size_t shortest = 1;
  std::size_t longest = 5;
  unsigned bits = 20;
};

// Lists the features of one text after another; not thread-safe.
class Ngrams {
 public:
  explicit Ngrams(const NgramOptions& options);
  // The features of the n-grams in `tokens`, each once, in the order in which they first occur.
  // Valid until the next call.
  [[nodiscard]] std::span<const std::uint32_t> present(std::span<const Token> tokens);

 private:
  NgramOptions options_;
  std::vector<std::uint8_t> seen_;  // [2^bits] mark of the last text that had the feature
  std::uint8_t text_ = 0;           // its mark
  std::vector<std::uint32_t> features_;
};

// The feature of one n-gram: the top `bits` bits of its ids and length times a constant
// (Fibonacci hashing).
[[nodiscard]] std::uint32_t ngram_feature(std::span<const Token> ngram, unsigned bits);

}  // namespace lra::tasks::baselines
