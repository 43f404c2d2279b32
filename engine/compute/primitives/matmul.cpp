#include "engine/compute/primitives/internal.h"
#include "engine/compute/primitives/products.h"

namespace lra::engine::primitives {
namespace {

void check_matmul(const View& a, const View& b, const View& c) {
  const auto bad = [&](const char* what) {
    fail(ErrorKind::shape, "matmul: {}; got {} x {} -> {}", what, text(a), text(b), text(c));
  };
  if (a.rank != b.rank || a.rank != c.rank || a.rank < 2) bad("ranks must be equal, at least 2");
  const auto m = static_cast<std::size_t>(a.rank - 2);
  if (a.dims[m + 1] != b.dims[m] || a.dims[m] != c.dims[m] || b.dims[m + 1] != c.dims[m + 1]) {
    bad("inner and outer sizes must agree");
  }
  for (std::size_t i = 0; i < m; ++i) {
    const bool fits =
        (a.dims[i] == c.dims[i] || a.dims[i] == 1) && (b.dims[i] == c.dims[i] || b.dims[i] == 1);
    if (!fits) bad("batch axes must agree or be 1");
  }
}

// Zeroes a view, which may be a part of a larger tensor, over the axes from `axis` on.
void zero_view(const View& c, std::byte* data, int axis = 0) {
  if (axis == c.rank) {
    std::memset(data, 0, size_of(c.dtype));
    return;
  }
  const auto i = static_cast<std::size_t>(axis);
  const std::int64_t step = c.strides[i] * static_cast<std::int64_t>(size_of(c.dtype));
  for (std::int64_t n = 0; n < c.dims[i]; ++n) zero_view(c, data + n * step, axis + 1);
}

ProductShape shape_of(const View& a, const View& b, const View& c) {
  const auto last = static_cast<std::size_t>(c.rank - 1);
  ProductShape shape;
  shape.m = c.dims[last - 1];
  shape.n = c.dims[last];
  shape.k = a.dims[last];
  std::int64_t b_batch = 1;
  for (std::size_t i = 0; i + 1 < last; ++i) {
    shape.batch *= c.dims[i];
    b_batch *= b.dims[i];
  }
  shape.shared_b = shape.batch > 1 && b_batch == 1;
  shape.a_transposed = shape.k > 1 && a.strides[last] != 1;
  shape.b_transposed = shape.n > 1 && b.strides[last] != 1;
  shape.operands = a.dtype;
  shape.result = c.dtype;
  return shape;
}

std::string build_matmul(Entry& entry, const View& a, const View& b, const View& c,
                         std::span<const PostOp> post_ops, const View* bias) {
  dnnl::post_ops ops;
  for (const PostOp& op : post_ops) {
    if (op.kind == PostOp::Kind::sum) {
      ops.append_sum(1.0F);
    } else if (op.kind == PostOp::Kind::unary) {
      const auto [alpha, beta] = parameters(op.unary, op.alpha, op.beta);
      onednn::append_eltwise(ops, dnnl_algorithm(op.unary, false), alpha, beta);
    } else {
      ops.append_binary(dnnl_algorithm(op.binary), descriptor(op.operand));
    }
  }
  const auto attr = onednn::make_attr(ops);
  const Desc da = descriptor(a);
  const Desc db = descriptor(b);
  const Desc dc = descriptor(c);
  const auto pd = bias == nullptr
                      ? onednn::make_pd<dnnl::matmul>(attr, da, db, dc)
                      : onednn::make_pd<dnnl::matmul>(attr, da, db, descriptor(*bias), dc);
  entry.memories.reserve(5 + post_ops.size());
  entry.argument(DNNL_ARG_SRC, da);
  entry.argument(DNNL_ARG_WEIGHTS, db);
  entry.argument(DNNL_ARG_DST, dc);
  if (bias != nullptr) entry.argument(DNNL_ARG_BIAS, descriptor(*bias));
  for (std::size_t i = 0; i < post_ops.size(); ++i) {
    if (post_ops[i].kind == PostOp::Kind::binary) {
      entry.argument(DNNL_ARG_ATTR_MULTIPLE_POST_OP(static_cast<int>(i)) | DNNL_ARG_SRC_1,
                     descriptor(post_ops[i].operand));
    }
  }
  return finish(entry, pd);
}

}  // namespace

void matmul(const View& a, const View& b, const View& c, std::span<const PostOp> post_ops,
            const View* bias) {
  check_matmul(a, b, c);
  std::int64_t flops = 2 * a.dims[static_cast<std::size_t>(a.rank - 1)];
  std::int64_t elements = 1;
  for (std::size_t i = 0; i < static_cast<std::size_t>(c.rank); ++i) elements *= c.dims[i];
  flops *= elements;
  if (elements == 0) return;
  if (flops == 0) {
    const bool adds = !post_ops.empty() && post_ops[0].kind == PostOp::Kind::sum;
    if (!adds) zero_view(c, c.data);
    return;
  }
  add_flops(flops);
  if (counting_products()) count_product(shape_of(a, b, c));
  Key key(Kind::matmul);
  key.put(a).put(b).put(c);
  if (bias != nullptr) key.put(std::int64_t{-1}).put(*bias);
  for (const PostOp& op : post_ops) {
    key.put(static_cast<std::int64_t>(op.kind));
    if (op.kind == PostOp::Kind::unary) {
      key.put(static_cast<std::int64_t>(op.unary)).put(op.alpha).put(op.beta);
    } else if (op.kind == PostOp::Kind::binary) {
      key.put(static_cast<std::int64_t>(op.binary)).put(op.operand);
    }
  }
  Entry& entry = entry_for(key, {&a, &b, &c},
                           [&](Entry& e) { return build_matmul(e, a, b, c, post_ops, bias); });
  if (bias == nullptr) {
    execute(entry, {a.data, b.data, c.data}, Kind::matmul, post_ops);
  } else {
    execute(entry, {a.data, b.data, c.data, bias->data}, Kind::matmul, post_ops);
  }
}

}  // namespace lra::engine::primitives
