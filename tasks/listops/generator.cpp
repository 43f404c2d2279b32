#include "tasks/listops/generator.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "engine/base/error.h"
#include "tasks/io/ordered.h"
#include "tasks/listops/tree.h"

namespace lra::tasks::listops {
namespace {

constexpr std::uint64_t kMaxDraws = 30'000'000;
constexpr std::int64_t kBlockRows = 32;
constexpr std::size_t kMaxDepth = 256;

// Operators nest at most `max_depth - 1` deep: the longest tree, up to a cap.
std::int64_t longest_tree(const Shape& shape) {
  std::int64_t tokens = 1;
  for (std::int64_t depth = shape.max_depth; depth > 1 && tokens < shape.max_tokens; --depth) {
    tokens = 2 + shape.max_args * tokens;
  }
  return tokens;
}

bool belongs(const Hash128& hash, Split split) {
  switch (hash.high >> 61U) {
    case 0:
      return split == Split::test;
    case 1:
      return split == Split::val;
    default:
      return split == Split::train;
  }
}

struct Block {
  std::int64_t first = 0;
  std::vector<Row> rows;
};

}  // namespace

// Random values of 16 bits, made in batches of Philox blocks that the processor can overlap.
class Generator::Draws {
 public:
  explicit Draws(RandomKey key) : key_(key.value()) {}

  std::uint32_t next() {
    if (used_ == values_.size()) refill();
    return values_[used_++];
  }
  // Uniform in [0, bound) from the low `bits` bits of `given`; exact: draws that would favour some
  // values are replaced (Lemire 2019, arXiv 1805.10941).
  std::uint32_t below(std::uint32_t bound, std::uint32_t bits, std::uint32_t given) {
    const std::uint32_t mask = (1U << bits) - 1;
    std::uint32_t product = (given & mask) * bound;
    if ((product & mask) < bound) {
      const std::uint32_t threshold = (mask + 1) % bound;
      while ((product & mask) < threshold) product = (next() & mask) * bound;
    }
    return product >> bits;
  }

 private:
  static constexpr std::size_t kBlocks = 32;  // of 8 values each

  void refill() {
    for (std::size_t i = 0; i < kBlocks; ++i, ++counter_) {
      const auto block = philox(
          {static_cast<std::uint32_t>(counter_), static_cast<std::uint32_t>(counter_ >> 32U), 0, 0},
          key_);
      for (std::size_t j = 0; j < 4; ++j) {
        values_[8 * i + 2 * j] = static_cast<std::uint16_t>(block[j]);
        values_[8 * i + 2 * j + 1] = static_cast<std::uint16_t>(block[j] >> 16U);
      }
    }
    used_ = 0;
  }

