#include "engine/ops/convolution.h"

#include <utility>

#include "engine/compute/kernels/kernels.h"
#include "engine/ops/internal.h"

namespace lra::engine {

Value convolve_tokens(const Value& x, const Value& w) {
  if (x.rank() != 3 || w.rank() != 2 || w.dim(0) != x.dim(0) || w.dtype() != DType::f32) {
    fail(ErrorKind::shape, "convolve_tokens: got x {}, w {} {}, expected [H, N, D], [H, K] in f32",
         x.shape().text(), w.shape().text(), dtype_name(w.dtype()));
  }
  const Tensor tx = x.tensor();
  const Tensor tw = w.tensor();
  const auto convolve = [tw](const Tensor& from, bool reverse) {
    const Tensor to(from.shape(), DType::f32);
    kernels::convolve_tokens(ops::cast(from, DType::f32), tw, reverse, to);
    return ops::cast(to, from.dtype());
  };
  return Tape::record(
      convolve(tx, false), {&x, &w}, [=, gx = x.gradient(), gw = w.gradient()](const Tensor& dy) {
        if (gx) gx->add(convolve(dy, true));
        if (!gw) return;
        Tensor dw(tw.shape(), DType::f32);
        kernels::correlate_tokens(ops::cast(dy, DType::f32), ops::cast(tx, DType::f32), dw);
        gw->add(std::move(dw));
      });
}

Value convolve_features(const Value& x, const Value& w, std::int64_t n, std::int64_t before) {
  if (x.rank() != 3 || w.rank() != 3 || (w.dim(0) != x.dim(0) && w.dim(0) != 1) ||
      w.dim(2) != x.dim(2) || n < 0 || n > x.dim(1)) {
    fail(ErrorKind::shape,
         "convolve_features: got x {}, w {}, {} rows; expected [G, N, C], [G or 1, T, C], rows up "
         "to N",
         x.shape().text(), w.shape().text(), n);
  }
  const Tensor tx = x.tensor();
  const Tensor tw = ops::cast(w.tensor(), DType::f32);
  const auto convolve = [=](const Tensor& from, bool reverse) {
    const Tensor to(from.shape(), DType::f32);
    kernels::zero_rows(to, n);
    kernels::convolve_features(ops::cast(from, DType::f32), tw, n, before, reverse, to);
    return ops::cast(to, from.dtype());
  };
  return Tape::record(convolve(tx, false), {&x, &w},
                      [=, gx = x.gradient(), gw = w.gradient()](const Tensor& dy) {
                        if (gx) gx->add(convolve(dy, true));
                        if (!gw) return;
                        const Tensor dw(tw.shape(), DType::f32);
                        kernels::correlate_features(ops::cast(dy, DType::f32),
                                                    ops::cast(tx, DType::f32), n, before, dw);
                        gw->add(ops::cast(dw, gw->dtype()));
                      });
}

}  // namespace lra::engine
