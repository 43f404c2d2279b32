#include "engine/fused/attention/row_attention.h"

#include <algorithm>
#include <array>
#include <utility>

#include "engine/compute/kernels/kernels.h"
#include "engine/compute/profile.h"
#include "engine/fused/attention/attention_parts.h"
#include "engine/ops/internal.h"

namespace lra::engine {
namespace {

using primitives::accumulate;
using primitives::PostOp;
using primitives::transposed;
using primitives::view;

// Logits of a tile: 1 MiB of f32, so that they and their gradients stay in the core's cache.
constexpr std::int64_t kTileElements = 1 << 18;
constexpr std::int64_t kLargestTile = 256;

// One head's tensors, [n, D] each.
struct Head {
  Tensor q, k, v;
  Tensor bias;        // undefined, [2 P - 1], [P, P'] or [1, P] of running sums
  bool sums = false;  // the last of these
  std::int64_t keys = 0;
  Tensor state;  // [N] f32: what the backward needs of each row
  RandomKey dropout;
};

struct Tile {
  std::int64_t begin = 0, rows = 0;
};

std::vector<Tile> tiles(std::int64_t N, std::int64_t M) {
  const std::int64_t rows = std::clamp<std::int64_t>(
      kTileElements / std::max<std::int64_t>(M, 1) / 16 * 16, 16, kLargestTile);
  std::vector<Tile> result;
  for (std::int64_t begin = 0; begin < N; begin += rows) {
    result.push_back({begin, std::min(rows, N - begin)});
  }
  return result;
}

// Entry (i, 0) of a head's bias or of its gradient; null where row i has none.
template <class T>
T* bias_row(const Tensor& bias, T* entries, std::int64_t i) {
  if (bias.rank() == 1) return entries + (bias.numel() - 1) / 2 - i;
  return i < bias.dim(0) ? entries + i * bias.dim(1) : nullptr;
}

// Adds the difference of the running sums c between i and each of the first n keys.
void add_differences(const float* c, std::int64_t i, float* row, std::int64_t n) {
  const std::int64_t own = std::min(i + 1, n);
  for (std::int64_t j = 0; j < own; ++j) row[j] += c[i] - c[j];
  for (std::int64_t j = own; j < n; ++j) row[j] += c[j] - c[i];
}

// Adds to dc what the gradients d of the first n logits of row i give; the token's own is constant.
void add_difference_gradients(const float* d, std::int64_t i, float* dc, std::int64_t n) {
  double own = 0;
  for (std::int64_t j = 0; j < std::min(i, n); ++j) {
    own += double{d[j]};
    dc[j] -= d[j];
  }
  for (std::int64_t j = i + 1; j < n; ++j) {
    own -= double{d[j]};
    dc[j] += d[j];
  }
  dc[i] += static_cast<float>(own);
}

// Adds the bias of row i to its first n logits.
void add_bias(const Head& head, std::int64_t i, float* row, std::int64_t n) {
  const Tensor& bias = head.bias;
  if (head.sums) {
    add_differences(bias.f32(), i, row, n);
  } else if (bias.dtype() == DType::bf16) {
    const BFloat16* b = bias_row(bias, bias.bf16(), i);
    for (std::int64_t j = 0; b != nullptr && j < n; ++j) row[j] += to_float(b[j]);
  } else {
    const float* b = bias_row(bias, bias.f32(), i);
    for (std::int64_t j = 0; b != nullptr && j < n; ++j) row[j] += b[j];
  }
}

class RowAttention {
 public:
  explicit RowAttention(RowAttentionOptions options) : o_(std::move(options)) {}

  [[nodiscard]] std::int64_t keys(std::size_t head) const {
    return o_.keys.size() == 1 ? o_.keys[0] : o_.keys[head];
  }

  void forward(const Head& head, const Tensor& out) const {
    for (const Tile& tile : tiles(head.q.dim(0), head.k.dim(0))) {
      const Tensor w = logits(head, tile);
      {
        const profile::Scope scope("attention weights");
        for (std::int64_t r = 0; r < tile.rows; ++r) {
          float* row = w.f32() + r * w.dim(1);
          const std::int64_t n = visible(head, tile.begin + r);
          prepare(head, row, n, tile.begin + r, w.dim(1));
          kernels::row_weights(o_.weights, row, n, head.state.f32()[tile.begin + r]);
        }
      }
      const Tensor weights = ops::cast(w, head.v.dtype());
      drop(head, tile, weights);
      primitives::matmul(view(weights), view(head.v), view(out.slice(tile.begin, tile.rows)));
    }
  }

