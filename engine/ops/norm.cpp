#include "engine/ops/norm.h"

#include <utility>

#include "engine/compute/kernels/kernels.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/internal.h"
#include "engine/runtime.h"

namespace lra::engine {

using primitives::SoftmaxKind;

Value layer_norm(const Value& x, const Value& gamma, const Value& beta, float eps) {
  const std::int64_t C = x.dim(-1);
  for (const Value* v : {&gamma, &beta}) {
    if (C < 1 || v->shape() != Shape{C} || v->dtype() != DType::f32) {
      fail(ErrorKind::shape, "layer_norm: got x {}, {} {}, expected [..., C], f32 [C], C > 0",
           x.shape().text(), dtype_name(v->dtype()), v->shape().text());
    }
  }
  const std::int64_t rows = x.tensor().numel() / C;
  const Tensor tx = x.tensor();
  const Tensor scale = gamma.tensor();
  Tensor y(x.shape(), x.dtype());
  const Tensor mean({rows}, DType::f32);
  const Tensor variance({rows}, DType::f32);
  const bool own = ops::own_loops(x.dtype());
  const auto forward = own ? kernels::layer_norm : primitives::layer_norm;
  forward(tx, scale, beta.tensor(), eps, y, mean, variance);
  return Tape::record(
      std::move(y), {&x, &gamma, &beta},
      [=, gx = x.gradient(), gg = gamma.gradient(), gb = beta.gradient()](const Tensor& dy) {
        Tensor dx(tx.shape(), tx.dtype());
        Tensor dgamma({C}, DType::f32);
        Tensor dbeta({C}, DType::f32);
        const auto backward = own ? kernels::layer_norm_backward : primitives::layer_norm_backward;
        backward(tx, scale, mean, variance, eps, dy, dx, dgamma, dbeta);
        if (gg) gg->add(std::move(dgamma));
        if (gb) gb->add(std::move(dbeta));
        if (gx) gx->add(std::move(dx));
      });
}

namespace {

Value softmax_of(SoftmaxKind kind, const Value& x) {
  Tensor y(x.shape(), x.dtype());
  primitives::softmax(kind, x.tensor(), y);
  return Tape::record(y, {&x}, [kind, y, gx = x.gradient()](const Tensor& dy) {
    Tensor dx = ops::reuse(dy);
    if (machine().avx512) {
      primitives::softmax_backward(kind, y, dy, dx);
    } else {
      kernels::softmax_backward(kind == SoftmaxKind::log_softmax, y, dy, dx);
    }
    gx->add(std::move(dx));
  });
}

}  // namespace

Value softmax(const Value& x) { return softmax_of(SoftmaxKind::softmax, x); }
Value log_softmax(const Value& x) { return softmax_of(SoftmaxKind::log_softmax, x); }

Value masked_softmax(const Value& x, const Tensor& allow) {
  const Shape weights_shape = ops::with_rank(allow.shape(), x.rank());
  for (int axis = 0; axis < x.rank(); ++axis) {
    const bool fits = weights_shape[axis] == 1 || weights_shape[axis] == x.dim(axis);
    if (!fits || allow.rank() > x.rank()) {
      fail(ErrorKind::shape, "masked_softmax: got a mask {} for {}", allow.shape().text(),
           x.shape().text());
    }
  }
  // A large finite number: a row of minus infinities would be NaN.
  Tensor additive(allow.shape(), allow.dtype());
  primitives::unary(primitives::Unary::linear, allow, additive, 1e9F, -1e9F);
  const Tensor weights = ops::cast(allow, x.dtype());
  return softmax(x + Value(additive)) * Value(weights);
}

}  // namespace lra::engine
