#include "models/optimizer.h"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "engine/base/text.h"
#include "engine/compute/profile.h"
#include "engine/compute/simd.h"
#include "models/schedule.h"

namespace lra::models {
namespace {

constexpr std::int64_t kChunk =
    8192;  // elements per task; fixed, so that sums do not depend on threads

struct AdamStep {
  float lr, beta1, beta2, rest1, rest2, eps, decay, l2, correction1, correction2;
};

// A hand-written loop: oneDNN has no optimiser.
LRA_SIMD void adam(const float* __restrict g, float* __restrict p, float* __restrict m,
                   float* __restrict v, std::int64_t n, AdamStep s) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float gradient = g[i] + s.l2 * p[i];
    m[i] = s.beta1 * m[i] + s.rest1 * gradient;
    v[i] = s.beta2 * v[i] + s.rest2 * gradient * gradient;
    const float step = m[i] * s.correction1 / (std::sqrt(v[i] * s.correction2) + s.eps);
    p[i] -= s.lr * (step + s.decay * p[i]);
  }
}

LRA_SIMD void add_lane(const float* __restrict x, float* __restrict sum, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) sum[i] += x[i];
}

LRA_SIMD void clip_scale(float* x, std::int64_t n, float scale, float limit) {
  for (std::int64_t i = 0; i < n; ++i) x[i] = std::clamp(x[i] * scale, -limit, limit);
}

LRA_SIMD double squares(const float* x, std::int64_t n) {
  std::array<double, 8> sums{};
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (std::size_t j = 0; j < 8; ++j) {
      const double value = x[i + static_cast<std::int64_t>(j)];
      sums[j] += value * value;
    }
  }
  for (; i < n; ++i) sums[0] += static_cast<double>(x[i]) * x[i];
  double total = 0;
  for (const double s : sums) total += s;
  return total;
}

// Adds all lanes into the first, clears the others; returns the gradient's norm.
double reduce(const std::vector<engine::Tensor>& lanes, std::int64_t size) {
  const std::int64_t chunks = (size + kChunk - 1) / kChunk;
  std::vector<double> norms(static_cast<std::size_t>(chunks), 0.0);
  tbb::parallel_for(std::int64_t{0}, chunks, [&](std::int64_t c) {
    const std::int64_t begin = c * kChunk;
    const std::int64_t n = std::min(kChunk, size - begin);
    float* sum = lanes[0].f32() + begin;
    for (std::size_t lane = 1; lane < lanes.size(); ++lane) {
      float* part = lanes[lane].f32() + begin;
      add_lane(part, sum, n);
      std::memset(part, 0, static_cast<std::size_t>(n) * sizeof(float));
    }
    norms[static_cast<std::size_t>(c)] = squares(sum, n);
  });
  double total = 0;
  for (const double n : norms) total += n;
  return std::sqrt(total);
}

AdamStep make_step(const TrainConfig& config, const OptimizerState& state, std::int64_t step,
                   double* beta1_product) {
  const auto t = static_cast<double>(state.updates);
  const double beta1 = first_beta(config, step);
  *beta1_product = std::pow(beta1, t);
  AdamStep s{};
  s.lr = static_cast<float>(learning_rate(config, step));
  s.beta1 = static_cast<float>(beta1);
  s.beta2 = static_cast<float>(config.beta2);
  // 1 - beta in double: in float, 1 - 0.999 has a relative error of 1.3e-5.
  s.rest1 = static_cast<float>(1 - beta1);
  s.rest2 = static_cast<float>(1 - config.beta2);
  s.eps = static_cast<float>(config.eps);
  const bool l2 = config.optimizer == Optimizer::adam_l2;
  s.decay = l2 ? 0.0F : static_cast<float>(config.weight_decay);
  s.l2 = l2 ? static_cast<float>(config.weight_decay) : 0.0F;
  s.correction1 = static_cast<float>(1 / (1 - *beta1_product));
  s.correction2 = static_cast<float>(1 / (1 - std::pow(config.beta2, t)));
  return s;
}

}  // namespace

OptimizerState make_optimizer_state(const engine::Parameters& parameters) {
  const engine::Shape flat{parameters.flat_size()};
  return {engine::Tensor::zeros(flat), engine::Tensor::zeros(flat), 0};
}

UpdateReport update(engine::Parameters& parameters, const std::vector<engine::Tensor>& lanes,
                    OptimizerState& state, const TrainConfig& config, std::int64_t step) {
  const engine::profile::Scope scope("optimiser");
  UpdateReport report;
  report.gradient_norm = reduce(lanes, parameters.flat_size());
  report.learning_rate = learning_rate(config, step);
  if (!std::isfinite(report.gradient_norm)) {
    fail(ErrorKind::numeric, "training: the gradient's norm is {} at step {}",
         number_text(report.gradient_norm), step);
  }
  ++state.updates;
  double beta1_product = 0;
  const AdamStep base = make_step(config, state, step, &beta1_product);
  const bool too_long = config.clip_norm > 0 && report.gradient_norm > config.clip_norm;
  const float scale =
      too_long ? static_cast<float>(config.clip_norm / (report.gradient_norm + 1e-6)) : 1.0F;
  const float limit = config.clip_value > 0 ? static_cast<float>(config.clip_value)
                                            : std::numeric_limits<float>::infinity();
  const auto& entries = parameters.entries();
  tbb::parallel_for(std::size_t{0}, entries.size(), [&](std::size_t e) {
    const auto& entry = entries[e];
    AdamStep s = base;
    if (!entry.decay || entry.slow) s.decay = s.l2 = 0;
    if (entry.slow) s.lr = std::min(s.lr, 1e-3F);
    tbb::parallel_for(tbb::blocked_range<std::int64_t>(0, entry.size, kChunk), [&](const auto& r) {
      const std::int64_t at = entry.offset + r.begin();
      const auto n = static_cast<std::int64_t>(r.size());
      float* g = lanes[0].f32() + at;
      if (scale != 1.0F || std::isfinite(limit)) clip_scale(g, n, scale, limit);
      adam(g, parameters.master().f32() + at, state.m.f32() + at, state.v.f32() + at, n, s);
      std::memset(g, 0, static_cast<std::size_t>(n) * sizeof(float));
    });
  });
  parameters.refresh();
  return report;
}

}  // namespace lra::models