  // Adds to dk and dv, overwrites dq (all f32); adds to the head's dbias if it is defined.
  void backward(const Head& head, const Tensor& dout, const Tensor& dq, const Tensor& dk,
                const Tensor& dv, const Tensor& dbias) const {
    const std::array<PostOp, 1> add{accumulate()};
    for (const Tile& tile : tiles(head.q.dim(0), head.k.dim(0))) {
      const Tensor w = logits(head, tile);
      const Tensor ds(w.shape(), DType::f32);
      const Tensor dout_tile = dout.slice(tile.begin, tile.rows);
      primitives::matmul(view(dout_tile), transposed(view(head.v)), view(ds));
      drop(head, tile, ds);
      gradient_rows(head, tile, w, ds, dbias);
      const Tensor weights = ops::cast(w, head.v.dtype());
      drop(head, tile, weights);
      const Tensor scores = ops::cast(ds, head.q.dtype());
      primitives::matmul(transposed(view(weights)), view(dout_tile), view(dv), add);
      primitives::matmul(transposed(view(scores)), view(head.q.slice(tile.begin, tile.rows)),
                         view(dk), add);
      primitives::matmul(view(scores), view(head.k), view(dq.slice(tile.begin, tile.rows)));
    }
  }

 private:
  // In place; the same draws for a tile's weights and for their gradient.
  void drop(const Head& head, const Tile& tile, const Tensor& w) const {
    if (o_.dropout == 0) return;
    kernels::dropout(w, w, o_.dropout, head.dropout.of(static_cast<std::uint64_t>(tile.begin)));
  }

  // q k^T of a tile, [rows, M] f32.
  [[nodiscard]] static Tensor logits(const Head& head, const Tile& tile) {
    Tensor s({tile.rows, head.k.dim(0)}, DType::f32);
    primitives::matmul(view(head.q.slice(tile.begin, tile.rows)), transposed(view(head.k)),
                       view(s));
    return s;
  }

  [[nodiscard]] std::int64_t visible(const Head& head, std::int64_t i) const {
    return o_.causal ? std::min(head.keys, i + 1) : head.keys;
  }

  // Products of row i -> logits; invisible keys get 0.
  void prepare(const Head& head, float* row, std::int64_t n, std::int64_t i, std::int64_t M) const {
    for (std::int64_t j = 0; j < n; ++j) row[j] = o_.scale * row[j] + o_.shift;
    if (head.bias.defined()) add_bias(head, i, row, n);
    std::fill(row + n, row + M, 0.0F);
  }

  // w: products -> weights; ds: gradient of the weights -> gradient of the logits.
  void gradient_rows(const Head& head, const Tile& tile, const Tensor& w, const Tensor& ds,
                     const Tensor& dbias) const {
    const profile::Scope scope("attention weights");
    for (std::int64_t r = 0; r < tile.rows; ++r) {
      const std::int64_t i = tile.begin + r;
      const std::int64_t n = visible(head, i);
      float* row = w.f32() + r * w.dim(1);
      float* d = ds.f32() + r * w.dim(1);
      prepare(head, row, n, i, w.dim(1));
      std::fill(d + n, d + w.dim(1), 0.0F);
      kernels::row_weights_backward(o_.weights, row, d, n, head.state.f32()[i]);
      if (!dbias.defined()) continue;
      if (head.sums) {
        add_difference_gradients(d, i, dbias.f32(), n);
        continue;
      }
      float* b = bias_row(dbias, dbias.f32(), i);
      for (std::int64_t j = 0; b != nullptr && j < n; ++j) b[j] += d[j];
    }
  }

