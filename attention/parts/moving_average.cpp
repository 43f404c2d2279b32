#include "attention/parts/moving_average.h"

#include <cmath>

#include "engine/fused/scan/state_space.h"

namespace lra::attention {
namespace {

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

}  // namespace

void MovingAverage::options(OptionTable& table) {
  table.integer("ndim", h_, 1, 1024, "h, states of the moving average of a feature");
}

void MovingAverage::build(const ParameterBuilder& p, const std::string& prefix, std::int64_t width,
                          bool bidirectional) {
  prefix_ = prefix;
  bidirectional_ = bidirectional;
  const Shape shape{bidirectional ? 2 * width : width, h_};
  const auto alternating = [h = h_](RandomStream& random, std::span<float> beta) {
    for (std::size_t i = 0; i < beta.size(); ++i) {
      const bool even = static_cast<std::int64_t>(i) % h % 2 == 0;
      beta[i] = (even ? 1.0F : -1.0F) + 0.02F * static_cast<float>(random.normal());
    }
  };
  delta_ = p.add(prefix + "delta", shape, engine::init::normal(0, 0.2F));
  alpha_ = p.add(prefix + "alpha", shape, engine::init::normal(0, 0.2F));
  beta_ = p.add(prefix + "beta", shape, alternating);
  gamma_ = p.add(prefix + "gamma", shape, engine::init::normal(0, 1));
  omega_ = p.add(prefix + "omega", {width}, engine::init::normal(0, 1));
}

Value MovingAverage::operator()(const Value& x, std::int64_t n) const {
  const std::int64_t directions = bidirectional_ ? 2 : 1;
  const Value p = sigmoid(delta_.value_f32());
  const Value a = 1.0F - p * sigmoid(alpha_.value_f32());
  const Value c = p * beta_.value_f32() * gamma_.value_f32() / std::sqrt(static_cast<float>(h_));
  const auto of_directions = [&](const Value& numbers) {
    return engine::split(engine::reshape(numbers, {directions, x.dim(1), h_}), directions);
  };
  const std::vector<Value> as = of_directions(a);  // [1,E,h] each
  const std::vector<Value> cs = of_directions(c);
  Value y =
      x * cast(omega_.value(), x.dtype()) + engine::state_space(x, as[0], cs[0], {.length = n});
  if (bidirectional_) {
    y = y + engine::state_space(x, as[1], cs[1], {.length = n, .reverse = true});
  }
  return silu(y);
}

Plain MovingAverage::define(const PlainInputs& in, const Plain& x) const {
  const auto number = [&](const char* name, std::int64_t row, std::int64_t state) {
    return in.parameters.at(prefix_ + name)(row, state);
  };
  const std::int64_t n = x.dim(0);
  const std::int64_t E = x.dim(1);
  Plain y(x.shape);
  for (std::int64_t e = 0; e < E; ++e) {
    for (std::int64_t direction = 0; direction < (bidirectional_ ? 2 : 1); ++direction) {
      const std::int64_t row = direction * E + e;
      for (std::int64_t state = 0; state < h_; ++state) {
        const double p = logistic(number("delta", row, state));
        const double a = 1 - p * logistic(number("alpha", row, state));
        double s = 0;
        for (std::int64_t step = 0; step < n; ++step) {
          const std::int64_t t = direction == 0 ? step : n - 1 - step;
          s = a * s + p * number("beta", row, state) * x(t, e);
          y(t, e) += number("gamma", row, state) * s / std::sqrt(static_cast<double>(h_));
        }
      }
    }
    for (std::int64_t t = 0; t < n; ++t) {
      y(t, e) += in.parameters.at(prefix_ + "omega")(e) * x(t, e);
      y(t, e) *= logistic(y(t, e));
    }
  }
  return y;
}

}  // namespace lra::attention
