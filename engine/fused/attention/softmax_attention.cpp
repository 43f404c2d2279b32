#include "engine/fused/attention/softmax_attention.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "engine/compute/kernels/kernels.h"
#include "engine/fused/attention/attention_parts.h"
#include "engine/fused/attention/parts.h"
#include "engine/ops/internal.h"

namespace lra::engine {
namespace {

using primitives::accumulate;
using primitives::apply;
using primitives::Binary;
using primitives::PostOp;
using primitives::transposed;
using primitives::Unary;
using primitives::View;
using primitives::view;

// One head's tensors and their tiling.
class Blocks {
 public:
  Blocks(const SoftmaxAttentionOptions& options, std::int64_t queries, std::int64_t rows)
      : options_(options), queries_(queries), rows_(std::min(rows, options.keys)) {}

  [[nodiscard]] std::int64_t tiles() const {
    return (queries_ + options_.query_tile - 1) / options_.query_tile;
  }
  [[nodiscard]] std::int64_t tile_begin(std::int64_t i) const { return i * options_.query_tile; }
  [[nodiscard]] std::int64_t tile_size(std::int64_t i) const {
    return std::min(options_.query_tile, queries_ - tile_begin(i));
  }
  // Key blocks that tile i sees. The last one ends at the number of rows of the tensor, not of the
  // real keys, so that few distinct shapes occur.
  [[nodiscard]] std::int64_t blocks(std::int64_t i) const {
    const std::int64_t end =
        options_.causal ? std::min(rows_, tile_begin(i) + tile_size(i)) : rows_;
    return (end + options_.key_block - 1) / options_.key_block;
  }
  [[nodiscard]] std::int64_t block_begin(std::int64_t j) const { return j * options_.key_block; }

 private:
  SoftmaxAttentionOptions options_;
  std::int64_t queries_, rows_;
};

// Zeroes (or sets to `value`) what is not admissible in the transposed block w [b, t]: padded keys
// and, if causal, keys behind the query.
template <class T>
void mask_block(T* w, std::int64_t b, std::int64_t t, std::int64_t key_begin,
                std::int64_t query_begin, const SoftmaxAttentionOptions& o, T value) {
  const std::int64_t real = std::clamp<std::int64_t>(o.keys - key_begin, 0, b);
  std::fill(w + real * t, w + b * t, value);
  if (!o.causal) return;
  for (std::int64_t r = 0; r < real; ++r) {
    const std::int64_t hidden = std::clamp<std::int64_t>(key_begin + r - query_begin, 0, t);
    std::fill_n(w + r * t, hidden, value);
  }
}

void mask_block(const Tensor& w, std::int64_t key_begin, std::int64_t query_begin,
                const SoftmaxAttentionOptions& o, float value = 0) {
  if (w.dtype() == DType::bf16) {
    mask_block(w.bf16(), w.dim(0), w.dim(1), key_begin, query_begin, o, to_bfloat16(value));
  } else {
    mask_block(w.f32(), w.dim(0), w.dim(1), key_begin, query_begin, o, value);
  }
}

// One head of the forward pass and of the backward pass. Tensors are [n, D] of this head.
struct Head {
  Tensor q;  // scaled
  Tensor k, v;
  SoftmaxAttentionOptions options;
  bool shifted = false;
  Tensor shift;  // [1, N] row maxima if shifted
  RandomKey dropout;

