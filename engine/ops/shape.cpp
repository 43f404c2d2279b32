#include "engine/ops/shape.h"

#include <fmt/ranges.h>

#include <array>
#include <memory>
#include <utility>

#include "engine/compute/kernels/kernels.h"
#include "engine/ops/internal.h"

namespace lra::engine {

using primitives::narrowed;
using primitives::View;
using primitives::view;

Value reshape(const Value& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  return Tape::record(
      x.tensor().reshaped(shape), {&x},
      [from = x.shape(), gx = x.gradient()](const Tensor& dy) { gx->add(dy.reshaped(from)); });
}

Value permute(const Value& x, std::initializer_list<int> axes) {
  std::vector<int> order(axes);
  std::vector<int> inverse(order.size(), -1);
  bool fits = static_cast<int>(order.size()) == x.rank();
  Shape shape = x.shape();
  for (std::size_t i = 0; fits && i < order.size(); ++i) {
    order[i] = x.shape().axis(order[i]);
    int& from = inverse[static_cast<std::size_t>(order[i])];
    fits = from == -1;  // each axis once
    from = static_cast<int>(i);
    shape.set(from, x.dim(order[i]));
  }
  if (!fits) {
    fail(ErrorKind::shape, "permute: got axes ({}) for {}, expected each once",
         fmt::join(axes, ", "), x.shape().text());
  }
  const auto permuted_copy = [](const Tensor& from, const std::vector<int>& by, const Tensor& to) {
    if (by == std::vector<int>{1, 0, 2}) {
      kernels::swap_axes(from, to);
    } else {
      primitives::copy(permuted(view(from), by), view(to));
    }
  };
  Tensor y(shape, x.dtype());
  permuted_copy(x.tensor(), order, y);
  return Tape::record(
      std::move(y), {&x},
      [inverse, permuted_copy, from = x.shape(), gx = x.gradient()](const Tensor& dy) {
        Tensor dx(from, dy.dtype());
        permuted_copy(dy, inverse, dx);
        gx->add(std::move(dx));
      });
}

Value transpose(const Value& x) {
  Shape shape = x.shape();
  shape.set(-1, x.dim(-2));
  shape.set(-2, x.dim(-1));
  Tensor y(shape, x.dtype());
  primitives::copy(transposed(view(x.tensor())), view(y));
  return Tape::record(std::move(y), {&x}, [from = x.shape(), gx = x.gradient()](const Tensor& dy) {
    Tensor dx(from, dy.dtype());
    primitives::copy(transposed(view(dy)), view(dx));
    gx->add(std::move(dx));
  });
}

// Uses a broadcast addition to zeros, because oneDNN's reorder does not repeat.
Tensor expand_tensor(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  Tensor y = Tensor::zeros(shape, x.dtype());
  primitives::binary(primitives::Binary::add, y,
                     x.reshaped(ops::with_rank(x.shape(), shape.rank())), y);
  return y;
}

Value expand(const Value& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  return Tape::record(expand_tensor(x.tensor(), shape), {&x},
                      [from = x.shape(), gx = x.gradient()](const Tensor& dy) {
                        const Shape wide = ops::with_rank(from, dy.rank());
                        gx->add(ops::sum_to(dy, wide, dy.dtype()).reshaped(from));
                      });
}

namespace {

// x as [outer, n, inner] around an axis: slices of it are then simple views.
View around(const Tensor& x, int axis) {
  return view(x, Shape{x.shape().outer(axis), x.dim(axis), x.shape().inner(axis)});
}

}  // namespace

Value concat(const std::vector<Value>& parts, int axis) {
  if (parts.empty()) fail(ErrorKind::shape, "concat: got no parts");
  Shape shape = parts[0].shape();
  std::int64_t total = 0;
  for (const Value& part : parts) {
    Shape expected = shape;
    expected.set(axis, part.dim(axis));
    if (part.shape() != expected || part.dtype() != parts[0].dtype()) {
      fail(ErrorKind::shape, "concat: got {}, expected {}", part.shape().text(), expected.text());
    }
    total += part.dim(axis);
  }
  shape.set(axis, total);
  Tensor y(shape, parts[0].dtype());
  std::vector<std::pair<Gradient, Shape>> gradients;
  std::int64_t at = 0;
  const Value* wanting = parts.data();
  for (const Value& part : parts) {
    primitives::copy(around(part.tensor(), axis), narrowed(around(y, axis), 1, at, part.dim(axis)));
    gradients.emplace_back(part.gradient(), part.shape());
    if (part.gradient()) wanting = &part;
    at += part.dim(axis);
  }
  return Tape::record(std::move(y), {wanting}, [=](const Tensor& dy) {
    std::int64_t begin = 0;
    for (const auto& [gradient, part] : gradients) {
      if (gradient) {
        Tensor d(part, dy.dtype());
        primitives::copy(narrowed(around(dy, axis), 1, begin, part[axis]), around(d, axis));
        gradient->add(std::move(d));
      }
      begin += part[axis];
    }
  });
}

Value slice(const Value& x, int axis, std::int64_t begin, std::int64_t count) {
  if (begin < 0 || count < 0 || begin + count > x.dim(axis)) {
    fail(ErrorKind::shape, "slice: [{}, {}) is outside axis {} of {}", begin, begin + count, axis,
         x.shape().text());
  }
  if (count == x.dim(axis)) return x;
  Shape shape = x.shape();
  shape.set(axis, count);
  Tensor y(shape, x.dtype());
  primitives::copy(narrowed(around(x.tensor(), axis), 1, begin, count), around(y, axis));
  return Tape::record(
      std::move(y), {&x}, [=, from = x.shape(), gx = x.gradient()](const Tensor& dy) {
        Tensor dx = Tensor::zeros(from, dy.dtype());
        primitives::copy(around(dy, axis), narrowed(around(dx, axis), 1, begin, count));
        gx->add(std::move(dx));
      });
}

std::vector<Value> split(const Value& x, std::int64_t parts) {
  if (parts < 1 || x.dim(0) % parts != 0) {
    fail(ErrorKind::shape, "split: {} parts of the first axis of {}", parts, x.shape().text());
  }
  const std::int64_t size = x.dim(0) / parts;
  std::vector<Value> result;
  if (Tape::current() == nullptr || !x.gradient()) {
    for (std::int64_t i = 0; i < parts; ++i) result.emplace_back(x.tensor().slice(i * size, size));
    return result;
  }
  // The parts' gradients are slices of one tensor, which becomes x's gradient as a whole.
  struct Shared {
    Tensor gradient;
    std::vector<bool> written;
  };
  auto shared = std::make_shared<Shared>();
  shared->written.resize(static_cast<std::size_t>(parts));
  const Value whole =
      Tape::current()->push(x.tensor(), [shared, size, gx = x.gradient()](const Tensor& dx) {
        for (std::size_t i = 0; i < shared->written.size(); ++i) {
          if (!shared->written[i]) dx.slice(static_cast<std::int64_t>(i) * size, size).zero();
        }
        shared->gradient = Tensor();
        gx->add(dx);
      });
  for (std::int64_t i = 0; i < parts; ++i) {
    // Never empty, so that the sum in the shared tensor is not changed.
    Value part = Tape::current()->push(x.tensor().slice(i * size, size), [](const Tensor&) {});
    part.gradient()->provide_ = [shared, i, size, node = whole.gradient(), shape = x.shape(),
                                 type = x.dtype()] {
      if (!shared->gradient.defined()) {
        shared->gradient = Tensor(shape, type);
        node->grad_ = shared->gradient;
      }
      shared->written[static_cast<std::size_t>(i)] = true;
      return shared->gradient.slice(i * size, size);
    };
    result.push_back(std::move(part));
  }
  return result;
}

Value pad(const Value& x, int axis, std::int64_t before, std::int64_t after) {
  if (before < 0 || after < 0) fail(ErrorKind::shape, "pad: got {} and {}", before, after);
  if (before == 0 && after == 0) return x;
  Shape shape = x.shape();
  const std::int64_t n = x.dim(axis);
  shape.set(axis, n + before + after);
  Tensor y = Tensor::zeros(shape, x.dtype());
  primitives::copy(around(x.tensor(), axis), narrowed(around(y, axis), 1, before, n));
  return Tape::record(
      std::move(y), {&x}, [=, from = x.shape(), gx = x.gradient()](const Tensor& dy) {
        Tensor dx(from, dy.dtype());
        primitives::copy(narrowed(around(dy, axis), 1, before, n), around(dx, axis));
        gx->add(std::move(dx));
      });
}

Value mask_rows(const Value& x, std::int64_t n) {
  if (n < 0) fail(ErrorKind::shape, "mask_rows: got {} rows of {}", n, x.shape().text());
  if (n >= x.dim(-2)) return x;
  Tensor y = x.tensor().clone();
  kernels::zero_rows(y, n);
  return Tape::record(std::move(y), {&x}, [n, gx = x.gradient()](Tensor dy) {
    if (!dy.unique()) dy = dy.clone();
    kernels::zero_rows(dy, n);
    gx->add(std::move(dy));
  });
}

Value scale_rows_twice(const Value& x, const Tensor& a, const Tensor& b) {
  if (x.rank() != 3 || a.numel() != x.dim(1) || b.numel() != x.dim(1)) {
    fail(ErrorKind::shape, "scale_rows_twice: got x {} and {}, {} factors", x.shape().text(),
         a.numel(), b.numel());
  }
  Tensor y({x.dim(0), x.dim(1), 2 * x.dim(2)}, x.dtype());
  kernels::scale_rows_twice(x.tensor(), a, b, y);
  return Tape::record(std::move(y), {&x},
                      [=, from = x.shape(), gx = x.gradient()](const Tensor& dy) {
                        Tensor dx(from, dy.dtype());
                        kernels::scale_rows_twice_backward(dy, a, b, dx);
                        gx->add(std::move(dx));
                      });
}

std::vector<Value> split_heads(const Value& y, std::int64_t parts, std::int64_t heads) {
  const std::int64_t groups = parts * heads;
  if (y.rank() != 2 || parts < 1 || heads < 1 || y.dim(1) % groups != 0) {
    fail(ErrorKind::shape, "split_heads: {} into {} heads of {} projections", y.shape().text(),
         heads, parts);
  }
  const std::int64_t n = y.dim(0);
  const std::int64_t head_dim = y.dim(1) / groups;
  return split(permute(reshape(y, {n, groups, head_dim}), {1, 0, 2}), parts);
}

Value merge_heads(const Value& x) {
  return reshape(permute(x, {1, 0, 2}), {x.dim(1), x.dim(0) * x.dim(2)});
}

}  // namespace lra::engine
