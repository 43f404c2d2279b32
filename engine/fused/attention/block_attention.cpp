#include "engine/fused/attention/block_attention.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "engine/compute/kernels/kernels.h"
#include "engine/fused/attention/attention_parts.h"
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

constexpr std::int64_t kGroupElements = 64 * 1024;  // weights of a group, all in the cache at once

// Consecutive (head, tile) pairs with equally many slabs.
struct Group {
  std::int64_t first = 0;
  std::int64_t count = 0;
  std::int64_t slabs = 0;
};

// One call: its lists and tensors, and the work for a group. Items are (head, tile) pairs.
class Call {
 public:
  Call(BlockLists lists, const BlockAttentionOptions& options, Tensor q, Tensor k, Tensor v);

  [[nodiscard]] std::vector<Group> groups() const;
  void find_shift();
  void forward(const Group& group, const Tensor& o) const;
  // o [H, N, Dv] is the result of forward; dq, dk, dv are sums in f32, dq up to the scale.
  void backward(const Group& group, const Tensor& o, const Tensor& dy, const Tensor& dlse,
                const Tensor& dq, const Tensor& dk, const Tensor& dv) const;
  void prepare_backward() { wide_ = dropping() ? Tensor() : ops::widen(v_); }
  // [H, N, 1] from the items' normalisers.
  [[nodiscard]] Tensor log_normaliser() const;
  [[nodiscard]] const BlockAttentionOptions& options() const { return options_; }

 private:
  [[nodiscard]] std::int64_t t() const { return lists_.query_block(); }
  [[nodiscard]] std::int64_t K() const { return lists_.key_block(); }
  [[nodiscard]] std::int64_t items() const { return q_.dim(0) * lists_.tiles(); }
  [[nodiscard]] std::int64_t head(std::int64_t item) const { return item / lists_.tiles(); }
  [[nodiscard]] std::int64_t tile(std::int64_t item) const { return item % lists_.tiles(); }
  [[nodiscard]] std::int64_t slab(std::int64_t item, std::int64_t u) const {
    return lists_.slab_begin(tile(item)) + u;
  }

  // Row numbers in a tensor of all heads, [H rows, *].
  [[nodiscard]] std::vector<std::int32_t> query_index(const Group& group) const;
  [[nodiscard]] std::vector<std::int32_t> key_index(const Group& group, std::int64_t u) const;
  // Zeroes the invisible entries of w [count, K, t], or sets them to `value`.
  void mask(const Group& group, std::int64_t u, const Tensor& w, float value) const;
  template <class T>
  void mask_item(std::int64_t item, std::int64_t u, T* w, T value) const;
  // e^(K Q^T - shift) [count, K, t].
  [[nodiscard]] Tensor weights(const Group& group, std::int64_t u, const Tensor& q,
                               const Tensor& k) const;
  // kept = w mask, and mask if defined; the scale of dropout goes into the normalisers.
  void drop(const Group& group, std::int64_t u, const Tensor& w, const Tensor& kept,
            const Tensor& mask) const;
  [[nodiscard]] bool dropping() const { return options_.dropout != 0; }
  [[nodiscard]] Tensor mean(const Group& group, const std::vector<std::int32_t>& rows,
                            const Tensor& g, const Tensor& o, const Tensor& dlse) const;
  // 1 / (s l), with s the share that dropout keeps; 0 for queries without visible keys.
  [[nodiscard]] Tensor inverse(const Group& group) const;

  BlockLists lists_;
  BlockAttentionOptions options_;
  Tensor q_, k_, v_;  // q scaled
  Tensor wide_;       // [V, 1] widened, without dropout
  Tensor shift_;      // [items, 1, t] row maxima, undefined if none are needed
  Tensor l_;          // [items, 1, t] sums of the weights
};

// Rows of x [H, R, C], by their numbers among all H R rows, as [count, rows, C].
Tensor gather(const Tensor& x, const std::vector<std::int32_t>& index, std::int64_t count) {
  Tensor y({count, static_cast<std::int64_t>(index.size()) / count, x.dim(2)}, x.dtype());
  kernels::gather_rows(x, index, y);
  return y;
}

// x [count, C, t] -> [count, t, C] in another type.
Tensor flipped(const Tensor& x, DType dtype) {
  Tensor y({x.dim(0), x.dim(2), x.dim(1)}, dtype);
  primitives::copy(transposed(view(x)), view(y));
  return y;
}

// a b, added to c if `add`.
void product(const View& a, const View& b, const Tensor& c, bool add) {
  const std::array<PostOp, 1> post{accumulate()};
  primitives::matmul(a, b, view(c), std::span(post.data(), add ? 1 : 0));
}

