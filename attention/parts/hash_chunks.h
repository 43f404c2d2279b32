#pragma once
// Tokens sorted by locality-sensitive hashes and cut into chunks, as in Reformer.

#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "engine/fused/attention/block_lists.h"
#include "engine/tape/tape.h"

namespace lra::attention {

// argmax over [p; -p] for `half` projections p(b); the first of equal ones.
template <class Project>
[[nodiscard]] std::int64_t hash_bucket(Project p, std::int64_t half) {
  std::int64_t best = 0;
  double largest = -HUGE_VAL;
  for (std::int64_t b = 0; b < 2 * half; ++b) {
    const double value = b < half ? p(b) : -p(b - half);
    if (value > largest) {
      best = b;
      largest = value;
    }
  }
  return best;
}

// The buckets of the first `rows` rows of x [H, N, D] by rot [D, R, >= half]: [H, R, rows], whole
// numbers in f32. Without a gradient.
[[nodiscard]] engine::Tensor hash_rows(const engine::Value& x, const engine::Tensor& rot,
                                       std::int64_t rows, std::int64_t half);

// The tokens of all rounds of one head, each round sorted by (hash, position), concatenated and cut
// into chunks. Rows after the last one are zeros: bucket 0.
class HashChunks {
 public:
  HashChunks(std::int64_t size, std::int64_t rounds, std::int64_t buckets, std::int64_t rows,
             const std::function<std::int64_t(std::int64_t round, std::int64_t row)>& hash);

  [[nodiscard]] std::int64_t size() const { return size_; }        // tokens of a chunk
  [[nodiscard]] std::int64_t count() const { return count_; }      // chunks of all rounds
  [[nodiscard]] std::int64_t buckets() const { return buckets_; }  // chunks of a round
  // Chunk -1 is the last one.
  [[nodiscard]] const std::int64_t* begin(std::int64_t chunk) const {
    return tokens_.data() + (chunk + count_) % count_ * size_;
  }

 private:
  std::int64_t size_, count_, buckets_;
  std::vector<std::int64_t> tokens_;  // [count, size]
};

// Each query of a round's chunks sees the first n tokens in its own chunk and in the one before,
// but not itself, unless it is alone in all rounds.
[[nodiscard]] engine::BlockLists chunk_lists(const std::vector<HashChunks>& heads,
                                             std::int64_t round, std::int64_t n);

}  // namespace lra::attention
