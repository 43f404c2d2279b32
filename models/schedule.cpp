#include "models/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lra::models {
namespace {

// Position in onecycle: 0..1 while rising, 1..2 while falling.
double cycle_position(const TrainConfig& config, double s) {
  const auto peak = std::max(1.0, static_cast<double>(config.warmup_steps) - 1);
  const auto last = static_cast<double>(config.steps) - 1;
  if (s <= peak) return s / peak;
  return 1 + std::min(1.0, (s - peak) / std::max(1.0, last - peak));
}

}  // namespace

double learning_rate(const TrainConfig& config, std::int64_t step) {
  const auto s = static_cast<double>(step);
  const auto w = static_cast<double>(config.warmup_steps);
  const auto T = static_cast<double>(config.steps);
  const double warm = w > 0 ? std::min(1.0, s / w) : 1.0;
  if (config.schedule == Schedule::rsqrt) {
    return config.lr * warm / std::sqrt(std::max({s, w, 1.0}));
  }
  if (config.schedule == Schedule::rsqrt_normalized) {
    return config.lr * warm * std::sqrt(std::max(w, 1.0)) / std::sqrt(std::max({s, w, 1.0}));
  }
  if (config.schedule == Schedule::cosine) {
    const double progress = std::fmod(std::max(0.0, s - w) / T, 1.0);
    return config.lr * warm * std::max(0.0, 0.5 * (1 + std::cos(std::numbers::pi * progress)));
  }
  if (config.schedule == Schedule::cosine_floor) {
    if (s < w) return config.lr * warm;
    const double progress = std::min(1.0, (s - w) / std::max(1.0, T - w));
    const double half = 0.5 * (1 + std::cos(std::numbers::pi * progress));
    return config.lr_floor + (config.lr - config.lr_floor) * half;
  }
  if (config.schedule == Schedule::onecycle) {
    const double at = cycle_position(config, s);
    const double low = config.lr / 25;
    if (at <= 1) return low + (config.lr - low) * at;
    return config.lr + (low / 1e4 - config.lr) * (at - 1);
  }
  if (config.schedule == Schedule::linear && s > w) {
    return config.lr * std::max(0.0, (T - s) / std::max(1.0, T - w));
  }
  return config.lr * warm;
}

double first_beta(const TrainConfig& config, std::int64_t step) {
  if (!config.cycle_momentum || config.schedule != Schedule::onecycle) return config.beta1;
  const double at = cycle_position(config, static_cast<double>(step));
  return at <= 1 ? 0.95 - 0.1 * at : 0.85 + 0.1 * (at - 1);
}

}  // namespace lra::models