View ones_row(std::int64_t n, DType dtype) { return view(ops::ones(n, dtype), Shape{1, 1, n}); }

Call::Call(BlockLists lists, const BlockAttentionOptions& options, Tensor q, Tensor k, Tensor v)
    : lists_(std::move(lists)),
      options_(options),
      q_(std::move(q)),
      k_(std::move(k)),
      v_(std::move(v)) {
  l_ = Tensor::zeros({items(), 1, t()});
}

std::vector<Group> Call::groups() const {
  const std::int64_t most = std::max<std::int64_t>(1, kGroupElements / (t() * K()));
  std::vector<Group> result;
  for (std::int64_t first = 0; first < items();) {
    const std::int64_t slabs = lists_.slab_count(tile(first));
    std::int64_t run = 1;
    while (first + run < items() && run < most && lists_.slab_count(tile(first + run)) == slabs) {
      ++run;
    }
    // Powers of two: few distinct shapes, whatever the length.
    std::int64_t count = 1;
    while (2 * count <= run) count *= 2;
    result.push_back({first, count, slabs});
    first += count;
  }
  return result;
}

std::vector<std::int32_t> Call::query_index(const Group& group) const {
  std::vector<std::int32_t> index;
  index.reserve(static_cast<std::size_t>(group.count * t()));
  for (std::int64_t item = group.first; item < group.first + group.count; ++item) {
    const auto base = static_cast<std::int32_t>(head(item) * q_.dim(1));
    for (const std::int32_t row : lists_.queries(head(item), tile(item))) {
      index.push_back(row < 0 ? -1 : base + row);
    }
  }
  return index;
}

std::vector<std::int32_t> Call::key_index(const Group& group, std::int64_t u) const {
  std::vector<std::int32_t> index;
  index.reserve(static_cast<std::size_t>(group.count * K()));
  for (std::int64_t item = group.first; item < group.first + group.count; ++item) {
    const auto base = static_cast<std::int32_t>(head(item) * k_.dim(1));
    for (const std::int32_t row : lists_.key_rows(head(item), slab(item, u))) {
      index.push_back(row < 0 ? -1 : base + row);
    }
  }
  return index;
}

template <class T>
void Call::mask_item(std::int64_t item, std::int64_t u, T* w, T value) const {
  const auto rows = lists_.key_rows(head(item), slab(item, u));
  const auto visible = lists_.visible(head(item), slab(item, u));
  for (std::size_t r = 0; r < rows.size(); ++r, w += t()) {
    const auto [first, last, hidden] = visible[r];
    if (rows[r] < 0 || first >= last) {
      std::fill_n(w, t(), value);
      continue;
    }
    std::fill_n(w, first, value);
    std::fill(w + last, w + t(), value);
    if (hidden >= 0) w[hidden] = value;
  }
}

void Call::mask(const Group& group, std::int64_t u, const Tensor& w, float value) const {
  for (std::int64_t i = 0; i < group.count; ++i) {
    const std::int64_t at = i * K() * t();
    if (w.dtype() == DType::bf16) {
      mask_item(group.first + i, u, w.bf16() + at, to_bfloat16(value));
    } else {
      mask_item(group.first + i, u, w.f32() + at, value);
    }
  }
}

Tensor Call::weights(const Group& group, std::int64_t u, const Tensor& q, const Tensor& k) const {
  Tensor w({group.count, K(), t()}, q.dtype());
  std::array<PostOp, 2> post{apply(Unary::exp), apply(Unary::exp)};
  Tensor shift;
  if (shift_.defined()) {
    shift = shift_.slice(group.first, group.count);
    post[0] = apply(Binary::sub, view(shift));
  }
  primitives::matmul(view(k), transposed(view(q)), view(w),
                     std::span(post.data(), shift.defined() ? 2 : 1));
  mask(group, u, w, 0);
  return w;
}

// Drawn per item and slab, independently of the grouping.
void Call::drop(const Group& group, std::int64_t u, const Tensor& w, const Tensor& kept,
                const Tensor& mask) const {
  for (std::int64_t i = 0; i < group.count; ++i) {
    const auto item = static_cast<std::uint64_t>(group.first + i);
    kernels::dropout_mask(w.slice(i, 1), kept.slice(i, 1),
                          mask.defined() ? mask.slice(i, 1) : Tensor(), options_.dropout,
                          options_.key.of(item).of(static_cast<std::uint64_t>(u)));
  }
}

Tensor Call::inverse(const Group& group) const {
  const auto share = static_cast<float>(kernels::dropout_share(options_.dropout));
  const Tensor l = l_.slice(group.first, group.count);
  Tensor y(l.shape(), DType::f32);
  for (std::int64_t i = 0; i < l.numel(); ++i) {
    y.f32()[i] = l.f32()[i] > 0 ? 1 / (share * l.f32()[i]) : 0;
  }
  return y;
}

