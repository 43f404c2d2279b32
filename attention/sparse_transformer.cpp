// Sparse Transformer. Child, Gray, Radford, Sutskever 2019, "Generating Long Sequences with Sparse
// Transformers", arXiv 1904.10509, section 4. Softmax over the keys of a pattern; all heads use the
// union of its two parts:
//   fixed    [j/b] = [i/b]     or  j mod b = 0 or j mod b >= b - c
//   strided  |i - j| < w       or  (i - j) mod l = 0
// and j <= i if causal. Time and memory O(N (b + c N/b)) and O(N (w + N/l)), exact softmax for
// b >= N. With a CLS token the pattern is that of the other tokens among themselves; CLS sees all
// and is seen by all. `j mod b = 0` is LRA's addition to the paper's fixed pattern; LRA runs fixed,
// causal, b = 50, c = 10, in its classifiers too. Ours: causal = false. Longer than other variants:
// two patterns, causal or not, with and without CLS.

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "attention/attention.h"
#include "attention/parts/key_lists.h"

namespace lra::attention {
namespace {

class SparseTransformer final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.choice("pattern", pattern_, "which keys a query sees")
        .integer("block", b_, 1, 4096, "b, tokens of a block of the fixed pattern")
        .integer("c", c_, 0, 4096, "tokens at a block's end that all see")
        .integer("stride", l_, 1, 4096, "l, of the strided pattern")
        .integer("bandwidth", w_, 1, 4096, "w, of the strided pattern")
        .flag("causal", causal_, "a query sees itself and what is before it");
  }

  void build(const ParameterBuilder&, const Dimensions& d) override {
    if (c_ > b_) {
      fail(ErrorKind::config, "attention/sparse_transformer: c = {} is larger than block = {}", c_,
           b_);
    }
    cls_ = d.cls ? 1 : 0;
  }

  [[nodiscard]] Value forward(const Heads& x, const Context& c) const override {
    auto options = scaled_by_width(x.q, c);
    const std::int64_t n = x.length;
    if (pattern_ == Pattern::fixed) {
      return engine::block_attention(x.q, x.k, x.v, fixed(n), options).o;  // [H,N,Dv]
    }
    options.normaliser = true;
    const auto near = engine::block_attention(x.q, x.k, x.v, band(n), options);
    options.key = c.call.of("far");
    return merge({near, engine::block_attention(x.q, x.k, x.v, columns(n), options)});
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    return softmax_weights(in.q, in.k, false, [this](std::int64_t, std::int64_t i, std::int64_t j) {
      if (cls_ == 1 && (i == 0 || j == 0)) return 1;
      if (causal_ && j > i) return 0;
      i -= cls_;
      j -= cls_;
      const bool seen = pattern_ == Pattern::fixed
                            ? i / b_ == j / b_ || j % b_ == 0 || j % b_ >= b_ - c_
                            : std::abs(i - j) < w_ || (i - j) % l_ == 0;
      return seen ? 1 : 0;
    });
  }

 private:
  enum class Pattern { fixed, strided };
  friend constexpr auto texts(Pattern) { return enum_texts("fixed", "strided"); }

  // A tile for CLS, which sees all n tokens.
  void open_cls(engine::BlockLists& lists, std::int64_t n) const {
    if (cls_ == 0) return;
    lists.tile(0, 1);
    lists.keys(0, n);
  }

  // A tile is a block; positions are counted behind CLS.
  [[nodiscard]] engine::BlockLists fixed(std::int64_t n) const {
    engine::BlockLists lists(b_, 2 * b_);
    open_cls(lists, n);
    for (std::int64_t begin = 0; begin < n - cls_; begin += b_) {
      const std::int64_t count = std::min(b_, n - cls_ - begin);
      lists.tile(begin + cls_, count);
      if (cls_ == 1) lists.keys(0, 1);
      for (std::int64_t j = 0; j < count; ++j) {
        lists.key(begin + j + cls_, causal_ ? j : 0, count);
      }
      for (std::int64_t block = 0; block < (causal_ ? begin : n - cls_); block += b_) {
        if (block == begin) continue;
        const std::int64_t end = std::min(block + b_, n - cls_);
        lists.keys(block + cls_, 1);
        const std::int64_t last = std::max(block + b_ - c_, block + 1);
        if (last < end) lists.keys(last + cls_, end - last);
      }
    }
    return lists;
  }

  // |i - j| < w: a tile is a run of queries.
  [[nodiscard]] engine::BlockLists band(std::int64_t n) const {
    const std::int64_t t = std::min<std::int64_t>(w_, kTile);
    engine::BlockLists lists(t, 3 * t);
    open_cls(lists, n);
    for (std::int64_t begin = 0; begin < n - cls_; begin += t) {
      const std::int64_t count = std::min(t, n - cls_ - begin);
      lists.tile(begin + cls_, count);
      if (cls_ == 1) lists.keys(0, 1);
      const std::int64_t end = std::min(n - cls_, begin + count + (causal_ ? 0 : w_ - 1));
      for (std::int64_t j = std::max<std::int64_t>(0, begin - w_ + 1); j < end; ++j) {
        const std::int64_t first = causal_ ? j : j - w_ + 1;
        lists.key(j + cls_, std::clamp<std::int64_t>(first - begin, 0, count),
                  std::clamp<std::int64_t>(j + w_ - begin, 0, count));
      }
    }
    return lists;
  }

  // (i - j) mod l = 0 and |i - j| >= w: a tile contains queries of one residue.
  [[nodiscard]] engine::BlockLists columns(std::int64_t n) const {
    engine::BlockLists lists(kTile, kTile);
    std::vector<std::int32_t> rows;
    for (std::int64_t residue = 0; residue < std::min(l_, n - cls_); ++residue) {
      for (std::int64_t begin = residue; begin < n - cls_; begin += kTile * l_) {
        rows.clear();
        for (std::int64_t i = begin; i < std::min(n - cls_, begin + kTile * l_); i += l_) {
          rows.push_back(static_cast<std::int32_t>(i + cls_));
        }
        const auto count = static_cast<std::int64_t>(rows.size());
        lists.tile(rows);
        // Query r of the tile is at begin + r l.
        const auto first_from = [&](std::int64_t i) {
          return std::clamp<std::int64_t>(i <= begin ? 0 : (i - begin + l_ - 1) / l_, 0, count);
        };
        for (std::int64_t j = residue; j < n - cls_; j += l_) {
          const std::int64_t behind = first_from(j + w_);
          if (behind < count) lists.key(j + cls_, behind, count);
          const std::int64_t before = first_from(j - w_ + 1);
          if (!causal_ && before > 0) lists.key(j + cls_, 0, before);
        }
      }
    }
    return lists;
  }

  static constexpr std::int64_t kTile = 64;
  Pattern pattern_ = Pattern::fixed;
  std::int64_t b_ = 50;
  std::int64_t c_ = 10;
  std::int64_t l_ = 128;
  std::int64_t w_ = 128;
  bool causal_ = true;
  std::int64_t cls_ = 0;
};

LRA_ATTENTION(sparse_transformer, SparseTransformer,
              {.label = "Sparse Trans.",
               .cite = "Child2019, arXiv 1904.10509",
               .time = Growth::n_sqrt_n,
               .memory = Growth::linear,
               .causal = true});

}  // namespace
}  // namespace lra::attention
