#include "engine/compute/primitives/internal.h"

namespace lra::engine::primitives {

dnnl::algorithm dnnl_algorithm(Unary f, bool keep_result) {
  using dnnl::algorithm;
  switch (f) {
    case Unary::relu:
    case Unary::leaky_relu:
      return keep_result ? algorithm::eltwise_relu_use_dst_for_bwd : algorithm::eltwise_relu;
    case Unary::elu:
      return keep_result ? algorithm::eltwise_elu_use_dst_for_bwd : algorithm::eltwise_elu;
    case Unary::gelu_erf:
      return algorithm::eltwise_gelu_erf;
    case Unary::gelu_tanh:
      return algorithm::eltwise_gelu_tanh;
    case Unary::exp:
      return keep_result ? algorithm::eltwise_exp_use_dst_for_bwd : algorithm::eltwise_exp;
    case Unary::log:
      return algorithm::eltwise_log;
    case Unary::sqrt:
      return keep_result ? algorithm::eltwise_sqrt_use_dst_for_bwd : algorithm::eltwise_sqrt;
    case Unary::abs:
      return algorithm::eltwise_abs;
    case Unary::square:
      return algorithm::eltwise_square;
    case Unary::sigmoid:
      return keep_result ? algorithm::eltwise_logistic_use_dst_for_bwd
                         : algorithm::eltwise_logistic;
    case Unary::tanh:
      return keep_result ? algorithm::eltwise_tanh_use_dst_for_bwd : algorithm::eltwise_tanh;
    case Unary::softplus:
      return algorithm::eltwise_soft_relu;
    case Unary::silu:
      return algorithm::eltwise_swish;
    case Unary::linear:
      return algorithm::eltwise_linear;
    case Unary::clip:
      return algorithm::eltwise_clip;
    case Unary::pow:
      return algorithm::eltwise_pow;
  }
  return algorithm::undef;
}

// oneDNN's parameters of functions that have fixed ones.
std::pair<float, float> parameters(Unary f, float alpha, float beta) {
  switch (f) {
    case Unary::relu:
      return {0.0F, 0.0F};
    case Unary::elu:
    case Unary::softplus:
      return {alpha == 0 ? 1.0F : alpha, 0.0F};
    case Unary::silu:
      return {alpha == 0 ? 1.0F : alpha, 0.0F};
    default:
      return {alpha, beta};
  }
}

dnnl::algorithm dnnl_algorithm(Binary op) {
  using dnnl::algorithm;
  switch (op) {
    case Binary::add:
      return algorithm::binary_add;
    case Binary::sub:
      return algorithm::binary_sub;
    case Binary::mul:
      return algorithm::binary_mul;
    case Binary::div:
      return algorithm::binary_div;
    case Binary::max:
      return algorithm::binary_max;
    case Binary::min:
      return algorithm::binary_min;
    case Binary::greater_equal:
      return algorithm::binary_ge;
  }
  return algorithm::undef;
}

namespace {

// The shape of two tensors with neighbouring axes joined where both are dense in the same way, so
// that few distinct primitives exist and oneDNN sees the simplest form.
struct Joined {
  Shape a, b;
};

Joined join(const Shape& a, const Shape& b) {
  std::array<std::int64_t, Shape::kMaxRank> da{};
  std::array<std::int64_t, Shape::kMaxRank> db{};
  std::size_t rank = 0;
  bool previous = false;
  for (int i = 0; i < a.rank(); ++i) {
    if (a[i] == 1) continue;
    const bool broadcast = b[i] == 1;
    if (rank > 0 && broadcast == previous) {
      da[rank - 1] *= a[i];
      db[rank - 1] *= b[i];
    } else {
      da[rank] = a[i];
      db[rank] = b[i];
      ++rank;
    }
    previous = broadcast;
  }
  if (rank == 0) {
    da[0] = db[0] = 1;
    rank = 1;
  }
  return {Shape(std::span<const std::int64_t>(da.data(), rank)),
          Shape(std::span<const std::int64_t>(db.data(), rank))};
}

}  // namespace

bool unary_keeps_result(Unary f, float alpha) {
  switch (f) {
    case Unary::relu:
    case Unary::exp:
    case Unary::sqrt:
    case Unary::sigmoid:
    case Unary::tanh:
      return true;
    case Unary::elu:
      return alpha >= 0;  // 0 means the default 1
    default:
      return false;
  }
}

void unary(Unary f, const Tensor& x, const Tensor& y, float alpha, float beta) {
  check_same("eltwise", x, y);
  if (x.numel() == 0) return;
  const View vx = view(x, flat(x));
  const View vy = view(y, flat(y));
  Key key(Kind::unary);
  key.put(static_cast<std::int64_t>(f)).put(alpha).put(beta).put(vx);
  Entry& entry = entry_for(key, {&vx}, [&](Entry& e) {
    const auto [a, b] = parameters(f, alpha, beta);
    const Desc desc = descriptor(vx);
    const auto pd = onednn::eltwise_pd(dnnl_algorithm(f, unary_keeps_result(f, alpha)), desc, a, b);
    e.memories.reserve(3);
    e.argument(DNNL_ARG_SRC, desc);
    e.argument(DNNL_ARG_DST, desc);
    return finish(e, pd);
  });
  execute(entry, {vx.data, vy.data}, Kind::unary);
}

void unary_backward(Unary f, const Tensor& kept, const Tensor& dy, const Tensor& dx, float alpha,
                    float beta) {
  check_same("eltwise backward", kept, dy);
  check_same("eltwise backward", kept, dx);
  if (kept.numel() == 0) return;
  const View v = view(kept, flat(kept));
  Key key(Kind::unary_backward);
  key.put(static_cast<std::int64_t>(f)).put(alpha).put(beta).put(v);
  Entry& entry = entry_for(key, {&v}, [&](Entry& e) {
    const auto [a, b] = parameters(f, alpha, beta);
    const bool result = unary_keeps_result(f, alpha);
    const Desc desc = descriptor(v);
    const auto pd = onednn::eltwise_backward_pd(dnnl_algorithm(f, result), desc, a, b);
    e.memories.reserve(4);
    e.argument(result ? DNNL_ARG_DST : DNNL_ARG_SRC, desc);
    e.argument(DNNL_ARG_DIFF_DST, desc);
    e.argument(DNNL_ARG_DIFF_SRC, desc);
    return finish(e, pd);
  });
  execute(entry, {kept.raw(), dy.raw(), dx.raw()}, Kind::unary_backward);
}

void binary(Binary op, const Tensor& a, const Tensor& b, const Tensor& c) {
  check_same("binary", a, c);
  if (a.rank() != b.rank()) {
    fail(ErrorKind::shape, "binary: got ranks {} and {}, expected equal ones", a.shape().text(),
         b.shape().text());
  }
  for (int i = 0; i < a.rank(); ++i) {
    if (b.dim(i) != a.dim(i) && b.dim(i) != 1) {
      fail(ErrorKind::shape, "binary: {} does not broadcast to {}", b.shape().text(),
           a.shape().text());
    }
  }
  if (a.numel() == 0) return;
  const Joined shapes = join(a.shape(), b.shape());
  const View va = view(a, shapes.a);
  const View vb = view(b, shapes.b);
  const View vc = view(c, shapes.a);
  Key key(Kind::binary);
  key.put(static_cast<std::int64_t>(op)).put(va).put(vb).put(vc);
  Entry& entry = entry_for(key, {&va, &vb, &vc}, [&](Entry& e) {
    const Desc da = descriptor(va);
    const Desc db = descriptor(vb);
    const Desc dc = descriptor(vc);
    const auto pd =
        onednn::make_pd<dnnl::binary>(onednn::make_attr(), dnnl_algorithm(op), da, db, dc);
    e.memories.reserve(4);
    e.argument(DNNL_ARG_SRC_0, da);
    e.argument(DNNL_ARG_SRC_1, db);
    e.argument(DNNL_ARG_DST, dc);
    return finish(e, pd);
  });
  execute(entry, {va.data, vb.data, vc.data}, Kind::binary);
}

void reduce_rows(Reduction kind, const Tensor& x, const Tensor& y) {
  if (x.numel() == 0) return;
  const View vx = view(x, rows(x));
  const View vy = view(y, Shape{y.numel(), 1});
  Key key(Kind::reduce);
  key.put(static_cast<std::int64_t>(kind)).put(vx).put(vy);
  Entry& entry = entry_for(key, {&vx, &vy}, [&](Entry& e) {
    const Desc source = descriptor(vx);
    const Desc target = descriptor(vy);
    const auto algorithm =
        kind == Reduction::sum ? dnnl::algorithm::reduction_sum : dnnl::algorithm::reduction_max;
    const auto pd = onednn::make_pd<dnnl::reduction>(onednn::make_attr(), algorithm, source, target,
                                                     0.0F, 0.0F);
    e.memories.reserve(3);
    e.argument(DNNL_ARG_SRC, source);
    e.argument(DNNL_ARG_DST, target);
    return finish(e, pd);
  });
  execute(entry, {vx.data, vy.data}, Kind::reduce);
}

}  // namespace lra::engine::primitives