void Call::find_shift() {
  const double bound = kernels::largest_row_norm(q_) * kernels::largest_row_norm(k_);
  if (bound <= ops::kSafeLogit) return;
  constexpr float kLowest = -std::numeric_limits<float>::max();
  shift_ = Tensor::full({items(), 1, t()}, kLowest);
  const Tensor slab_maxima({t()}, DType::f32);
  for (const Group& group : groups()) {
    const Tensor q = gather(q_, query_index(group), group.count);
    for (std::int64_t u = 0; u < group.slabs; ++u) {
      const Tensor s({group.count, K(), t()}, DType::f32);
      primitives::matmul(view(gather(k_, key_index(group, u), group.count)), transposed(view(q)),
                         view(s));
      mask(group, u, s, kLowest);
      for (std::int64_t i = 0; i < group.count; ++i) {
        kernels::column_maxima(s.slice(i, 1).reshaped({K(), t()}), slab_maxima);
        float* largest = shift_.f32() + (group.first + i) * t();
        for (std::int64_t c = 0; c < t(); ++c) {
          largest[c] = std::max(largest[c], slab_maxima.f32()[c]);
        }
      }
    }
  }
  // A query without keys: any finite shift.
  for (std::int64_t i = 0; i < shift_.numel(); ++i) {
    if (shift_.f32()[i] == kLowest) shift_.f32()[i] = 0;
  }
}

void Call::forward(const Group& group, const Tensor& o) const {
  const std::vector<std::int32_t> rows = query_index(group);
  const Tensor q = gather(q_, rows, group.count);
  const Tensor l = l_.slice(group.first, group.count);
  const Tensor sum({group.count, v_.dim(2), t()}, DType::f32);
  for (std::int64_t u = 0; u < group.slabs; ++u) {
    const std::vector<std::int32_t> keys = key_index(group, u);
    const Tensor w = weights(group, u, q, gather(k_, keys, group.count));
    product(ones_row(K(), w.dtype()), view(w), l, u > 0);
    if (dropping()) drop(group, u, w, w, {});
    product(transposed(view(gather(v_, keys, group.count))), view(w), sum, u > 0);
  }
  if (group.slabs == 0) return;
  primitives::binary(Binary::mul, sum, inverse(group), sum);
  kernels::store_rows(flipped(sum, o.dtype()), rows, o);
}

// The subtrahend of dS, (sum_c dO_c o_c - d lse) / l [count, 1, t], from g = dO / (s l).
Tensor Call::mean(const Group& group, const std::vector<std::int32_t>& rows, const Tensor& g,
                  const Tensor& o, const Tensor& dlse) const {
  const auto share = static_cast<float>(kernels::dropout_share(options_.dropout));
  const Tensor products(g.shape(), g.dtype());
  primitives::binary(Binary::mul, g, gather(o, rows, group.count), products);
  Tensor sums({group.count, 1, t()}, DType::f32);
  const std::array<PostOp, 1> post{apply(Unary::linear, share)};
  primitives::matmul(view(products, Shape{group.count * t(), g.dim(2)}),
                     view(ops::ones(g.dim(2), g.dtype()), Shape{g.dim(2), 1}),
                     view(sums, Shape{group.count * t(), 1}), post);
  if (dlse.defined()) {
    const Tensor d = gather(dlse, rows, group.count).reshaped(sums.shape());
    primitives::binary(Binary::mul, d, ops::scaled(inverse(group), share), d);
    primitives::binary(Binary::sub, sums, d, sums);
  }
  return sums;
}

