#pragma once
// Predictors for pictures of objects without a trained network.

#include <cstdint>
#include <span>
#include <vector>

#include "tasks/task.h"

namespace lra::tasks::image {

// The most frequent label; logistic regression on the histogram of grey values; the nearest of the
// classes' mean pictures; logistic regression on all pixels; the most frequent label of the nearest
// pictures. Token ids are grey value + offset.
[[nodiscard]] std::vector<Predictor> predictors(std::int64_t offset);

// The training pictures nearest to another in Euclidean distance over the pixels, exactly.
// Distances of block sums are a lower bound of pixel distances, so that few pairs are compared in
// full.
class NearestPictures {
 public:
  static constexpr std::size_t kSide = 32, kBlock = 4;
  static constexpr std::size_t kArea = kSide * kSide;
  static constexpr std::size_t kBlocks = kArea / (kBlock * kBlock);

  // pictures: [count, kArea] grey values.
  explicit NearestPictures(std::vector<std::uint8_t> pictures);
  // The indices of the `k` nearest pictures (all, if there are fewer), nearest first, the smaller
  // index first for equal distances. picture: [kArea].
  [[nodiscard]] std::vector<std::size_t> find(std::span<const std::uint8_t> picture,
                                              std::size_t k) const;

 private:
  std::vector<std::uint8_t> pictures_;
  std::vector<std::int16_t> sums_;  // [count, kBlocks]
};

}  // namespace lra::tasks::image
