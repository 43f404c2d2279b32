#include "engine/ops/elementwise.h"

#include <limits>
#include <utility>

#include "engine/compute/kernels/kernels.h"
#include "engine/ops/internal.h"

namespace lra::engine {
namespace {

using primitives::Unary;

Value apply(Unary f, const Value& x, float alpha = 0, float beta = 0) {
  Tensor y(x.shape(), x.dtype());
  primitives::unary(f, x.tensor(), y, alpha, beta);
  const Tensor kept = primitives::unary_keeps_result(f, alpha) ? y : x.tensor();
  return Tape::record(std::move(y), {&x}, [=, gx = x.gradient()](const Tensor& dy) {
    Tensor dx = ops::reuse(dy, gx);
    primitives::unary_backward(f, kept, dy, dx, alpha, beta);
    gx->add(std::move(dx));
  });
}

Value gelu(kernels::Gelu form, const Value& x) {
  if (!ops::own_loops(x.dtype())) {
    return apply(form == kernels::Gelu::erf ? Unary::gelu_erf : Unary::gelu_tanh, x);
  }
  const bool wanted = Tape::current() != nullptr && x.gradient();
  Tensor y(x.shape(), x.dtype());
  const Tensor slope = wanted ? Tensor(x.shape(), x.dtype()) : Tensor();
  kernels::gelu(form, x.tensor(), y, slope);
  return Tape::record(std::move(y), {&x}, [slope, gx = x.gradient()](const Tensor& dy) {
    Tensor dx = ops::reuse(dy, gx);
    kernels::multiply(dy, slope, dx);
    gx->add(std::move(dx));
  });
}

}  // namespace

Value relu(const Value& x) { return apply(Unary::relu, x); }
Value leaky_relu(const Value& x, float slope) { return apply(Unary::leaky_relu, x, slope); }
Value elu(const Value& x, float alpha) {
  // The primitive takes 0 for its default, 1.
  return alpha == 0 ? relu(x) : apply(Unary::elu, x, alpha);
}
Value gelu_erf(const Value& x) { return gelu(kernels::Gelu::erf, x); }
Value gelu_tanh(const Value& x) { return gelu(kernels::Gelu::tanh, x); }
Value exp(const Value& x) { return apply(Unary::exp, x); }
Value log(const Value& x) { return apply(Unary::log, x); }
Value sqrt(const Value& x) { return apply(Unary::sqrt, x); }
Value abs(const Value& x) { return apply(Unary::abs, x); }
Value square(const Value& x) { return apply(Unary::square, x); }
Value sigmoid(const Value& x) { return apply(Unary::sigmoid, x); }
Value tanh(const Value& x) { return apply(Unary::tanh, x); }
Value softplus(const Value& x) { return apply(Unary::softplus, x); }
Value silu(const Value& x) { return apply(Unary::silu, x); }
// The gradient needs neither x nor y, so neither is kept.
Value affine(const Value& x, float alpha, float beta) {
  Tensor y(x.shape(), x.dtype());
  primitives::unary(Unary::linear, x.tensor(), y, alpha, beta);
  return Tape::record(std::move(y), {&x}, [alpha, gx = x.gradient()](const Tensor& dy) {
    Tensor dx = ops::reuse(dy, gx);
    primitives::unary(Unary::linear, dy, dx, alpha, 0.0F);
    gx->add(std::move(dx));
  });
}
Value clamp(const Value& x, float low, float high) { return apply(Unary::clip, x, low, high); }
Value clamp_min(const Value& x, float low) {
  return clamp(x, low, std::numeric_limits<float>::max());
}

Value clamp_max(const Value& x, float high) {
  return clamp(x, -std::numeric_limits<float>::max(), high);
}

Value pow(const Value& x, float p) { return apply(Unary::pow, x, 1.0F, p); }

Value elu_plus_one(const Value& x) {
  Tensor y(x.shape(), x.dtype());
  if (ops::own_loops(x.dtype())) {
    kernels::elu_plus_one(x.tensor(), y);
    return Tape::record(y, {&x}, [y, gx = x.gradient()](const Tensor& dy) {
      Tensor dx = ops::reuse(dy, gx);
      kernels::elu_plus_one_backward(y, dy, dx);
      gx->add(std::move(dx));
    });
  }
  primitives::unary(Unary::elu, x.tensor(), y);
  primitives::unary(Unary::linear, y, y, 1.0F, 1.0F);
  return Tape::record(y, {&x}, [y, gx = x.gradient()](const Tensor& dy) {
    Tensor slope(y.shape(), y.dtype());  // min(y, 1): e^x below 0, 1 above
    primitives::unary(Unary::clip, y, slope, 0.0F, 1.0F);
    Tensor dx = ops::reuse(dy, gx);
    primitives::binary(primitives::Binary::mul, dy, slope, dx);
    gx->add(std::move(dx));
  });
}

namespace {

// sin and cos: hand-written loops, oneDNN has neither.
Value circular(const Value& x, bool sine) {
  const auto f = [](bool use_sine, const Tensor& from, const Tensor& to) {
    use_sine ? kernels::sine(from, to) : kernels::cosine(from, to);
  };
  Tensor y(x.shape(), x.dtype());
  f(sine, x.tensor(), y);
  return Tape::record(std::move(y), {&x}, [=, t = x.tensor(), gx = x.gradient()](const Tensor& dy) {
    Tensor dx(t.shape(), t.dtype());
    f(!sine, t, dx);
    primitives::binary(primitives::Binary::mul, dx, dy, dx);
    if (!sine) primitives::unary(Unary::linear, dx, dx, -1.0F, 0.0F);
    gx->add(std::move(dx));
  });
}

}  // namespace

Value sin(const Value& x) { return circular(x, true); }
Value cos(const Value& x) { return circular(x, false); }

Value cast(const Value& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  return Tape::record(
      ops::cast(x.tensor(), dtype), {&x},
      [type = x.dtype(), gx = x.gradient()](const Tensor& dy) { gx->add(ops::cast(dy, type)); });
}

// A hand-written loop; the operands (denominators) are always small.
Value step(const Value& x) {
  Tensor y(x.shape(), x.dtype());
  for (std::int64_t i = 0; i < x.tensor().numel(); ++i) {
    if (x.dtype() == DType::bf16) {
      y.bf16()[i] = to_bfloat16(to_float(x.tensor().bf16()[i]) >= 0 ? 1.0F : 0.0F);
    } else {
      y.f32()[i] = x.tensor().f32()[i] >= 0 ? 1.0F : 0.0F;
    }
  }
  return Value(std::move(y));
}

Value stop_gradient(const Value& x) { return Value(x.tensor()); }

}  // namespace lra::engine
