#include "attention/parts/decays.h"

#include <algorithm>
#include <cmath>

namespace lra::attention {
namespace {

constexpr double kSmallestStep = 1e-3;
constexpr double kLargestStep = 1e-1;
constexpr double kSmallestRate = 1e-4;

}  // namespace

engine::Initialiser step_biases() {
  return [](RandomStream& random, std::span<float> to) {
    for (float& x : to) {
      const double dt =
          kSmallestStep * std::pow(kLargestStep / kSmallestStep, double{random.uniform()});
      x = static_cast<float>(dt + std::log(-std::expm1(-dt)));  // softplus(x) = dt
    }
  };
}

engine::Initialiser log_rates(double low, double high) {
  return [low, high](RandomStream& random, std::span<float> to) {
    for (float& x : to) {
      const double rate = low + (high - low) * double{random.uniform()};
      x = static_cast<float>(std::log(std::max(rate, kSmallestRate)));
    }
  };
}

double plain_softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

}  // namespace lra::attention
