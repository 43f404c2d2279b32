#include "engine/compute/primitives/internal.h"

namespace lra::engine::primitives {
namespace {

dnnl::algorithm softmax_algorithm(SoftmaxKind kind) {
  return kind == SoftmaxKind::softmax ? dnnl::algorithm::softmax_accurate
                                      : dnnl::algorithm::softmax_log;
}

onednn::SoftmaxForward::primitive_desc softmax_pd(SoftmaxKind kind, const Desc& x, const Desc& y) {
  return onednn::make_pd<onednn::SoftmaxForward>(
      onednn::make_attr(), dnnl::prop_kind::forward_training, softmax_algorithm(kind), x, y, 1);
}

}  // namespace

void softmax(SoftmaxKind kind, const Tensor& x, const Tensor& y) {
  check_same("softmax", x, y);
  if (x.numel() == 0) return;
  const View vx = view(x, rows(x));
  const View vy = view(y, rows(y));
  Key key(Kind::softmax);
  key.put(static_cast<std::int64_t>(kind)).put(vx).put(vy);
  Entry& entry = entry_for(key, {&vx, &vy}, [&](Entry& e) {
    const Desc dx = descriptor(vx);
    const Desc dy = descriptor(vy);
    e.memories.reserve(3);
    e.argument(DNNL_ARG_SRC, dx);
    e.argument(DNNL_ARG_DST, dy);
    return finish(e, softmax_pd(kind, dx, dy));
  });
  execute(entry, {x.raw(), y.raw()}, Kind::softmax);
}

void softmax_backward(SoftmaxKind kind, const Tensor& y, const Tensor& dy, const Tensor& dx) {
  check_same("softmax backward", y, dy);
  check_same("softmax backward", y, dx);
  if (y.numel() == 0) return;
  const View vy = view(y, rows(y));
  const View vdy = view(dy, rows(dy));
  const View vdx = view(dx, rows(dx));
  Key key(Kind::softmax_backward);
  key.put(static_cast<std::int64_t>(kind)).put(vy).put(vdy).put(vdx);
  Entry& entry = entry_for(key, {&vy, &vdy, &vdx}, [&](Entry& e) {
    const Desc result = descriptor(vy);
    const Desc diff_result = descriptor(vdy);
    const Desc diff_source = descriptor(vdx);
    const auto pd = onednn::make_backward_pd<onednn::SoftmaxBackward>(
        onednn::make_attr(), softmax_pd(kind, result, result), softmax_algorithm(kind), diff_source,
        diff_result, result, 1);
    e.memories.reserve(4);
    e.argument(DNNL_ARG_DST, result);
    e.argument(DNNL_ARG_DIFF_DST, diff_result);
    e.argument(DNNL_ARG_DIFF_SRC, diff_source);
    return finish(e, pd);
  });
  execute(entry, {y.raw(), dy.raw(), dx.raw()}, Kind::softmax_backward);
}

void layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, float eps,
                const Tensor& y, const Tensor& mean, const Tensor& variance) {
  check_same("layer norm", x, y);
  if (x.numel() == 0) return;
  const View vx = view(x, rows(x));
  const View vs = view(mean, Shape{mean.numel()});
  const View vg = view(gamma, Shape{gamma.numel()});
  Key key(Kind::layer_norm);
  key.put(eps).put(vx);
  Entry& entry = entry_for(key, {&vx}, [&](Entry& e) {
    const Desc data = descriptor(vx);
    const Desc statistics = descriptor(vs);
    const Desc scale = descriptor(vg);
    const auto pd = onednn::layer_norm_pd(data, statistics, eps);
    e.memories.reserve(7);
    e.argument(DNNL_ARG_SRC, data);
    e.argument(DNNL_ARG_DST, data);
    e.argument(DNNL_ARG_MEAN, statistics);
    e.argument(DNNL_ARG_VARIANCE, statistics);
    e.argument(DNNL_ARG_SCALE, scale);
    e.argument(DNNL_ARG_SHIFT, scale);
    return finish(e, pd);
  });
  execute(entry, {x.raw(), y.raw(), mean.raw(), variance.raw(), gamma.raw(), beta.raw()},
          Kind::layer_norm);
}

void layer_norm_backward(const Tensor& x, const Tensor& gamma, const Tensor& mean,
                         const Tensor& variance, float eps, const Tensor& dy, const Tensor& dx,
                         const Tensor& dgamma, const Tensor& dbeta) {
  check_same("layer norm backward", x, dy);
  if (x.numel() == 0) {
    dgamma.zero();
    dbeta.zero();
    return;
  }
  const View vx = view(x, rows(x));
  const View vs = view(mean, Shape{mean.numel()});
  const View vg = view(gamma, Shape{gamma.numel()});
  Key key(Kind::layer_norm_backward);
  key.put(eps).put(vx);
  Entry& entry = entry_for(key, {&vx}, [&](Entry& e) {
    const Desc data = descriptor(vx);
    const Desc statistics = descriptor(vs);
    const Desc scale = descriptor(vg);
    const auto pd = onednn::layer_norm_backward_pd(data, statistics, eps);
    e.memories.reserve(10);
    e.argument(DNNL_ARG_SRC, data);
    e.argument(DNNL_ARG_MEAN, statistics);
    e.argument(DNNL_ARG_VARIANCE, statistics);
    e.argument(DNNL_ARG_SCALE, scale);
    e.argument(DNNL_ARG_SHIFT, scale);  // asked for by 2.6, but not read
    e.argument(DNNL_ARG_DIFF_DST, data);
    e.argument(DNNL_ARG_DIFF_SRC, data);
    e.argument(DNNL_ARG_DIFF_SCALE, scale);
    e.argument(DNNL_ARG_DIFF_SHIFT, scale);
    return finish(e, pd);
  });
  execute(entry,
          {x.raw(), mean.raw(), variance.raw(), gamma.raw(), gamma.raw(), dy.raw(), dx.raw(),
           dgamma.raw(), dbeta.raw()},
          Kind::layer_norm_backward);
}

}  // namespace lra::engine::primitives
