#include "engine/ops/random.h"

#include <utility>

#include "engine/compute/kernels/kernels.h"
#include "engine/ops/internal.h"

namespace lra::engine {

Value dropout(const Value& x, double p, RandomKey key) {
  if (!(p >= 0 && p < 1)) fail(ErrorKind::config, "dropout: got p = {}, expected [0, 1)", p);
  if (p == 0) return x;
  Tensor y(x.shape(), x.dtype());
  kernels::dropout(x.tensor(), y, p, key);
  return Tape::record(std::move(y), {&x}, [p, key, gx = x.gradient()](const Tensor& dy) {
    Tensor dx = ops::reuse(dy);
    kernels::dropout(dy, dx, p, key);
    gx->add(std::move(dx));
  });
}

}  // namespace lra::engine
