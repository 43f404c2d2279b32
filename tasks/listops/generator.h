#pragma once
// The arena's ListOps generator (google-research/long-range-arena, data/listops.py): the same
// distribution of trees, from counter-based random numbers, so that example i of a split depends
// only on the seed, the split and i.

#include <array>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "engine/base/random.h"
#include "tasks/io/hash.h"
#include "tasks/task.h"

namespace lra::tasks::listops {

// Bumped whenever the trees of a seed change.
inline constexpr int kGeneratorVersion = 1;

// A tree is kept if min_tokens < n < max_tokens, n its operators, digits and end brackets. A node
// at depth `max_depth` (the root is at 1) is a digit, so operators nest at most max_depth - 1 deep.
struct Shape {
  std::int64_t min_tokens = 500;
  std::int64_t max_tokens = 2000;
  std::int64_t max_depth = 10;
  std::int64_t max_args = 10;
  bool operator==(const Shape&) const = default;
};
[[nodiscard]] nlohmann::json shape_json(const Shape& shape);
// Throws Error(config) if no such tree exists.
void check_shape(const Shape& shape);

struct Plan {
  std::uint64_t seed = 0;
  std::array<std::int64_t, 3> counts{96000, 2000, 2000};  // by Split
  std::array<Shape, 3> shapes;                            // by Split
};

struct Row {
  std::vector<Token> tree;
  int label = 0;
  Hash128 hash;      // of the tree
  std::string line;  // "source<TAB>target\r\n" if asked for
};

// Makes the trees of one split.
//
// tree(depth): with probability 1/4, if depth < max_depth, an operator with a uniform number of
// 2..max_args arguments tree(depth + 1), else a uniform digit. Whole draws are repeated until one
// is kept. Splits of any size are disjoint by construction: a tree's hash determines its split
// (test 1/8, validation 1/8, train 6/8), and trees of other splits are redrawn; the hash is
// independent of the tree's properties.
class Generator {
 public:
  // Throws Error(config) if no tree can have the shape.
  Generator(std::uint64_t seed, Split split, const Shape& shape);
  // Example `index`; `retry` counts how often an equal earlier example was rejected. Throws
  // Error(config) if 30 million draws give none.
  void make(std::uint64_t index, std::uint64_t retry, bool with_line, Row& row) const;

 private:
  class Draws;
  std::size_t draw(Draws& draws, std::span<Token> tree) const;

  RandomKey key_;
  Split split_;
  Shape shape_;
  std::uint32_t arity_choices_;
};

// Calls consume(row) for the rows of a split in order, made in parallel; equal trees within a split
// are redrawn in order, so that the rows do not depend on the number of threads.
void generate_split(const Plan& plan, Split split, bool with_line,
                    const std::function<void(const Row&)>& consume, const Progress& progress);

}  // namespace lra::tasks::listops
