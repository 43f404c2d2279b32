#pragma once
// The only file that includes oneDNN. It hides the differences between oneDNN 2.6 (Debian 12) and
// 3.x (Debian 13): 2.x builds an operation descriptor first, 3.x takes the same arguments after the
// engine, and eltwise and layer normalisation have other argument lists.

#include <oneapi/dnnl/dnnl.hpp>
#include <utility>

namespace lra::engine::onednn {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;

#if DNNL_VERSION_MAJOR >= 3
inline constexpr bool kV3 = true;
#else
inline constexpr bool kV3 = false;
#endif

// The CPU engine, shared by all threads, and this thread's in-order stream.
inline const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}
inline const dnnl::stream& stream() {
  thread_local const dnnl::stream stream(cpu());
  return stream;
}

// Attributes are handles: copies alias, so they are always built anew. The caller owns the
// scratchpad.
inline dnnl::primitive_attr make_attr(const dnnl::post_ops& post_ops = {}) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attr.set_post_ops(post_ops);
  return attr;
}

template <class P, class... A>
typename P::primitive_desc make_pd(const dnnl::primitive_attr& attr, A&&... args) {
#if DNNL_VERSION_MAJOR >= 3
  return typename P::primitive_desc(cpu(), std::forward<A>(args)..., attr);
#else
  return typename P::primitive_desc(typename P::desc(std::forward<A>(args)...), attr, cpu());
#endif
}

// Backward descriptors take the forward one as a hint.
template <class P, class Hint, class... A>
typename P::primitive_desc make_backward_pd(const dnnl::primitive_attr& attr, const Hint& hint,
                                            A&&... args) {
#if DNNL_VERSION_MAJOR >= 3
  return typename P::primitive_desc(cpu(), std::forward<A>(args)..., hint, attr);
#else
  return typename P::primitive_desc(typename P::desc(std::forward<A>(args)...), attr, cpu(), hint);
#endif
}

inline void append_eltwise(dnnl::post_ops& ops, dnnl::algorithm algorithm, float alpha,
                           float beta) {
#if DNNL_VERSION_MAJOR >= 3
  ops.append_eltwise(algorithm, alpha, beta);
#else
  ops.append_eltwise(1.0F, algorithm, alpha, beta);
#endif
}

inline dnnl::eltwise_forward::primitive_desc eltwise_pd(dnnl::algorithm algorithm, const Desc& data,
                                                        float alpha, float beta) {
  const auto kind = dnnl::prop_kind::forward_training;
#if DNNL_VERSION_MAJOR >= 3
  return make_pd<dnnl::eltwise_forward>(make_attr(), kind, algorithm, data, data, alpha, beta);
#else
  return make_pd<dnnl::eltwise_forward>(make_attr(), kind, algorithm, data, alpha, beta);
#endif
}

inline dnnl::eltwise_backward::primitive_desc eltwise_backward_pd(dnnl::algorithm algorithm,
                                                                  const Desc& data, float alpha,
                                                                  float beta) {
  const auto hint = eltwise_pd(algorithm, data, alpha, beta);
#if DNNL_VERSION_MAJOR >= 3
  return make_backward_pd<dnnl::eltwise_backward>(make_attr(), hint, algorithm, data, data, data,
                                                  alpha, beta);
#else
  return make_backward_pd<dnnl::eltwise_backward>(make_attr(), hint, algorithm, data, data, alpha,
                                                  beta);
#endif
}

#if DNNL_VERSION_MAJOR >= 3
using SoftmaxForward = dnnl::softmax_forward;
using SoftmaxBackward = dnnl::softmax_backward;
#else
using SoftmaxForward = dnnl::softmax_v2_forward;
using SoftmaxBackward = dnnl::softmax_v2_backward;
#endif

inline const auto kNormFlags =
    dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift;

inline dnnl::layer_normalization_forward::primitive_desc layer_norm_pd(const Desc& data,
                                                                       const Desc& statistics,
                                                                       float eps) {
  const auto kind = dnnl::prop_kind::forward_training;
#if DNNL_VERSION_MAJOR >= 3
  return make_pd<dnnl::layer_normalization_forward>(make_attr(), kind, data, data, statistics, eps,
                                                    kNormFlags);
#else
  return make_pd<dnnl::layer_normalization_forward>(make_attr(), kind, data, statistics, eps,
                                                    kNormFlags);
#endif
}

inline dnnl::layer_normalization_backward::primitive_desc layer_norm_backward_pd(
    const Desc& data, const Desc& statistics, float eps) {
  const auto hint = layer_norm_pd(data, statistics, eps);
  const auto kind = dnnl::prop_kind::backward;
#if DNNL_VERSION_MAJOR >= 3
  return make_backward_pd<dnnl::layer_normalization_backward>(make_attr(), hint, kind, data, data,
                                                              data, statistics, eps, kNormFlags);
#else
  return make_backward_pd<dnnl::layer_normalization_backward>(make_attr(), hint, kind, data, data,
                                                              statistics, eps, kNormFlags);
#endif
}

}  // namespace lra::engine::onednn
