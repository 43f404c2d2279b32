// H-Transformer-1D. Zhu, Soricut 2021, "H-Transformer-1D: Fast One-Dimensional Hierarchical
// Attention for Sequences", arXiv 2107.11906, sections 4 and 5.
// The sequence is padded to b 2^p tokens. A block of b tokens attends itself exactly; at level
// l = 0..p-1 a block of b groups of 2^l tokens attends its sibling (index xor 1) through the means
// q~, k~ of the groups' real tokens, the sums v~ of their values and their numbers c:
//   o_i = (sum_own e^{s_ij} v_j + sum_l sum_g e^{q~.k~_g / sqrt(D)} v~_g)
//         / (sum_own e^{s_ij}     + sum_l sum_g c_g e^{q~.k~_g / sqrt(D)})
// a softmax over all keys whose logit comes from the level that covers the pair. Time O(N b D),
// memory O(N b). Ours: siblings only (the paper's level 0 takes both neighbours), p from the real
// length, and one stabiliser for all levels, merged from the coarsest level to the finest. No
// causal form: the mean q~ of a group includes its later queries.

#include <algorithm>
#include <cmath>

#include "attention/attention.h"
#include "attention/parts/groups.h"
#include "engine/fused/features/shifted_exp.h"

namespace lra::attention {
namespace {

// Sums of e^{s - largest} [v | 1] over keys, and their stabilisers.
struct Partial {
  Value sums;     // [H, G, Dv+1] f32
  Value largest;  // [H, G, 1] f32, a constant
};

// Blocks of w rows attend their own rows of k and vc, or their sibling's; the first `real` rows of
// k count.
Partial attend_blocks(const Value& q, const Value& k, const Value& vc, std::int64_t w,
                      std::int64_t real, bool sibling) {
  const std::int64_t H = q.dim(0);
  const std::int64_t blocks = q.dim(1) / w;
  std::vector<std::int64_t> counts;
  std::vector<std::int32_t> partner;
  for (std::int64_t i = 0; i < H * blocks; ++i) {
    const std::int64_t from = sibling ? i ^ 1 : i;
    counts.push_back(std::clamp<std::int64_t>(real - from % blocks * w, 0, w));
    partner.push_back(static_cast<std::int32_t>(from));
  }
  const Tensor index = Tensor::from_indices({H * blocks}, partner);
  const auto cut = [&](const Value& x, bool swap) {  // [H blocks, w, C]
    const Value rows = reshape(x, {H * blocks, w * x.dim(2)});
    return reshape(swap ? gather_rows(rows, index) : rows, {H * blocks, w, x.dim(2)});
  };
  const Value s = matmul(cut(q, false), cut(k, sibling), {.transpose_b = true, .f32_result = true});
  const engine::ShiftedExp e = engine::shifted_exp(s, counts, vc.dtype());
  const Value sums = matmul(e.y, cut(vc, sibling), {.f32_result = true});
  return {reshape(sums, {H, q.dim(1), vc.dim(2)}), reshape(Value(e.largest), {H, q.dim(1), 1})};
}

// Both sums relative to a common stabiliser.
Partial merge(const Partial& a, const Partial& b) {
  const Value m = maximum(a.largest, b.largest);
  return {a.sums * exp(a.largest - m) + b.sums * exp(b.largest - m), m};
}

class HTransformer1d final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.integer("block_size", b_, 1, 1024, "b, groups of a block");
  }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const std::int64_t n = x.length;
    std::int64_t p = 0;
    while (b_ << p < n) ++p;
    const std::int64_t rows = b_ << p;
    const auto fit = [&](const Value& y) {  // [H, b 2^p, C], padding 0
      const Value real = slice(mask_rows(y, n), 1, 0, std::min(rows, y.dim(1)));
      return pad(real, 1, 0, rows - real.dim(1));
    };
    const Value ones(Tensor::full({x.v.dim(0), x.v.dim(1), 1}, 1.0F, x.v.dtype()));
    Value q = fit(x.q / std::sqrt(static_cast<float>(x.q.dim(2))));
    Value k = fit(x.k);
    Value vc = fit(engine::concat({x.v, ones}, 2));
    // Own and sibling blocks of tokens form one block of twice the width.
    std::vector<Partial> levels{attend_blocks(q, k, vc, p > 0 ? 2 * b_ : b_, n, false)};
    for (std::int64_t l = 1; l < p; ++l) {
      q = coarsen(q);  // [H, b 2^(p-l), D]   sums over groups
      k = coarsen(k);
      vc = coarsen(vc);  // v~, c
      const std::int64_t size = std::int64_t{1} << l;
      levels.push_back(attend_blocks(group_means(q, n, size), group_means(k, n, size), vc, b_,
                                     (n + size - 1) / size, true));
    }
    while (levels.size() > 1) {
      const Partial coarse = levels.back();
      levels.pop_back();
      levels.back() = merge(levels.back(), {refine(coarse.sums), refine(coarse.largest)});
    }
    const Value& sums = levels.front().sums;  // [H, b 2^p, Dv+1]
    const std::int64_t Dv = x.v.dim(2);
    const Value o = cast(slice(sums, 2, 0, Dv) / slice(sums, 2, Dv, 1), x.v.dtype());
    const Value cropped = slice(o, 1, 0, std::min(rows, x.q.dim(1)));
    return pad(cropped, 1, 0, x.q.dim(1) - cropped.dim(1));  // [H,N,Dv]
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override {
    const std::int64_t n = in.q.dim(1);
    Plain o({in.q.dim(0), n, in.v.dim(2)});
    for (std::int64_t h = 0; h < o.dim(0); ++h) {
      for (std::int64_t i = 0; i < n; ++i) {
        std::vector<double> s;
        for (std::int64_t j = 0; j < n; ++j) {
          std::int64_t size = 1;  // of the groups of the level that covers the pair
          while (i / b_ != j / b_ && (i / size / b_ ^ 1) != j / size / b_) size *= 2;
          s.push_back(mean_logit(in, h, i / size, j / size, size));
        }
        const double largest = *std::max_element(s.begin(), s.end());
        double sum = 0;
        for (double& w : s) sum += (w = std::exp(w - largest));
        for (std::int64_t j = 0; j < n; ++j) {
          add_scaled(o, h, i, s[static_cast<std::size_t>(j)] / sum, in.v, j);
        }
      }
    }
    return o;
  }

 private:
  // Mean of q over group a times mean of k over group b, / sqrt(D).
  [[nodiscard]] static double mean_logit(const PlainInputs& in, std::int64_t h, std::int64_t a,
                                         std::int64_t b, std::int64_t size) {
    const std::int64_t n = in.q.dim(1);
    double sum = 0;
    for (std::int64_t i = a * size; i < std::min(n, (a + 1) * size); ++i) {
      for (std::int64_t j = b * size; j < std::min(n, (b + 1) * size); ++j) {
        sum += dot(in.q, in.k, h, i, j);
      }
    }
    return sum / static_cast<double>(group_count(n, a, size) * group_count(n, b, size)) /
           std::sqrt(static_cast<double>(in.q.dim(2)));
  }

  std::int64_t b_ = 16;
};

LRA_ATTENTION(h_transformer_1d, HTransformer1d,
              {.label = "H-Transformer-1D",
               .cite = "Zhu2021, arXiv 2107.11906",
               .approximates_softmax = true});

}  // namespace
}  // namespace lra::attention