  RowAttentionOptions o_;
};

// Whether the bias has an entry for every query and key, or is a row of the distances between them.
bool per_pair(const Tensor& bias) { return bias.defined() && bias.rank() == 3; }
// Whether it has the running sums of each head.
bool of_sums(const Tensor& bias) { return bias.defined() && bias.rank() == 2; }

void check(const Value& q, const Value& k, const Value& v, const Value& bias,
           const RowAttentionOptions& o) {
  bool fits = q.rank() == 3 && k.rank() == 3 && v.rank() == 3 && q.dim(0) == k.dim(0) &&
              q.dim(0) == v.dim(0) && q.dim(2) == k.dim(2) && k.dim(1) == v.dim(1) &&
              (o.keys.size() == 1 || static_cast<std::int64_t>(o.keys.size()) == q.dim(0));
  for (const std::int64_t keys : o.keys) fits = fits && keys >= 0 && keys <= k.dim(1);
  if (per_pair(bias.tensor())) {
    fits = fits && bias.dim(0) == q.dim(0);
    for (const std::int64_t keys : o.keys) fits = fits && keys <= bias.dim(2);
  } else if (of_sums(bias.tensor())) {
    fits = fits && bias.dim(0) == q.dim(0) && bias.dtype() == DType::f32 &&
           bias.dim(1) >= std::max(q.dim(1), k.dim(1));
  } else if (bias.defined()) {
    fits = fits && bias.rank() == 1 && bias.dtype() == DType::f32 && bias.dim(0) % 2 == 1 &&
           bias.dim(0) >= 2 * std::max(q.dim(1), k.dim(1)) - 1;
  }
  if (!fits) {
    fail(ErrorKind::shape, "row_attention: got q {}, k {}, v {}, bias {}, {} key counts",
         q.shape().text(), k.shape().text(), v.shape().text(),
         bias.defined() ? bias.shape().text() : "none", o.keys.size());
  }
}

// Head h's part of a bias or of its gradient.
Tensor bias_of(const Tensor& bias, std::int64_t h) {
  if (of_sums(bias)) return bias.slice(h, 1);
  return per_pair(bias) ? ops::head_of(bias, h) : bias;
}

}  // namespace

Value row_attention(const Value& q, const Value& k, const Value& v, const Value& bias,
                    const RowAttentionOptions& options) {
  check(q, k, v, bias, options);
  const std::int64_t H = q.dim(0);
  const std::int64_t N = q.dim(1);
  const RowAttention attention(options);
  Tensor o({H, N, v.dim(2)}, v.dtype());
  std::vector<Head> heads;
  for (std::int64_t h = 0; h < H; ++h) {
    heads.push_back({ops::head_of(q.tensor(), h), ops::head_of(k.tensor(), h),
                     ops::head_of(v.tensor(), h), bias_of(bias.tensor(), h), of_sums(bias.tensor()),
                     attention.keys(static_cast<std::size_t>(h)), Tensor({N}, DType::f32),
                     options.key.of(static_cast<std::uint64_t>(h))});
    attention.forward(heads.back(), ops::head_of(o, h));
  }
  return Tape::record(std::move(o), {&q, &k, &v, &bias},
                      [=, heads = std::move(heads), gq = q.gradient(), gk = k.gradient(),
                       gv = v.gradient(), gb = bias.gradient()](const Tensor& dy) {
                        const Head& first = heads.front();
                        const Tensor dq({H, N, first.q.dim(1)}, DType::f32);
                        const Tensor dk = Tensor::zeros({H, first.k.dim(0), first.k.dim(1)});
                        const Tensor dv = Tensor::zeros({H, first.v.dim(0), first.v.dim(1)});
                        const Tensor db = ops::f32_sum(gb);
                        for (std::int64_t h = 0; h < H; ++h) {
                          attention.backward(heads[static_cast<std::size_t>(h)],
                                             ops::head_of(dy, h), ops::head_of(dq, h),
                                             ops::head_of(dk, h), ops::head_of(dv, h),
                                             bias_of(db, h));
                        }
                        ops::deliver(gq, dq, options.scale);
                        ops::deliver(gk, dk, options.scale);
                        ops::deliver(gv, dv, 1.0F);
                        if (gb && gb->dtype() != DType::f32) gb->add(ops::cast(db, gb->dtype()));
                      });
}

}  // namespace lra::engine
