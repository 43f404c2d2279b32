#include "engine/fused/attention/block_attention.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "engine/base/error.h"
#include "engine/compute/kernels/kernels.h"
#include "engine/ops/shape.h"
#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

constexpr std::int64_t H = 2;
constexpr std::int64_t D = 3;
constexpr std::int64_t Dv = 4;
constexpr std::int64_t kRows = 11;
constexpr std::int64_t kTile = 4;
constexpr std::int64_t kSlab = 3;

// One key of one query: its row, and its place in the drawn masks of dropout.
struct Seen {
  std::int64_t key;
  std::int64_t tile = 0, slab = 0, row = 0, column = 0;
};

// A pattern in both forms: the lists, and the keys that each query of a head sees.
struct Pattern {
  BlockLists lists{kTile, kSlab};
  std::vector<std::vector<std::vector<Seen>>> seen{
      H, std::vector<std::vector<Seen>>(static_cast<std::size_t>(kRows))};
};

// Adds to a pattern, in the same way to both of its forms.
class Builder {
 public:
  void next_head() {
    pattern_.lists.next_head();
    if (same_) {
      for (auto& queries : pattern_.seen.back()) queries.clear();
    }
    ++head_;
    tile_ = -1;
    same_ = false;
  }
  void tile(const std::vector<std::int32_t>& rows) {
    const bool consecutive = std::adjacent_find(rows.begin(), rows.end(), [](auto a, auto b) {
                               return b != a + 1;
                             }) == rows.end();
    if (consecutive && !rows.empty()) {
      pattern_.lists.tile(rows.front(), static_cast<std::int64_t>(rows.size()));
    } else {
      pattern_.lists.tile(rows);
    }
    rows_ = rows;
    ++tile_;
    added_ = 0;
  }
  void keys(std::int64_t begin, std::int64_t count) {
    pattern_.lists.keys(begin, count);
    for (std::int64_t j = begin; j < begin + count; ++j) note(j, 0, kTile, -1);
  }
  void key(std::int64_t row, std::int64_t first, std::int64_t last, std::int64_t hidden) {
    pattern_.lists.key(static_cast<std::int32_t>(row), first, last, hidden);
    note(row, first, last, hidden);
  }
  [[nodiscard]] const Pattern& pattern() const { return pattern_; }

 private:
  void note(std::int64_t key, std::int64_t first, std::int64_t last, std::int64_t hidden) {
    for (std::int64_t p = 0; p < static_cast<std::int64_t>(rows_.size()); ++p) {
      const std::int32_t query = rows_[static_cast<std::size_t>(p)];
      if (query < 0 || p < first || p >= last || p == hidden) continue;
      for (std::size_t h = 0; h < static_cast<std::size_t>(H); ++h) {
        if (!same_ && h != head_) continue;
        pattern_.seen[h][static_cast<std::size_t>(query)].push_back(
            {key, tile_, added_ / kSlab, added_ % kSlab, p});
      }
    }
    ++added_;
  }

  Pattern pattern_;
  std::vector<std::int32_t> rows_;
  std::size_t head_ = 0;
  std::int64_t tile_ = -1, added_ = 0;
  bool same_ = true;  // both heads have the first one's lists
};

std::vector<std::int32_t> rows_from(std::int64_t begin) {
  std::vector<std::int32_t> rows;
  for (std::int64_t i = begin; i < std::min(begin + kTile, kRows); ++i) {
    rows.push_back(static_cast<std::int32_t>(i));
  }
  return rows;
}

// Each tile sees its own block and the two beside it.
Pattern windows() {
  Builder b;
  for (std::int64_t begin = 0; begin < kRows; begin += kTile) {
    b.tile(rows_from(begin));
    const std::int64_t first = std::max<std::int64_t>(begin - kTile, 0);
    b.keys(first, std::min(begin + 2 * kTile, kRows) - first);
  }
  return b.pattern();
}

