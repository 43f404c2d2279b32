// Block-local attention, the "Local Attention" baseline of Tay, Dehghani, Abnar, Shen, Bahri, Pham,
// Rao, Yang, Ruder, Metzler 2020, "Long Range Arena", arXiv 2011.04006.
// A token attends the tokens of its own block of b: a_ij = softmax over {j : [j/b] = [i/b]}. Time
// O(N b D), memory O(N b). Exact softmax for b >= N. LRA's b is 50 for text, 64 for images.
// LRA's code reshapes such that a token attends those with the same index modulo the number of
// blocks, with a mask for a different division; this file follows the paper's definition.

#include "attention/attention.h"
#include "attention/parts/key_lists.h"

namespace lra::attention {
namespace {

class Local final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.integer("block_size", b_, 1, 4096, "b, tokens of a block")
        .flag("causal", causal_, "within the block a query sees itself and what is before it");
  }

  [[nodiscard]] Value forward(const Heads& x, const Context& c) const override {
    engine::BlockLists lists(b_, b_);
    for (std::int64_t begin = 0; begin < x.length; begin += b_) {
      const std::int64_t count = std::min(b_, x.length - begin);
      lists.tile(begin, count);
      for (std::int64_t j = 0; j < count; ++j) lists.key(begin + j, causal_ ? j : 0, count);
    }
    return engine::block_attention(x.q, x.k, x.v, std::move(lists), scaled_by_width(x.q, c)).o;
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    return softmax_weights(
        in.q, in.k, causal_,
        [this](std::int64_t, std::int64_t i, std::int64_t j) { return i / b_ == j / b_ ? 1 : 0; });
  }

 private:
  std::int64_t b_ = 50;
  bool causal_ = false;
};

LRA_ATTENTION(local, Local,
              {.label = "Local Attention", .cite = "Tay2020, arXiv 2011.04006", .causal = true});

}  // namespace
}  // namespace lra::attention