  [[nodiscard]] Blocks cut() const { return {options, q.dim(0), k.dim(0)}; }
  // Multiply-adds of a tile with all keys.
  [[nodiscard]] std::int64_t tile_work() const {
    return options.query_tile * std::min(options.keys, k.dim(0)) * q.dim(1);
  }
  [[nodiscard]] std::int64_t block_size(std::int64_t begin) const {
    return std::min(options.key_block, k.dim(0) - begin);
  }
  void find_shift();
  [[nodiscard]] Tensor weights(std::int64_t query_begin, std::int64_t t, std::int64_t key_begin,
                               std::int64_t b) const;
  // kept = w mask; the scale 1/(1 - p) of dropout goes into the denominators.
  void drop(const Tensor& w, const Tensor& kept, const Tensor& mask, std::int64_t query_begin,
            std::int64_t key_begin) const;
  [[nodiscard]] bool dropping() const { return options.dropout > 0; }
  [[nodiscard]] float share() const {
    return static_cast<float>(kernels::dropout_share(options.dropout));
  }
};

Tensor columns(const Tensor& row, std::int64_t begin, std::int64_t count) {
  return row.reshaped({row.numel()}).slice(begin, count).reshaped({1, count});
}

// e^(K_b Q_t^T - shift), [b, t].
Tensor Head::weights(std::int64_t query_begin, std::int64_t t, std::int64_t key_begin,
                     std::int64_t b) const {
  Tensor w({b, t}, q.dtype());
  std::array<PostOp, 2> post{apply(Unary::exp), apply(Unary::exp)};
  std::size_t posts = 0;
  Tensor maxima;
  if (shifted) {
    maxima = columns(shift, query_begin, t);
    post[posts++] = apply(Binary::sub, view(maxima));
  }
  const bool own = ops::own_loops(q.dtype());
  if (!own) ++posts;
  primitives::matmul(view(k.slice(key_begin, b)), transposed(view(q.slice(query_begin, t))),
                     view(w), std::span<const PostOp>(post.data(), posts));
  if (own) kernels::exponentiate(w, w);
  mask_block(w, key_begin, query_begin, options);
  return w;
}

void Head::drop(const Tensor& w, const Tensor& kept, const Tensor& mask, std::int64_t query_begin,
                std::int64_t key_begin) const {
  kernels::dropout_mask(w, kept, mask, options.dropout,
                        dropout.of(static_cast<std::uint64_t>(query_begin))
                            .of(static_cast<std::uint64_t>(key_begin)));
}

void Head::find_shift() {
  const double bound = kernels::largest_row_norm(q) *
                       kernels::largest_row_norm(k.slice(0, std::min(options.keys, k.dim(0))));
  shifted = !(bound <= ops::kSafeLogit);
  if (!shifted) return;
  shift = Tensor::full({1, q.dim(0)}, -std::numeric_limits<float>::max());
  const Blocks blocks = cut();
  for_parts(blocks.tiles(), tile_work(), [&](std::int64_t i) {
    const std::int64_t begin = blocks.tile_begin(i);
    const std::int64_t t = blocks.tile_size(i);
    for (std::int64_t j = 0; j < blocks.blocks(i); ++j) {
      const std::int64_t key_begin = blocks.block_begin(j);
      const Tensor s({block_size(key_begin), t}, DType::f32);
      primitives::matmul(view(k.slice(key_begin, s.dim(0))), transposed(view(q.slice(begin, t))),
                         view(s));
      mask_block(s, key_begin, begin, options, -std::numeric_limits<float>::max());
      float* largest = shift.f32() + begin;
      for (std::int64_t r = 0; r < s.dim(0); ++r) {
        const float* row = s.f32() + r * t;
        for (std::int64_t c = 0; c < t; ++c) largest[c] = std::max(largest[c], row[c]);
      }
    }
  });
}

// The sums l of the weights times the share that dropout keeps; not 0, so that 0 / l is 0.
Tensor denominators(const Tensor& l, float share) {
  Tensor result(l.shape(), DType::f32);
  primitives::unary(Unary::clip, l, result, std::numeric_limits<float>::min(),
                    std::numeric_limits<float>::max());
  if (share != 1.0F) primitives::unary(Unary::linear, result, result, share, 0.0F);
  return result;
}

// x [D, t] / l [1, t], transposed into rows of `to` [t, D].
void store_transposed(const Tensor& x, const Tensor& l, const Tensor& to) {
  const Tensor divided(x.shape(), DType::f32);
  primitives::binary(Binary::div, x, l, divided);
  primitives::copy(transposed(view(divided)), view(to));
}

// [V, 1]^T of the key blocks, [Dv + 1, b] each and dense: what a product with the weights sums.
std::vector<Tensor> transposed_values(const Head& head) {
  std::vector<Tensor> blocks;
  const std::int64_t Dv = head.v.dim(1);
  for (std::int64_t begin = 0; begin < head.v.dim(0); begin += head.options.key_block) {
    const std::int64_t b = head.block_size(begin);
    const Tensor block({Dv + 1, b}, head.v.dtype());
    primitives::copy(transposed(view(head.v.slice(begin, b))), view(block.slice(0, Dv)));
    const Tensor ones = ops::ones(b, block.dtype());
    primitives::copy(view(ones, Shape{1, b}), view(block.slice(Dv, 1)));
    blocks.push_back(block);
  }
  return blocks;
}

// o [N, Dv], l [1, N].
void forward_head(const Head& head, const Tensor& o, const Tensor& l) {
  const Blocks blocks = head.cut();
  const std::vector<Tensor> values = transposed_values(head);
  const std::int64_t Dv = head.v.dim(1);
  for_parts(blocks.tiles(), head.tile_work(), [&](std::int64_t i) {
    const std::int64_t begin = blocks.tile_begin(i);
    const std::int64_t t = blocks.tile_size(i);
    const Tensor sums = Tensor::zeros({Dv + 1, t});  // [V, 1]^T e^S^T
    const Tensor sum = sums.slice(0, Dv);
    const Tensor total = sums.slice(Dv, 1);
    const std::array<PostOp, 1> add{accumulate()};
    for (std::int64_t j = 0; j < blocks.blocks(i); ++j) {
      const Tensor& v = values[static_cast<std::size_t>(j)];
      const std::int64_t key_begin = blocks.block_begin(j);
      const Tensor w = head.weights(begin, t, key_begin, v.dim(1));
      if (head.dropping()) {  // the sum is that of all weights
        primitives::matmul(view(v.slice(Dv, 1)), view(w), view(total), add);
        head.drop(w, w, {}, begin, key_begin);
        primitives::matmul(view(v.slice(0, Dv)), view(w), view(sum), add);
      } else {
        primitives::matmul(view(v), view(w), view(sums), add);
      }
    }
    std::copy_n(total.f32(), t, columns(l, begin, t).f32());
    store_transposed(sum, denominators(total, head.share()), o.slice(begin, t));
  });
}

// delta / l of a tile, [1, t], as the weighted sum of the same products from which dS subtracts it.
// Large logits leave one weight of about 1: dO . o and its dO . v_j then differ by rounding alone,
// which large q and k multiply.
Tensor summed_delta(const Head& head, const Tensor& g, const Tensor& l, std::int64_t begin) {
  const std::int64_t t = g.dim(0);
  const Tensor sum = Tensor::zeros({1, t});
  const Blocks blocks = head.cut();
  for (std::int64_t j = 0; j < blocks.blocks(begin / head.options.query_tile); ++j) {
    const std::int64_t key_begin = blocks.block_begin(j);
    const std::int64_t b = head.block_size(key_begin);
    const Tensor w = head.weights(begin, t, key_begin, b);
    if (head.dropping()) head.drop(w, w, {}, begin, key_begin);
    const Tensor products({b, t}, w.dtype());
    const std::array<PostOp, 1> weigh{apply(Binary::mul, view(w))};
    primitives::matmul(view(head.v.slice(key_begin, b)), transposed(view(g)), view(products),
                       weigh);
    const std::array<PostOp, 1> add{accumulate()};
    primitives::matmul(view(ops::ones(b, w.dtype()), Shape{1, b}), view(products), view(sum), add);
  }
  Tensor delta({1, t}, DType::f32);
  primitives::binary(Binary::div, sum, denominators(l, 1.0F), delta);
  return delta;
}

// Terms of the output's gradient for the backward of a tile, with s the share that dropout keeps
// and delta = sum_c dO_c o_c.
struct TileGradient {
  Tensor g;     // dO / (s l) [t, Dv]
  Tensor d;     // delta / l [1, t]
  Tensor wide;  // [g, -d] widened, without dropout
};
TileGradient tile_gradient(const Head& head, const Tensor& dy, const Tensor& o, const Tensor& l,
                           std::int64_t begin) {
  const std::int64_t t = dy.dim(0);
  const float share = head.share();
  TileGradient result{Tensor(dy.shape(), dy.dtype()), Tensor({1, t}, DType::f32), {}};
  primitives::binary(Binary::div, dy, denominators(l.reshaped({t, 1}), share), result.g);
  if (head.shifted && dy.dtype() == DType::f32) {
    result.d = summed_delta(head, result.g, l, begin);
  } else {
    const Tensor product(dy.shape(), dy.dtype());
    primitives::binary(Binary::mul, result.g, o, product);
    const std::array<PostOp, 1> scale{apply(Unary::linear, share)};
    primitives::matmul(view(product), view(ops::ones(dy.dim(1), dy.dtype()), Shape{dy.dim(1), 1}),
                       view(result.d, Shape{t, 1}), scale);
  }
  if (!head.dropping()) result.wide = ops::widen(result.g, ops::scaled(result.d, -1.0F));
  return result;
}

// dS^T = e^S^T o (mask o V dO^T / s - delta) / l for a block, [b, t]; also adds to dV.
// `wide` is [V, 1] widened, without dropout.
Tensor score_gradient(const Head& head, const Tensor& wide, const TileGradient& tile,
                      std::int64_t begin, std::int64_t key_begin, const Tensor& dv) {
  const std::int64_t t = tile.g.dim(0);
  const std::int64_t b = head.block_size(key_begin);
  const std::array<PostOp, 1> add{accumulate()};
  const Tensor w = head.weights(begin, t, key_begin, b);
  Tensor ds({b, t}, w.dtype());
  if (!head.dropping()) {
    primitives::matmul(view(w), view(tile.g), view(dv.slice(key_begin, b)), add);
    const std::array<PostOp, 1> post{apply(Binary::mul, view(w))};
    primitives::matmul(view(wide.slice(key_begin, b)), transposed(view(tile.wide)), view(ds), post);
    return ds;
  }
  const Tensor mask(w.shape(), w.dtype());
  const Tensor& kept = ds;  // until added to dV
  head.drop(w, kept, mask, begin, key_begin);
  primitives::matmul(view(kept), view(tile.g), view(dv.slice(key_begin, b)), add);
  const std::array<PostOp, 3> post{apply(Binary::mul, view(mask)), apply(Binary::sub, view(tile.d)),
                                   apply(Binary::mul, view(w))};
  primitives::matmul(view(head.v.slice(key_begin, b)), transposed(view(tile.g)), view(ds), post);
  return ds;
}

// Sums of a head's gradients in f32.
struct HeadGradients {
  Tensor dq, dk, dv;
};

void backward_head(const Head& head, const Tensor& o, const Tensor& l, const Tensor& dy,
                   const HeadGradients& sums) {
  const Blocks blocks = head.cut();
  const Tensor wide = head.dropping() ? Tensor() : ops::widen(head.v);
  const std::int64_t D = head.q.dim(1);
  const std::array<PostOp, 1> add{accumulate()};
  Staircase sums_over_tiles(blocks.tiles());
  for_parts(blocks.tiles(), head.tile_work(), [&](std::int64_t i) {
    const Staircase::Part part(sums_over_tiles, i);
    const std::int64_t begin = blocks.tile_begin(i);
    const std::int64_t t = blocks.tile_size(i);
    const TileGradient tile =
        tile_gradient(head, dy.slice(begin, t), o.slice(begin, t), columns(l, begin, t), begin);
    const Tensor dq = Tensor::zeros({D, t});
    for (std::int64_t j = 0; j < blocks.blocks(i); ++j) {
      const std::int64_t key_begin = blocks.block_begin(j);
      const std::int64_t b = head.block_size(key_begin);
      part.wait(j);
      const Tensor ds = score_gradient(head, wide, tile, begin, key_begin, sums.dv);
      primitives::matmul(view(ds), view(head.q.slice(begin, t)), view(sums.dk.slice(key_begin, b)),
                         add);
      part.done(j);
      primitives::matmul(transposed(view(head.k.slice(key_begin, b))), view(ds), view(dq), add);
    }
    primitives::copy(transposed(view(dq)), view(sums.dq.slice(begin, t)));
  });
}

void check(const Value& q, const Value& k, const Value& v, const SoftmaxAttentionOptions& o) {
  const bool fits = q.rank() == 3 && k.rank() == 3 && v.rank() == 3 && q.dim(0) == k.dim(0) &&
                    q.dim(0) == v.dim(0) && q.dim(2) == k.dim(2) && k.dim(1) == v.dim(1) &&
                    o.keys >= 0 && o.keys <= k.dim(1) && o.query_tile > 0 && o.key_block > 0;
  if (!fits) {
    fail(ErrorKind::shape, "softmax_attention: got q {}, k {}, v {}, {} keys", q.shape().text(),
         k.shape().text(), v.shape().text(), o.keys);
  }
}

}  // namespace

Value softmax_attention(const Value& q, const Value& k, const Value& v,
                        const SoftmaxAttentionOptions& options) {
  check(q, k, v, options);
  const std::int64_t H = q.dim(0);
  const std::int64_t N = q.dim(1);
  const Tensor scaled_q = ops::scaled(q.tensor(), options.scale);
  Tensor o({H, N, v.dim(2)}, options.f32_result ? DType::f32 : q.dtype());
  const Tensor l({H, N}, DType::f32);
  std::vector<Head> heads(static_cast<std::size_t>(H));
  const std::int64_t work = N * std::min(options.keys, k.dim(1)) * q.dim(2);
  for_parts(H, work, [&](std::int64_t h) {
    Head& head = heads[static_cast<std::size_t>(h)];
    head = {ops::head_of(scaled_q, h),
            ops::head_of(k.tensor(), h),
            ops::head_of(v.tensor(), h),
            options,
            false,
            {},
            options.key.of(static_cast<std::uint64_t>(h))};
    head.find_shift();
    forward_head(head, ops::head_of(o, h), l.slice(h, 1));
  });
  return Tape::record(o, {&q, &k, &v},
                      [=, heads = std::move(heads), gq = q.gradient(), gk = k.gradient(),
                       gv = v.gradient()](const Tensor& given) {
                        const Tensor dy = ops::cast(given, heads[0].q.dtype());
                        const Tensor& first = heads[0].q;
                        const Tensor dq(Shape{H, N, first.dim(1)}, DType::f32);
                        const Tensor dk = Tensor::zeros({H, heads[0].k.dim(0), first.dim(1)});
                        const Tensor dv = Tensor::zeros({H, heads[0].v.dim(0), heads[0].v.dim(1)});
                        for_parts(H, work, [&](std::int64_t h) {
                          backward_head(
                              heads[static_cast<std::size_t>(h)], ops::head_of(o, h), l.slice(h, 1),
                              ops::head_of(dy, h),
                              {ops::head_of(dq, h), ops::head_of(dk, h), ops::head_of(dv, h)});
                        });
                        // q was scaled before the products: dS K is its gradient up to the scale,
                        // dS^T q is dK.
                        ops::deliver(gq, dq, options.scale);
                        ops::deliver(gk, dk, 1.0F);
                        ops::deliver(gv, dv, 1.0F);
                      });
}

}  // namespace lra::engine