// Keys up to the query, itself not, of its block and the one before.
Pattern causal() {
  Builder b;
  for (std::int64_t begin = 0; begin < kRows; begin += kTile) {
    b.tile(rows_from(begin));
    for (std::int64_t j = std::max<std::int64_t>(begin - kTile, 0);
         j < std::min(begin + kTile, kRows); ++j) {
      b.key(j, std::max<std::int64_t>(j - begin, 0), kTile, j >= begin ? j - begin : -1);
    }
  }
  return b.pattern();
}

// Each head its own order of rows; a repeated key, an empty place of a tile, a row in no tile.
Pattern scattered() {
  Builder b;
  b.tile({7, -1, 2, 9});
  b.keys(3, 3);
  b.key(4, 0, kTile, -1);  // a second time
  b.tile({0, 10, 5, 1});
  b.keys(6, 2);
  b.key(0, 1, 3, -1);
  b.key(9, 0, kTile, 2);
  b.next_head();
  b.tile({1, 4, 3, 8});
  b.keys(0, 4);
  b.tile({6, 0, 2, -1});
  b.key(10, 0, 2, -1);
  b.key(1, 0, kTile, -1);
  b.keys(7, 2);
  return b.pattern();
}

struct Result {
  Array o, lse;
};

// o_i = sum_j softmax_j(scale q_i . k_j) m_ij v_j over the keys that i sees, from the formula;
// m_ij is dropout's factor.
Result attention(const std::vector<Array>& in, const Pattern& pattern,
                 const BlockAttentionOptions& options) {
  Result result{Array(Shape{H, kRows, Dv}), Array(Shape{H, kRows, 1})};
  const auto tiles = pattern.lists.tiles();
  for (std::int64_t h = 0; h < H; ++h) {
    for (std::int64_t i = 0; i < kRows; ++i) {
      const auto& seen = pattern.seen[static_cast<std::size_t>(h)][static_cast<std::size_t>(i)];
      double top = -1e300;
      std::vector<double> s;
      for (const Seen& x : seen) {
        double sum = 0;
        for (std::int64_t d = 0; d < D; ++d) sum += in[0].at({h, i, d}) * in[1].at({h, x.key, d});
        s.push_back(double{options.scale} * sum);
        top = std::max(top, s.back());
      }
      double total = 0;
      for (double& x : s) total += x = std::exp(x - top);
      for (std::size_t j = 0; j < seen.size(); ++j) {
        double weight = s[j] / total;
        if (options.dropout > 0) {
          const Tensor mask = Tensor::full({kSlab, kTile}, 1);
          kernels::dropout(mask, mask, options.dropout,
                           options.key.of(static_cast<std::uint64_t>(h * tiles + seen[j].tile))
                               .of(static_cast<std::uint64_t>(seen[j].slab)));
          weight *= double{mask.f32()[seen[j].row * kTile + seen[j].column]};
        }
        for (std::int64_t d = 0; d < Dv; ++d) {
          result.o.at({h, i, d}) += weight * in[2].at({h, seen[j].key, d});
        }
      }
      result.lse.at({h, i, 0}) = seen.empty() ? double{kNoKeys} : top + std::log(total);
    }
  }
  return result;
}

void add_block_attention(const std::string& name, const Pattern& pattern, double largest,
                         BlockAttentionOptions options) {
  OpCase c;
  c.inputs = {{"q", {H, kRows, D}, -largest, largest},
              {"k", {H, kRows, D}, -largest, largest},
              {"v", {H, kRows, Dv}}};
  c.op = [pattern, options](const std::vector<Value>& in) {
    const BlockAttention y = block_attention(in[0], in[1], in[2], pattern.lists, options);
    return options.normaliser ? concat({y.o, y.lse}, 2) : y.o;
  };
  c.definition = [pattern, options](const std::vector<Array>& in) {
    const Result y = attention(in, pattern, options);
    if (!options.normaliser) return y.o;
    Array both(Shape{H, kRows, Dv + 1});
    for_each_index(both.shape, [&](const Index& at) {
      both.at(at) = at[2] < Dv ? y.o.at(at) : y.lse.at({at[0], at[1], 0});
    });
    return both;
  };
  c.f32 = {4e-6, 8e-6};
  c.bf16 = {2e-2, 4e-2};
  op_cases().add("block_attention: " + name, c);
}