void Call::backward(const Group& group, const Tensor& o, const Tensor& dy, const Tensor& dlse,
                    const Tensor& dq, const Tensor& dk, const Tensor& dv) const {
  if (group.slabs == 0) return;
  const std::vector<std::int32_t> rows = query_index(group);
  const Tensor q = gather(q_, rows, group.count);
  const Tensor g = gather(dy, rows, group.count);
  primitives::binary(Binary::mul, g, inverse(group).reshaped({group.count, t(), 1}), g);
  const Tensor subtracted = mean(group, rows, g, o, dlse);
  const Tensor wide_g = dropping() ? Tensor() : ops::widen(g, ops::scaled(subtracted, -1.0F));
  const Tensor dqt({group.count, q.dim(2), t()}, DType::f32);
  const Tensor dk_rows({group.count, K(), q.dim(2)}, DType::f32);
  const Tensor dv_rows({group.count, K(), g.dim(2)}, DType::f32);
  for (std::int64_t u = 0; u < group.slabs; ++u) {
    const std::vector<std::int32_t> keys = key_index(group, u);
    const Tensor k = gather(k_, keys, group.count);
    const Tensor w = weights(group, u, q, k);
    Tensor ds(w.shape(), w.dtype());
    if (dropping()) {
      const Tensor mask(w.shape(), w.dtype());
      drop(group, u, w, ds, mask);
      product(view(ds), view(g), dv_rows, false);
      const Tensor dp(w.shape(), DType::f32);
      const std::array<PostOp, 1> post{apply(Binary::mul, view(mask))};
      primitives::matmul(view(gather(v_, keys, group.count)), transposed(view(g)), view(dp), post);
      kernels::weight_difference(w, dp, subtracted);
      ds = w;
    } else {
      product(view(w), view(g), dv_rows, false);
      const std::array<PostOp, 1> post{apply(Binary::mul, view(w))};
      primitives::matmul(view(gather(wide_, keys, group.count)), transposed(view(wide_g)), view(ds),
                         post);
    }
    product(view(ds), view(q), dk_rows, false);
    product(transposed(view(k)), view(ds), dqt, u > 0);
    kernels::scatter_add_rows(dk_rows, keys, dk);
    kernels::scatter_add_rows(dv_rows, keys, dv);
  }
  kernels::store_rows(flipped(dqt, DType::f32), rows, dq);
}

Tensor Call::log_normaliser() const {
  Tensor lse = Tensor::full({q_.dim(0), q_.dim(1), 1}, kNoKeys);
  for (std::int64_t item = 0; item < items(); ++item) {
    const auto rows = lists_.queries(head(item), tile(item));
    for (std::int64_t i = 0; i < t(); ++i) {
      const std::int32_t row = rows[static_cast<std::size_t>(i)];
      const float l = l_.f32()[item * t() + i];
      if (row < 0 || !(l > 0)) continue;
      const float shift = shift_.defined() ? shift_.f32()[item * t() + i] : 0.0F;
      lse.f32()[head(item) * q_.dim(1) + row] = std::log(l) + shift;
    }
  }
  return lse;
}

void check(const Value& q, const Value& k, const Value& v, const BlockLists& lists) {
  const bool fits = q.rank() == 3 && k.rank() == 3 && v.rank() == 3 && q.dim(0) == k.dim(0) &&
                    q.dim(0) == v.dim(0) && q.dim(2) == k.dim(2) && k.dim(1) == v.dim(1) &&
                    (lists.heads() == 1 || lists.heads() == q.dim(0));
  if (!fits) {
    fail(ErrorKind::shape, "block_attention: got q {}, k {}, v {}, lists of {} heads",
         q.shape().text(), k.shape().text(), v.shape().text(), lists.heads());
  }
}

}  // namespace

BlockAttention block_attention(const Value& q, const Value& k, const Value& v, BlockLists lists,
                               const BlockAttentionOptions& options) {
  check(q, k, v, lists);
  lists.finish(q.dim(1), k.dim(1));
  auto call = std::make_shared<Call>(
      std::move(lists), options, ops::scaled(q.tensor(), options.scale), k.tensor(), v.tensor());
  call->find_shift();
  Tensor o =
      Tensor::zeros({q.dim(0), q.dim(1), v.dim(2)}, options.f32_result ? DType::f32 : q.dtype());
  for (const Group& group : call->groups()) call->forward(group, o);

  // The gradient of the normaliser, if any, arrives first, because its node is later.
  auto dlse = std::make_shared<Tensor>();
  auto rule = [call, o, dlse, sq = q.shape(), sk = k.shape(), sv = v.shape(), gq = q.gradient(),
               gk = k.gradient(), gv = v.gradient(), type = q.dtype()](const Tensor& given) {
    const Tensor dy = ops::cast(given, type);
    const Tensor dq = Tensor::zeros(sq);
    const Tensor dk = Tensor::zeros(sk);
    const Tensor dv = Tensor::zeros(sv);
    call->prepare_backward();
    for (const Group& group : call->groups()) call->backward(group, o, dy, *dlse, dq, dk, dv);
    ops::deliver(gq, dq, call->options().scale);
    ops::deliver(gk, dk);
    ops::deliver(gv, dv);
  };
  BlockAttention result{Tape::record(std::move(o), {&q, &k, &v}, std::move(rule)), {}};
  if (options.normaliser) {
    result.lse = Tape::record(call->log_normaliser(), {&result.o},
                              [dlse, node = result.o.gradient()](const Tensor& d) {
                                *dlse = d;
                                if (!node->value().defined()) {
                                  node->add(Tensor::zeros(node->shape(), node->dtype()));
                                }
                              });
  }
  return result;
}

}  // namespace lra::engine
