#include "attention/parts/norms.h"

#include "engine/ops.h"

namespace lra::attention {
namespace {

// Keeps the square root's slope finite at 0.
constexpr float kTiny = 1e-30F;

}  // namespace

engine::Value squares_over_heads(const engine::Value& x) {
  const engine::Value own = sum_f32(square(x), 2);      // [H,N,1]
  return expand(sum(own, 0), {x.dim(0), x.dim(1), 1});  // [H,N,1]
}

engine::Value rms_norm_over_heads(const engine::Value& x, float eps) {
  const auto width = static_cast<float>(x.dim(0) * x.dim(2));
  return x / (sqrt(clamp_min(squares_over_heads(x) / width, kTiny)) + eps);
}

engine::Value head_norm(const engine::Value& x, float eps) {
  return x / sqrt(sum_f32(square(x), 2) / static_cast<float>(x.dim(2)) + eps);
}

}  // namespace lra::attention