  std::uint64_t key_;
  std::uint64_t counter_ = 0;
  std::array<std::uint16_t, 8 * kBlocks> values_{};
  std::size_t used_ = values_.size();
};

nlohmann::json shape_json(const Shape& shape) {
  return {{"min_tokens", shape.min_tokens},
          {"max_tokens", shape.max_tokens},
          {"max_depth", shape.max_depth},
          {"max_args", shape.max_args}};
}

void check_shape(const Shape& shape) {
  if (shape.max_args < 2 || shape.max_args > static_cast<std::int64_t>(kMaxArguments) ||
      shape.max_depth < 1 || shape.max_depth > static_cast<std::int64_t>(kMaxDepth) ||
      shape.min_tokens < 0) {
    fail(ErrorKind::config, "tasks/listops: shape; got max_args={}, max_depth={}, min_tokens={}",
         shape.max_args, shape.max_depth, shape.min_tokens);
  }
  if (shape.max_tokens <= shape.min_tokens + 1 || longest_tree(shape) <= shape.min_tokens) {
    fail(
        ErrorKind::config,
        "tasks/listops: no tree has more than min_tokens {} and fewer than max_tokens {} tokens at "
        "depth {} with {} arguments",
        shape.min_tokens, shape.max_tokens, shape.max_depth, shape.max_args);
  }
}

Generator::Generator(std::uint64_t seed, Split split, const Shape& shape)
    : key_(RandomKey(seed).of("listops").of(kGeneratorVersion).of(split_name(split))),
      split_(split),
      shape_(shape),
      arity_choices_(static_cast<std::uint32_t>(shape.max_args - 1)) {
  check_shape(shape);
}

// One complete draw, in the order of the written form. Returns its length, or 0 if it is too long
// or too short. `tree` has room for max_tokens.
std::size_t Generator::draw(Draws& draws, std::span<Token> tree) const {
  std::array<std::uint32_t, kMaxDepth> left;  // arguments still to come, of each open list
  const auto digit = [&draws](std::uint32_t value) {
    return static_cast<Token>(kDigit0 + draws.below(10, 14, value >> 2U));
  };
  const auto deepest = static_cast<std::size_t>(shape_.max_depth - 1);
  const auto max_tokens = static_cast<std::size_t>(shape_.max_tokens);
  Token* out = tree.data();
  std::size_t open = 0;
  std::size_t length = 1;  // of the shortest tree that this draw can still become
  for (;;) {
    const std::uint32_t value = draws.next();
    if ((value & 3U) == 0 && open < deepest) {
      const std::uint32_t arguments = 2 + draws.below(arity_choices_, 12, value >> 4U);
      length += arguments + 1;
      if (length >= max_tokens) return 0;
      *out++ = static_cast<Token>(kMin + ((value >> 2U) & 3U));
      left[open++] = arguments;
      if (open < deepest) continue;
      for (std::uint32_t i = 0; i < arguments; ++i) *out++ = digit(draws.next());
      left[open - 1] = 1;
    } else {
      *out++ = digit(value);
    }
    while (open > 0 && --left[open - 1] == 0) {
      *out++ = kEnd;
      --open;
    }
    if (open == 0) return static_cast<std::int64_t>(length) > shape_.min_tokens ? length : 0;
  }
}

void Generator::make(std::uint64_t index, std::uint64_t retry, bool with_line, Row& row) const {
  Draws draws(key_.of(index).of(retry));
  row.tree.resize(static_cast<std::size_t>(shape_.max_tokens));
  for (std::uint64_t tried = 0;; ++tried) {
    if (tried == kMaxDraws) {
      fail(ErrorKind::config,
           "tasks/listops: {} example {}: no further tree with {} < tokens < {}, depth {}, {} "
           "arguments in {} draws",
           split_name(split_), index, shape_.min_tokens, shape_.max_tokens, shape_.max_depth,
           shape_.max_args, kMaxDraws);
    }
    const std::size_t length = draw(draws, row.tree);
    if (length == 0) continue;
    row.hash = hash128(std::as_bytes(std::span(row.tree).first(length)));
    if (!belongs(row.hash, split_)) continue;
    row.tree.resize(length);
    break;
  }
  row.label = evaluate(row.tree);
  row.line.clear();
  if (with_line) {
    append_source(row.tree, row.line);
    row.line += '\t';
    row.line += static_cast<char>('0' + row.label);
    row.line += "\r\n";
  }
}

void generate_split(const Plan& plan, Split split, bool with_line,
                    const std::function<void(const Row&)>& consume, const Progress& progress) {
  const Generator generator(plan.seed, split, plan.shapes[split_index(split)]);
  const std::int64_t count = plan.counts[split_index(split)];
  std::unordered_set<Hash128> seen;
  std::int64_t started = 0;
  std::int64_t done = 0;
  const auto next = [&](Block& block) {
    if (started >= count) return false;
    block.first = started;
    block.rows.resize(static_cast<std::size_t>(std::min(kBlockRows, count - started)));
    started += kBlockRows;
    return true;
  };
  const auto work = [&](Block& block) {
    auto index = static_cast<std::uint64_t>(block.first);
    for (Row& row : block.rows) generator.make(index++, 0, with_line, row);
  };
  const auto take = [&](Block& block) {
    for (Row& row : block.rows) {
      std::uint64_t retry = 0;
      while (!seen.insert(row.hash).second) {
        if (++retry > 1000 + 10 * static_cast<std::uint64_t>(seen.size())) {
          fail(ErrorKind::config, "tasks/listops: {}: fewer than {} different trees; got {}",
               split_name(split), count, seen.size());
        }
        generator.make(static_cast<std::uint64_t>(done), retry, with_line, row);
      }
      consume(row);
      ++done;
    }
    if (progress) progress(split_name(split), done, count);
  };
  ordered_pipeline<Block>(next, work, take);
}

}  // namespace lra::tasks::listops