const bool block_attention_registered = [] {
  BlockAttentionOptions o;
  o.scale = 0.6F;
  add_block_attention("windows", windows(), 1.5, o);
  add_block_attention("causal, a first query without keys", causal(), 1.5, o);
  add_block_attention("scattered rows", scattered(), 1.5, o);
  BlockAttentionOptions with_lse = o;
  with_lse.f32_result = true;
  with_lse.normaliser = true;
  add_block_attention("windows and their normaliser", windows(), 1.5, with_lse);
  o.scale = 3;  // beyond what needs no shift
  add_block_attention("large logits", windows(), 5, o);
  add_block_attention("large logits, scattered rows", scattered(), 5, o);
  with_lse.scale = 3;
  add_block_attention("large logits and their normaliser", windows(), 5, with_lse);
  o.scale = 0.6F;
  o.dropout = 0.3;
  o.key = RandomKey(5);
  add_block_attention("dropout", windows(), 1.5, o);
  add_block_attention("dropout, scattered rows", scattered(), 1.5, o);
  return true;
}();

}  // namespace

TEST_CASE("block_attention: a query without keys has a result of 0 and says so", "[unit]") {
  const Value x(normal({H, kRows, D}, 1));
  BlockAttentionOptions o;
  o.normaliser = true;
  const BlockAttention y = block_attention(x, x, x, causal().lists, o);
  for (std::int64_t h = 0; h < H; ++h) {
    for (std::int64_t i = 0; i < kRows; ++i) {
      CHECK((y.lse.tensor().f32()[h * kRows + i] == kNoKeys) == (i == 0));
    }
    for (std::int64_t d = 0; d < D; ++d) CHECK(y.o.tensor().f32()[h * kRows * D + d] == 0);
  }
}

TEST_CASE("block_lists: rows that are not there and heads that differ in size are refused",
          "[unit]") {
  const auto finish = [](const std::function<void(BlockLists&)>& fill) {
    BlockLists lists(kTile, kSlab);
    fill(lists);
    lists.finish(kRows, kRows + 1);
  };
  CHECK_NOTHROW(finish([](BlockLists& lists) {
    lists.tile(kRows - 4, 4);
    lists.keys(0, kRows + 1);
  }));
  CHECK_THROWS_AS(finish([](BlockLists& lists) { lists.tile(kRows - 3, 4); }), Error);
  CHECK_THROWS_AS(finish([](BlockLists& lists) {
                    lists.tile(0, 4);
                    lists.keys(0, kRows + 2);
                  }),
                  Error);
  const auto heads = [&](std::int64_t tiles, std::int64_t keys) {
    finish([&](BlockLists& lists) {
      lists.tile(0, 4);
      lists.keys(0, 4);
      lists.next_head();
      for (std::int64_t i = 0; i < tiles; ++i) {
        lists.tile(4 * i, 4);
        lists.keys(0, keys);
      }
    });
  };
  CHECK_NOTHROW(heads(1, 4));
  CHECK_NOTHROW(heads(1, 6));
  CHECK_THROWS_AS(heads(1, 3), Error);
  CHECK_THROWS_AS(heads(1, 7), Error);
  CHECK_THROWS_AS(heads(2, 4), Error);
  CHECK_THROWS_AS(heads(0, 0), Error);
  CHECK_THROWS_AS(BlockLists(0, 1), Error);
  CHECK_THROWS_AS(BlockLists(1, 0), Error);
}

}  // namespace lra::engine::testing
