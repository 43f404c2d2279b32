#include "engine/ops/softmax_attention.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "engine/kernels.h"
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

// Logits up to this magnitude need no shift: e^60 times any realistic length is far inside f32.
constexpr double kSafeLogit = 60.0;

// One head's tensors and how they are cut.
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
  // Key blocks that tile i sees. The last one is cut at the number of rows of the tensor, not at
  // that of the real keys, so that few distinct shapes occur.
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

// The largest Euclidean norm of the first n rows of x [*, C].
double largest_norm(const Tensor& x, std::int64_t n) {
  double largest = 0;
  const std::int64_t C = x.dim(-1);
  for (std::int64_t i = 0; i < n; ++i) {
    float sum = 0;
    for (std::int64_t c = 0; c < C; ++c) {
      const float v = x.dtype() == DType::bf16 ? to_float(x.bf16()[i * C + c]) : x.f32()[i * C + c];
      sum += v * v;
    }
    largest = sum > largest || std::isnan(sum) ? sum : largest;
  }
  return std::sqrt(largest);
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
  [[nodiscard]] std::int64_t block_size(std::int64_t begin) const {
    return std::min(options.key_block, k.dim(0) - begin);
  }
  void find_shift();
  [[nodiscard]] Tensor weights(std::int64_t query_begin, std::int64_t t, std::int64_t key_begin,
                               std::int64_t b) const;
  [[nodiscard]] Tensor drop(const Tensor& w, std::int64_t query_begin,
                            std::int64_t key_begin) const;
};

Tensor columns(const Tensor& row, std::int64_t begin, std::int64_t count) {
  return row.reshaped({row.numel()}).slice(begin, count).reshaped({1, count});
}

// e^(K_b Q_t^T - shift), [b, t].
Tensor Head::weights(std::int64_t query_begin, std::int64_t t, std::int64_t key_begin,
                     std::int64_t b) const {
  Tensor w({b, t}, q.dtype());
  std::array<PostOp, 2> post{apply(Unary::exp), apply(Unary::exp)};
  Tensor maxima;
  if (shifted) {
    maxima = columns(shift, query_begin, t);
    post[0] = apply(Binary::sub, view(maxima));
  }
  primitives::matmul(view(k.slice(key_begin, b)), transposed(view(q.slice(query_begin, t))),
                     view(w), std::span<const PostOp>(post.data(), shifted ? 2 : 1));
  mask_block(w, key_begin, query_begin, options);
  return w;
}

Tensor Head::drop(const Tensor& w, std::int64_t query_begin, std::int64_t key_begin) const {
  if (options.dropout == 0) return w;
  Tensor kept(w.shape(), w.dtype());
  kernels::dropout(w, kept, options.dropout,
                   dropout.of(static_cast<std::uint64_t>(query_begin))
                       .of(static_cast<std::uint64_t>(key_begin)));
  return kept;
}

void Head::find_shift() {
  const double bound =
      largest_norm(q, q.dim(0)) * largest_norm(k, std::min(options.keys, k.dim(0)));
  shifted = !(bound <= kSafeLogit);
  if (!shifted) return;
  shift = Tensor::full({1, q.dim(0)}, -std::numeric_limits<float>::max());
  const Blocks blocks = cut();
  for (std::int64_t i = 0; i < blocks.tiles(); ++i) {
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
  }
}

// x [D, t] / l [1, t], transposed into rows of `to` [t, D]; l = 0 gives 0.
void store_transposed(const Tensor& x, const Tensor& l, const Tensor& to) {
  const Tensor divided(x.shape(), DType::f32);
  Tensor floor(l.shape(), DType::f32);
  primitives::unary(Unary::clip, l, floor, std::numeric_limits<float>::min(),
                    std::numeric_limits<float>::max());
  primitives::binary(Binary::div, x, floor, divided);
  primitives::copy(transposed(view(divided)), view(to));
}

// o [N, Dv], l [1, N].
void forward_head(const Head& head, const Tensor& o, const Tensor& l) {
  const Blocks blocks = head.cut();
  const std::int64_t Dv = head.v.dim(1);
  for (std::int64_t i = 0; i < blocks.tiles(); ++i) {
    const std::int64_t begin = blocks.tile_begin(i);
    const std::int64_t t = blocks.tile_size(i);
    const Tensor sum = Tensor::zeros({Dv, t});
    const Tensor total = columns(l, begin, t);
    total.zero();
    const std::array<PostOp, 1> add{accumulate()};
    for (std::int64_t j = 0; j < blocks.blocks(i); ++j) {
      const std::int64_t key_begin = blocks.block_begin(j);
      const std::int64_t b = head.block_size(key_begin);
      const Tensor w = head.weights(begin, t, key_begin, b);
      primitives::matmul(view(ops::ones(b, w.dtype()), Shape{1, b}), view(w), view(total), add);
      primitives::matmul(transposed(view(head.v.slice(key_begin, b))),
                         view(head.drop(w, begin, key_begin)), view(sum), add);
    }
    store_transposed(sum, total, o.slice(begin, t));
  }
}

// What the backward of a tile needs of the output's gradient: g = dO / l [t, Dv], d = delta / l.
struct TileGradient {
  Tensor g, d;
};
TileGradient tile_gradient(const Tensor& dy, const Tensor& o, const Tensor& l) {
  const std::int64_t t = dy.dim(0);
  const Tensor column = l.reshaped({t, 1});
  TileGradient result{Tensor(dy.shape(), dy.dtype()), Tensor({1, t}, DType::f32)};
  Tensor floor(column.shape(), DType::f32);
  primitives::unary(Unary::clip, column, floor, std::numeric_limits<float>::min(),
                    std::numeric_limits<float>::max());
  primitives::binary(Binary::div, dy, floor, result.g);
  const Tensor product(dy.shape(), dy.dtype());
  primitives::binary(Binary::mul, result.g, o, product);
  primitives::matmul(view(product), view(ops::ones(dy.dim(1), dy.dtype()), Shape{dy.dim(1), 1}),
                     view(result.d, Shape{t, 1}));
  return result;
}

