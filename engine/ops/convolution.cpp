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

}  // namespace lra::engine
