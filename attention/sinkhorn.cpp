// Sparse Sinkhorn attention. Tay, Bahri, Yang, Metzler, Juan 2020, "Sparse Sinkhorn Attention",
// arXiv 2002.11296, section 3, with the linear sort net of the Long Range Arena's code.
// Blocks of b tokens, nb of them; a block attends itself and the block that is sorted to its place:
//   R_nl = (sum over block n of k) W_l / temperature              W [D, max_blocks]
//   P    = e^R made doubly stochastic: `iters` times each row, then each column, is divided by its
//          sum, in logarithms (no iteration: each row by its sum)
//   k^_l = sum_n P_nl k_n,  v^_l = sum_n P_nl v_n
//   concat: one softmax over [k^_l, k_l];  sum: two softmaxes, outputs added.
// Time O(N b D + (N/b)^2 b D), memory O(N b + (N/b)^2). Exact softmax for one block. Padded rows of
// k and v are zeros; a position of a sorted block counts if some block has a real token there.
// LRA's code sums over all blocks in place of the sorted one, so that W is not trained; this is the
// paper's definition. Ours: blocks divide the real length by default (`structure = tensor`: the
// padded tensor); as many columns of W as the longest sequence has blocks, unless told otherwise;
// W, R and P are in f32 also in bf16 runs. Longer than other variants: two ways to combine, and a
// definition that makes P by divisions in place of logarithms.

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "attention/attention.h"
#include "attention/parts/blocks.h"
#include "attention/parts/key_lists.h"
#include "attention/parts/landmarks.h"
#include "attention/parts/layout.h"

namespace lra::attention {
namespace {

class Sinkhorn final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.integer("block_size", b_, 1, 4096, "b, tokens of a block")
        .integer("sinkhorn_iters", iterations_, 0, 1000, "normalisations of rows and columns")
        .number("temperature", temperature_, 1e-3, 1e3, "divides R")
        .choice("combine", combine_, "sorted and own block in one softmax or two")
        .integer("max_blocks", max_blocks_, 0, 65536, "columns of W; 0: as many as are needed");
    structure_.option(t);
  }

  void build(const ParameterBuilder& parameters, const Dimensions& d) override {
    const std::int64_t needed = divide_up(d.max_length, b_);
    if (max_blocks_ > 0 && max_blocks_ < needed) {
      fail(ErrorKind::config,
           "attention/sinkhorn: {} tokens are {} blocks of {}, more than max_blocks = {}",
           d.max_length, needed, b_, max_blocks_);
    }
    blocks_ = std::max(max_blocks_, needed);
    W_ = parameters.add("W", Shape{d.head_dim, blocks_},
                        engine::init::xavier_uniform(d.head_dim, blocks_));
  }

  [[nodiscard]] nlohmann::json golden_options(const nlohmann::json& hyper) override {
    return structure_.golden(Attention::golden_options(hyper), hyper);
  }

  [[nodiscard]] Value forward(const Heads& x, const Context& c) const override {
    const std::int64_t n = x.length;
    const std::int64_t nb = count(n, x.q.dim(1));
    const Value sums = group_sums(x.k, n, b_, nb);    // [H,nb,D]
    const Value W = slice(W_.value_f32(), 1, 0, nb);  // [D,nb]
    const Value R = matmul(sums, reshape(W, {1, W.dim(0), nb})) / static_cast<float>(temperature_);
    const Value P = cast(doubly_stochastic(R), x.k.dtype());      // [H,nb,nb]
    const Value k = engine::concat({sorted(P, x.k, n), x.k}, 1);  // [H,nb b+N,D]
    const Value v = engine::concat({sorted(P, x.v, n), x.v}, 1);  // [H,nb b+N,Dv]

    const bool together = combine_ == Combine::concat;
    auto options = scaled_by_width(x.q, c);
    const auto attend = [&](bool places, bool own) {
      engine::BlockLists lists(b_, places && own ? 2 * b_ : b_);
      for (std::int64_t begin = 0; begin < n; begin += b_) {
        lists.tile(begin, std::min(b_, n - begin));
        if (places) lists.keys(begin, std::min(b_, n));
        if (own) lists.keys(nb * b_ + begin, std::min(b_, n - begin));
      }
      return engine::block_attention(x.q, k, v, std::move(lists), options).o;  // [H,N,Dv]
    };
    if (together) return attend(true, true);
    const Value first = attend(true, false);
    options.key = c.call.of("own");
    return first + attend(false, true);
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override {
    const std::int64_t n = in.q.dim(1);
    const std::int64_t nb = count(n, in.rows);
    Plain o({in.q.dim(0), n, in.v.dim(2)});
    for (std::int64_t h = 0; h < o.dim(0); ++h) {
      const std::vector<double> P = permutation(in, h, nb);
      for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t l = i / b_;
        std::vector<double> logits;
        Plain values({1, 2 * b_, in.v.dim(2)});
        for (std::int64_t t = 0; t < 2 * b_; ++t) {
          double s = 0;
          for (std::int64_t block = 0; block < nb; ++block) {
            const double w =
                t < b_ ? P[static_cast<std::size_t>(block * nb + l)] : (block == l ? 1.0 : 0.0);
            const std::int64_t j = block * b_ + t % b_;
            if (j >= n) continue;
            s += w * dot(in.q, in.k, h, i, j);
            for (std::int64_t c = 0; c < in.v.dim(2); ++c) values(0, t, c) += w * in.v(h, j, c);
          }
          const bool there = t < b_ ? t < n : l * b_ + t - b_ < n;
          logits.push_back(there ? s / std::sqrt(static_cast<double>(in.q.dim(2))) : -HUGE_VAL);
        }
        const auto half = logits.begin() + b_;
        std::vector<std::vector<double>> parts{logits};
        if (combine_ == Combine::sum) parts = {{logits.begin(), half}, {half, logits.end()}};
        std::int64_t t = 0;
        for (const auto& part : parts) {
          for (const double a : plain_softmax(part)) {
            for (std::int64_t c = 0; c < o.dim(2); ++c) o(h, i, c) += a * values(0, t, c);
            ++t;
          }
        }
      }
    }
    return o;
  }

