#include "engine/ops/matmul.h"

#include <array>
#include <utility>

#include "engine/ops/internal.h"

namespace lra::engine {

using ops::add_product;
using primitives::transposed;
using primitives::View;
using primitives::view;

namespace {

Shape product_shape(const Shape& a, const Shape& b, const MatmulOptions& o) {
  if (a.rank() != b.rank() || a.rank() < 2) {
    fail(ErrorKind::shape, "matmul: got {} and {}, expected equal ranks of at least 2", a.text(),
         b.text());
  }
  Shape c = a;
  for (int i = 0; i + 2 < a.rank(); ++i) c.set(i, a[i] == 1 ? b[i] : a[i]);
  c.set(-2, o.transpose_a ? a[-1] : a[-2]);
  c.set(-1, o.transpose_b ? b[-2] : b[-1]);
  return c;
}

Shape linear_shape(const Shape& x, const Shape& w) {
  Shape y = x;
  y.set(-1, w[1]);
  return y;
}

void check_linear(const Value& x, const Value& w, const Value& bias, const LinearOptions& o) {
  const bool fits = w.rank() == 2 && x.dim(-1) == w.dim(0) && x.dim(-1) > 0 &&
                    (!bias.defined() || bias.shape() == Shape{w.dim(1)});
  if (!fits) {
    fail(ErrorKind::shape, "linear: got x {}, w {}, bias {}, expected [..., D], [D, F], [F], D > 0",
         x.shape().text(), w.shape().text(), bias.defined() ? bias.shape().text() : "none");
  }
  if (o.residual == nullptr) return;
  const Shape y = linear_shape(x.shape(), w.shape());
  if (o.relu || o.residual->shape() != y) {
    fail(ErrorKind::shape, "linear: got a residual {}{}, expected {} without an activation",
         o.residual->shape().text(), o.relu ? " and relu" : "", y.text());
  }
}

}  // namespace

Value matmul(const Value& a, const Value& b, const MatmulOptions& o) {
  const Tensor ta = a.tensor();
  const Tensor tb = b.tensor();
  const DType type = ta.dtype();
  Tensor c(product_shape(ta.shape(), tb.shape(), o), o.f32_result ? DType::f32 : type);
  const auto left = [o](const Tensor& t) { return o.transpose_a ? transposed(view(t)) : view(t); };
  const auto right = [o](const Tensor& t) { return o.transpose_b ? transposed(view(t)) : view(t); };
  primitives::matmul(left(ta), right(tb), view(c));
  // Each gradient needs the other operand; an operand that no gradient needs is not kept.
  auto rule = [o, left, right, type, kept_a = b.gradient() ? ta : Tensor(),
               kept_b = a.gradient() ? tb : Tensor(), ga = a.gradient(),
               gb = b.gradient()](const Tensor& given) {
    const Tensor dc = ops::cast(given, type);
    const View d = view(dc);
    if (ga && !o.transpose_a) add_product(ga, d, transposed(right(kept_b)));
    if (ga && o.transpose_a) add_product(ga, right(kept_b), transposed(d));
    if (gb && !o.transpose_b) add_product(gb, transposed(left(kept_a)), d);
    if (gb && o.transpose_b) add_product(gb, transposed(d), left(kept_a));
  };
  return Tape::record(std::move(c), {&a, &b}, std::move(rule));
}

Value linear(const Value& x, const Value& w, const Value& bias, const LinearOptions& o) {
  check_linear(x, w, bias, o);
  const Tensor tx = x.tensor();
  const Tensor tw = w.tensor();
  const Shape rows{tx.numel() / tx.dim(-1), tx.dim(-1)};
  const Shape out{rows[0], tw.dim(1)};
  const Shape result_shape = linear_shape(tx.shape(), tw.shape());
  Tensor y(result_shape, tx.dtype());
  View bias_view;
  if (bias.defined()) bias_view = view(bias.tensor(), Shape{1, tw.dim(1)});
  std::array<primitives::PostOp, 1> post{};
  std::size_t posts = 0;
  if (o.relu) post[posts++] = primitives::apply(primitives::Unary::relu);
  if (o.residual != nullptr) {
    post[posts++] = primitives::apply(primitives::Binary::add, view(o.residual->tensor(), out));
  }
  primitives::matmul(view(tx, rows), view(tw), view(y, out), std::span(post.data(), posts),
                     bias.defined() ? &bias_view : nullptr);

  const Tensor kept = o.relu ? y : Tensor();
  const Value none;
  const Value& residual = o.residual != nullptr ? *o.residual : none;
  auto rule = [kept_x = w.gradient() ? tx : Tensor(), kept_w = x.gradient() ? tw : Tensor(), kept,
               rows, out, gx = x.gradient(), gw = w.gradient(), gb = bias.gradient(),
               gr = residual.gradient()](Tensor dy) {
    if (kept.defined()) {
      const Tensor dz = ops::reuse(dy);
      primitives::unary_backward(primitives::Unary::relu, kept, dy, dz);
      dy = dz;
    }
    const View d = view(dy, out);
    const std::array<primitives::PostOp, 1> add{primitives::accumulate()};
    if (gx) {
      const GradNode::Target target = gx->target();
      primitives::matmul(d, transposed(view(kept_w)), view(target.tensor, rows),
                         std::span(add.data(), target.accumulate ? 1 : 0));
    }
    if (gw) add_product(gw, transposed(view(kept_x, rows)), d);
    if (gb) ops::add_column_sums(gb, dy.reshaped(out));
    if (gr) gr->add(std::move(dy));
  };
  return Tape::record(std::move(y), {&x, &w, &bias, &residual}, std::move(rule));
}

}  // namespace lra::engine
