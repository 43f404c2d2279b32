#include "engine/ops/arithmetic.h"

#include <array>
#include <utility>

#include "engine/compute/kernels/kernels.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/internal.h"
#include "engine/ops/shape.h"

namespace lra::engine {
namespace {

using primitives::Binary;

Shape broadcast(const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  const Shape wide_a = ops::with_rank(a, rank);
  const Shape wide_b = ops::with_rank(b, rank);
  Shape result = wide_a;
  for (int i = 0; i < rank; ++i) {
    if (wide_a[i] != wide_b[i] && wide_a[i] != 1 && wide_b[i] != 1) {
      fail(ErrorKind::shape, "arithmetic: {} and {} do not broadcast", a.text(), b.text());
    }
    result.set(i, wide_a[i] == 1 ? wide_b[i] : wide_a[i]);
  }
  return result;
}

Tensor binary(Binary op, const Tensor& a, const Tensor& b) {
  Tensor c(a.shape(), a.dtype());
  primitives::binary(op, a, b, c);
  return c;
}

// True if b has one number for each row of a.
bool by_rows(const Shape& a, const Shape& b) {
  bool same = a.rank() == b.rank() && a[-1] > 1 && b[-1] == 1;
  for (int i = 0; same && i + 1 < a.rank(); ++i) same = a[i] == b[i];
  return same;
}

Value divide_rows(const Value& a, const Value& b) {
  const Tensor tb = b.tensor();
  Tensor c(a.shape(), a.dtype());
  kernels::divide_rows(a.tensor(), tb, c);
  return Tape::record(c, {&a, &b}, [=, ga = a.gradient(), gb = b.gradient()](const Tensor& dy) {
    Tensor da = ga ? ops::reuse(dy, ga) : Tensor(dy.shape(), dy.dtype());
    Tensor db(tb.shape(), tb.dtype());
    kernels::divide_rows_backward(c, tb, dy, da, db);
    if (gb) gb->add(std::move(db));
    if (ga) ga->add(std::move(da));
  });
}

// op(a, b) with a of the result's shape.
Value apply(Binary op, const Value& a, const Value& b) {
  if (op == Binary::div && ops::own_loops(a.dtype()) && b.dtype() == a.dtype() &&
      by_rows(a.shape(), b.shape())) {
    return divide_rows(a, b);
  }
  const Tensor ta = a.tensor();
  const Tensor tb = b.tensor().reshaped(ops::with_rank(b.shape(), a.rank()));
  Tensor c = binary(op, ta, tb);
  const bool keep = op == Binary::mul || op == Binary::div;
  const Tensor kept_a = op == Binary::mul && b.gradient() ? ta : Tensor();
  const Tensor kept_b = keep ? tb : Tensor();
  const Tensor kept_c = op == Binary::div && b.gradient() ? c : Tensor();
  auto rule = [=, shape = b.shape(), wide = tb.shape(), type = tb.dtype(), ga = a.gradient(),
               gb = b.gradient()](Tensor dy) {
    if (gb) {
      const auto add = [&](const Tensor& d, float sign) {
        gb->add(ops::sum_to(d, wide, type, sign).reshaped(shape));
      };
      if (op == Binary::add) add(dy, 1.0F);
      if (op == Binary::sub) add(dy, -1.0F);
      if (op == Binary::mul) add(binary(Binary::mul, dy, kept_a), 1.0F);
      if (op == Binary::div) {  // d(a / b) = -c / b
        Tensor db = ops::sum_to(binary(Binary::mul, dy, kept_c), wide, type, -1.0F);
        primitives::binary(Binary::div, db, kept_b, db);
        gb->add(db.reshaped(shape));
      }
    }
    if (!ga) return;
    if (keep) {
      const Tensor da = ops::reuse(dy);
      primitives::binary(op, dy, kept_b, da);
      dy = da;
    }
    ga->add(std::move(dy));
  };
  return Tape::record(std::move(c), {&a, &b}, std::move(rule));
}

Value arithmetic(Binary op, const Value& a, const Value& b) {
  const Shape shape = broadcast(a.shape(), b.shape());
  if (a.shape() == shape) return apply(op, a, b);
  const bool commutes = op == Binary::add || op == Binary::mul;
  if (commutes && b.shape() == shape) return apply(op, b, a);
  const Value wide = apply(op, expand(a, shape), b);
  return b.shape() == shape ? cast(wide, b.dtype()) : wide;
}

}  // namespace

Value operator+(const Value& a, const Value& b) { return arithmetic(Binary::add, a, b); }
Value operator-(const Value& a, const Value& b) { return arithmetic(Binary::sub, a, b); }
Value operator*(const Value& a, const Value& b) { return arithmetic(Binary::mul, a, b); }
Value operator/(const Value& a, const Value& b) { return arithmetic(Binary::div, a, b); }
Value operator+(const Value& a, float b) { return affine(a, 1.0F, b); }
Value operator-(const Value& a, float b) { return affine(a, 1.0F, -b); }
Value operator*(const Value& a, float b) { return affine(a, b, 0.0F); }
Value operator/(const Value& a, float b) { return affine(a, 1.0F / b, 0.0F); }
Value operator-(float a, const Value& b) { return affine(b, -1.0F, a); }
Value operator-(const Value& a) { return affine(a, -1.0F, 0.0F); }

Value maximum(const Value& a, const Value& b) {
  const Shape shape = broadcast(a.shape(), b.shape());
  const DType type = b.shape() == shape && a.shape() != shape ? b.dtype() : a.dtype();
  const Value wide_a = expand(cast(a, type), shape);
  const Value wide_b = expand(cast(b, type), shape);
  const Tensor ta = wide_a.tensor();
  const Tensor tb = wide_b.tensor();
  Tensor c = binary(Binary::max, ta, tb);
  auto rule = [=, ga = wide_a.gradient(), gb = wide_b.gradient()](const Tensor& dy) {
    const Tensor first = binary(Binary::greater_equal, ta, tb);  // 1 where a >= b, else 0
    Tensor da = binary(Binary::mul, dy, first);
    if (gb) gb->add(binary(Binary::sub, dy, da));
    if (ga) ga->add(std::move(da));
  };
  return Tape::record(std::move(c), {&wide_a, &wide_b}, std::move(rule));
}

}  // namespace lra::engine
