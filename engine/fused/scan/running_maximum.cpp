#include "engine/fused/scan/running_maximum.h"

#include <algorithm>
#include <utility>

#include "engine/compute/profile.h"

namespace lra::engine {

Value running_maximum(const Value& g, const Value& x, std::int64_t n, bool reverse) {
  if (x.rank() != 2 || g.shape() != x.shape() || n < 0 || n > x.dim(1) || g.dtype() != DType::f32 ||
      x.dtype() != DType::f32) {
    fail(ErrorKind::shape,
         "running_maximum: got g {} {}, x {} {}, {} columns, expected [H, N] in f32",
         g.shape().text(), dtype_name(g.dtype()), x.shape().text(), dtype_name(x.dtype()), n);
  }
  const Tensor tg = g.tensor();
  const Tensor tx = x.tensor();
  const std::int64_t N = tx.dim(1);
  const auto column = [n, reverse](std::int64_t step) { return reverse ? n - 1 - step : step; };
  const Tensor m = Tensor::zeros(tx.shape());
  {
    const profile::Scope scope("scan");
    for (std::int64_t h = 0; h < tx.dim(0); ++h) {
      float before = 0;
      for (std::int64_t step = 0; step < n; ++step) {
        const std::int64_t at = h * N + column(step);
        const float entered = tx.f32()[at];
        before = step == 0 ? entered : std::max(tg.f32()[at] + before, entered);
        m.f32()[at] = before;
      }
    }
  }
  return Tape::record(m, {&g, &x}, [=, gg = g.gradient(), gx = x.gradient()](const Tensor& dm) {
    const profile::Scope scope("scan");
    Tensor dg = Tensor::zeros(tx.shape());
    Tensor dx = Tensor::zeros(tx.shape());
    for (std::int64_t h = 0; h < tx.dim(0); ++h) {
      float later = 0;  // gradient passed on by later maxima
      for (std::int64_t step = n - 1; step >= 0; --step) {
        const std::int64_t at = h * N + column(step);
        const float slope = dm.f32()[at] + later;
        const bool own = step == 0 || m.f32()[at] == tx.f32()[at];
        (own ? dx : dg).f32()[at] = slope;
        later = own ? 0 : slope;
      }
    }
    if (gg) gg->add(std::move(dg));
    if (gx) gx->add(std::move(dx));
  });
}

}  // namespace lra::engine