 private:
  enum class Combine { concat, sum };
  friend constexpr auto texts(Combine) { return enum_texts("concat", "sum"); }

  [[nodiscard]] std::int64_t count(std::int64_t n, std::int64_t N) const {
    return std::min(divide_up(structure_.length(n, N), b_), blocks_);
  }

  [[nodiscard]] Value doubly_stochastic(Value R) const {
    if (iterations_ == 0) return softmax(R);
    for (std::int64_t i = 0; i < iterations_; ++i) {
      R = transpose(log_softmax(transpose(log_softmax(R))));
    }
    return exp(R);
  }

  // sum_n P_nl x_n of x's blocks: [H, nb b, C].
  [[nodiscard]] Value sorted(const Value& P, const Value& x, std::int64_t n) const {
    const std::int64_t H = x.dim(0);
    const std::int64_t nb = P.dim(1);
    const Value cut = cut_blocks(x, n, b_);  // [H C,b,*] with C >= nb
    const Value rows = slice(reshape(cut, {H, cut.dim(0) / H, b_ * x.dim(2)}), 1, 0, nb);
    return reshape(matmul(P, rows, {.transpose_a = true}), {H, nb * b_, x.dim(2)});
  }

  // P of one head, in sums instead of logarithms.
  [[nodiscard]] std::vector<double> permutation(const PlainInputs& in, std::int64_t h,
                                                std::int64_t nb) const {
    const auto u = [nb](std::int64_t row, std::int64_t l) {
      return static_cast<std::size_t>(row * nb + l);
    };
    const Plain& W = in.parameters.at("W");
    std::vector<double> P(u(nb, 0), 0.0);
    for (std::int64_t i = 0; i < in.k.dim(1); ++i) {
      for (std::int64_t l = 0; l < nb; ++l) {
        for (std::int64_t c = 0; c < W.dim(0); ++c) {
          P[u(i / b_, l)] += in.k(h, i, c) * W(c, l) / temperature_;
        }
      }
    }
    const double largest = in.stop_gradient(*std::max_element(P.begin(), P.end()));
    for (double& p : P) p = std::exp(p - largest);
    for (std::int64_t step = 0; step < std::max<std::int64_t>(1, 2 * iterations_); ++step) {
      for (std::int64_t a = 0; a < nb; ++a) {
        double sum = 0;
        for (std::int64_t b = 0; b < nb; ++b) sum += P[step % 2 == 0 ? u(a, b) : u(b, a)];
        for (std::int64_t b = 0; b < nb; ++b) P[step % 2 == 0 ? u(a, b) : u(b, a)] /= sum;
      }
    }
    return P;
  }

  std::int64_t b_ = 50;
  std::int64_t iterations_ = 7;
  double temperature_ = 0.75;
  Combine combine_ = Combine::concat;
  std::int64_t max_blocks_ = 0;
  std::int64_t blocks_ = 1;
  Layout structure_{"structure"};
  Parameter W_;
};

LRA_ATTENTION(sinkhorn, Sinkhorn,
              {.label = "Sinkhorn Trans.", .cite = "Tay2020, arXiv 2002.11296"});

}  // namespace
}  // namespace lra::attention
