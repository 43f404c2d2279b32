// BigBird (ITC). Zaheer, Guruganesh, Dubey, Ainslie, Alberti, Ontanon, Pham, Ravula, Wang, Yang,
// Ahmed 2020, "Big Bird: Transformers for Longer Sequences", arXiv 2007.14062, section 2 and
// appendix D.
// Blocks of b tokens, nb of them. Query blocks 0 and nb-1 attend all; block t attends blocks 0,
// t-1, t, t+1, r random ones and nb-1; blocks 1 and nb-2 attend 0, nb-1, their window and r random
// ones. Time O(N (5 + r) b D), memory O(N (5 + r) b). Fewer than 5 + r blocks: full attention.
// A key block counts as often as it is listed. The random blocks are drawn without replacement from
// those that are neither global nor in the window, once for each head, layer and nb (the published
// code draws from the first 1024 tokens only). Ours: nb follows the real length by default;
// `structure = tensor` lays blocks over the padded tensor as the published codes do, whose last,
// global block may then hold no token. No causal form (global and random blocks look ahead), and no
// cross-attention (queries and keys share their blocks).

#include <algorithm>
#include <nlohmann/json.hpp>

#include "attention/attention.h"
#include "attention/parts/key_lists.h"
#include "attention/parts/layout.h"
#include "engine/fused/attention/softmax_attention.h"

namespace lra::attention {
namespace {

class BigBird final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.integer("block_size", b_, 1, 4096, "b, tokens of a block")
        .integer("num_random_blocks", r_, 0, 1024, "r, random key blocks of a query block");
    structure_.option(t);
  }

  [[nodiscard]] nlohmann::json golden_options(const nlohmann::json& hyper) override {
    return structure_.golden(Attention::golden_options(hyper), hyper);
  }

  [[nodiscard]] Value forward(const Heads& x, const Context& c) const override {
    const std::int64_t n = x.length;
    const std::int64_t H = x.q.dim(0);
    const std::int64_t nb = blocks(n, x.q.dim(1));
    auto options = scaled_by_width(x.q, c);
    options.dropout = 0;  // no published code has any
    if (nb < 5 + r_)
      return engine::softmax_attention(x.q, x.k, x.v, {.scale = options.scale, .keys = n});
    const std::vector<float> rand =
        c.draw("rand", [&] { return draw(H, nb, c.fixed.of("rand")); }).to_floats();
    engine::BlockLists lists(b_, (5 + r_) * b_);
    const auto add = [&](std::int64_t block) {
      lists.keys(block * b_, std::clamp<std::int64_t>(n - block * b_, 0, b_));
    };
    for (std::int64_t h = 0; h < H; ++h) {
      if (h > 0) lists.next_head();
      for (std::int64_t t = 0; t < nb && t * b_ < n; ++t) {
        lists.tile(t * b_, std::min(b_, n - t * b_));
        const bool global = t == 0 || t == nb - 1;
        add(0);
        for (std::int64_t s = global ? 1 : std::max<std::int64_t>(t - 1, 1);
             s <= (global ? nb - 2 : std::min(t + 1, nb - 2)); ++s) {
          add(s);
        }
        for (std::int64_t i = 0; !global && i < r_; ++i) {
          const std::int64_t at = (h * (nb - 2) + t - 1) * r_ + i;
          add(static_cast<std::int64_t>(rand[static_cast<std::size_t>(at)]));
        }
        add(nb - 1);
      }
    }
    return engine::block_attention(x.q, x.k, x.v, std::move(lists), options).o;  // [H,N,Dv]
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const std::int64_t nb = blocks(in.q.dim(1), in.rows);
    const bool all = nb < 5 + r_;
    const Plain rand = all ? Plain() : in.draws.at("rand");
    return softmax_weights(in.q, in.k, false,
                           [=, this](std::int64_t h, std::int64_t i, std::int64_t j) {
                             const std::int64_t T = i / b_;
                             const std::int64_t J = j / b_;
                             if (all || T == 0 || T == nb - 1) return 1;
                             int count = J == 0 || J == nb - 1 || std::abs(J - T) <= 1 ? 1 : 0;
                             for (std::int64_t a = 0; a < r_; ++a) {
                               if (rand(h, T - 1, a) == static_cast<double>(J)) ++count;
                             }
                             return count;
                           });
  }

 private:
  [[nodiscard]] std::int64_t blocks(std::int64_t n, std::int64_t N) const {
    return divide_up(structure_.length(n, N), b_);
  }

  // [H, nb - 2, r]: the random key blocks of query blocks 1..nb-2, by a partial shuffle.
  [[nodiscard]] Tensor draw(std::int64_t H, std::int64_t nb, RandomKey key) const {
    RandomStream random(key.of(static_cast<std::uint64_t>(nb)));
    const Tensor rand({H, nb - 2, r_}, DType::i32);
    std::int32_t* to = rand.i32();
    for (std::int64_t row = 0; row < H * (nb - 2); ++row) {
      const std::int64_t t = row % (nb - 2) + 1;
      std::vector<std::int32_t> free;
      for (std::int64_t s = 1; s < nb - 1; ++s) {
        if (std::abs(s - t) > 1) free.push_back(static_cast<std::int32_t>(s));
      }
      for (std::int64_t i = 0; i < r_; ++i) {
        const auto u = static_cast<std::size_t>(i);
        const auto left = static_cast<std::uint32_t>(free.size() - u);
        std::swap(free[u], free[u + random.below(left)]);
        *to++ = free[u];
      }
    }
    return rand;
  }

  std::int64_t b_ = 64;
  std::int64_t r_ = 3;
  Layout structure_{"structure"};
};

LRA_ATTENTION(bigbird, BigBird,
              {.label = "BigBird",
               .cite = "Zaheer2020, arXiv 2007.14062",
               .approximates_softmax = true});

}  // namespace
}  // namespace lra::attention