// dS^T = e^S^T o (V dO^T - delta) / l for a block, [b, t]; also adds to dV.
Tensor score_gradient(const Head& head, const TileGradient& tile, std::int64_t begin,
                      std::int64_t key_begin, const Tensor& dv) {
  const std::int64_t t = tile.g.dim(0);
  const std::int64_t b = head.block_size(key_begin);
  const std::array<PostOp, 1> add{accumulate()};
  const Tensor w = head.weights(begin, t, key_begin, b);
  primitives::matmul(view(head.drop(w, begin, key_begin)), view(tile.g),
                     view(dv.slice(key_begin, b)), add);
  Tensor ds({b, t}, w.dtype());
  const View v = view(head.v.slice(key_begin, b));
  const View g = transposed(view(tile.g));
  if (head.options.dropout == 0) {
    const std::array<PostOp, 2> post{apply(Binary::sub, view(tile.d)), apply(Binary::mul, view(w))};
    primitives::matmul(v, g, view(ds), post);
  } else {
    primitives::matmul(v, g, view(ds));
    ds = head.drop(ds, begin, key_begin);
    primitives::binary(Binary::sub, ds, tile.d, ds);
    primitives::binary(Binary::mul, ds, w, ds);
  }
  return ds;
}

// Sums of a head's gradients in f32.
struct HeadGradients {
  Tensor dq, dk, dv;
};

void backward_head(const Head& head, const Tensor& o, const Tensor& l, const Tensor& dy,
                   const HeadGradients& sums) {
  const Blocks blocks = head.cut();
  const std::int64_t D = head.q.dim(1);
  const std::array<PostOp, 1> add{accumulate()};
  for (std::int64_t i = 0; i < blocks.tiles(); ++i) {
    const std::int64_t begin = blocks.tile_begin(i);
    const std::int64_t t = blocks.tile_size(i);
    const TileGradient tile =
        tile_gradient(dy.slice(begin, t), o.slice(begin, t), columns(l, begin, t));
    const Tensor dq = Tensor::zeros({D, t});
    for (std::int64_t j = 0; j < blocks.blocks(i); ++j) {
      const std::int64_t key_begin = blocks.block_begin(j);
      const std::int64_t b = head.block_size(key_begin);
      const Tensor ds = score_gradient(head, tile, begin, key_begin, sums.dv);
      primitives::matmul(view(ds), view(head.q.slice(begin, t)), view(sums.dk.slice(key_begin, b)),
                         add);
      primitives::matmul(transposed(view(head.k.slice(key_begin, b))), view(ds), view(dq), add);
    }
    primitives::copy(transposed(view(dq)), view(sums.dq.slice(begin, t)));
  }
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

Tensor head_of(const Tensor& x, std::int64_t h) {
  return x.slice(h, 1).reshaped({x.dim(1), x.dim(2)});
}

Tensor scaled(const Tensor& x, float scale) {
  Tensor y(x.shape(), x.dtype());
  primitives::unary(Unary::linear, x, y, scale, 0.0F);
  return y;
}

// The gradient in the value's type, added to its node.
void deliver(const Gradient& gradient, const Tensor& sum, float scale) {
  if (!gradient) return;
  gradient->add(ops::cast(scale == 1.0F ? sum : scaled(sum, scale), gradient->dtype()));
}

}  // namespace

Value softmax_attention(const Value& q, const Value& k, const Value& v,
                        const SoftmaxAttentionOptions& options) {
  check(q, k, v, options);
  const std::int64_t H = q.dim(0);
  const std::int64_t N = q.dim(1);
  const Tensor scaled_q = scaled(q.tensor(), options.scale);
  Tensor o({H, N, v.dim(2)}, q.dtype());
  const Tensor l({H, N}, DType::f32);
  std::vector<Head> heads(static_cast<std::size_t>(H));
  for (std::int64_t h = 0; h < H; ++h) {
    Head& head = heads[static_cast<std::size_t>(h)];
    head = {head_of(scaled_q, h),
            head_of(k.tensor(), h),
            head_of(v.tensor(), h),
            options,
            false,
            {},
            options.key.of(static_cast<std::uint64_t>(h))};
    head.find_shift();
    forward_head(head, head_of(o, h), l.slice(h, 1));
  }
  return Tape::record(o, {&q, &k, &v},
                      [=, heads = std::move(heads), gq = q.gradient(), gk = k.gradient(),
                       gv = v.gradient()](const Tensor& dy) {
                        const Tensor& first = heads[0].q;
                        const Tensor dq(Shape{H, N, first.dim(1)}, DType::f32);
                        const Tensor dk = Tensor::zeros({H, heads[0].k.dim(0), first.dim(1)});
                        const Tensor dv = Tensor::zeros({H, heads[0].v.dim(0), heads[0].v.dim(1)});
                        for (std::int64_t h = 0; h < H; ++h) {
                          backward_head(heads[static_cast<std::size_t>(h)], head_of(o, h),
                                        l.slice(h, 1), head_of(dy, h),
                                        {head_of(dq, h), head_of(dk, h), head_of(dv, h)});
                        }
                        // q was scaled before the products: dS K is its gradient up to the scale,
                        // dS^T q is dK.
                        deliver(gq, dq, options.scale);
                        deliver(gk, dk, 1.0F);
                        deliver(gv, dv, 1.0F);
                      });
}

}  // namespace lra::engine
