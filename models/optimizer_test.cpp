// Updates against the published formulas, in double precision.

#include "models/optimizer.h"

#include <cmath>

#include "engine/runtime.h"
#include "tests/catch.h"

namespace lra::models {
namespace {

using engine::Parameters;
using engine::Tensor;

constexpr std::int64_t kSize = 3;
const std::vector<double> kStart{0.5, -1, 2};
const std::vector<double> kGradient{3e-4, -4e-4, 1.2e-3};  // of norm 1.3e-3

struct Updated {
  Parameters parameters;
  OptimizerState state;
  UpdateReport report;
};

TrainConfig constant_rate(double lr) {
  TrainConfig config;
  config.schedule = Schedule::constant;
  config.lr = lr;
  return config;
}

// Updates with the same gradient, half of it in each of two lanes.
std::unique_ptr<Updated> update_with(const TrainConfig& config, int updates,
                                     Parameters::Traits traits = {}) {
  const engine::WorkerScope worker;
  auto u = std::make_unique<Updated>();
  u->parameters.add("p", {kSize}, engine::init::constant(0), traits);
  u->parameters.initialise(1, engine::DType::f32);
  u->state = make_optimizer_state(u->parameters);
  for (std::int64_t i = 0; i < kSize; ++i) {
    u->parameters.master().f32()[i] = static_cast<float>(kStart[static_cast<std::size_t>(i)]);
  }
  const engine::Shape flat{u->parameters.flat_size()};
  const std::vector<Tensor> lanes{Tensor::zeros(flat), Tensor::zeros(flat)};
  for (int step = 0; step < updates; ++step) {
    for (const Tensor& lane : lanes) {
      for (std::int64_t i = 0; i < kSize; ++i) {
        REQUIRE(lane.f32()[i] == 0);  // cleared
        lane.f32()[i] = static_cast<float>(kGradient[static_cast<std::size_t>(i)] / 2);
      }
    }
    u->report = update(u->parameters, lanes, u->state, config, step);
  }
  return u;
}

// Adam with decoupled decay (or the decay in the gradient) in double precision.
std::vector<double> adam(const TrainConfig& config, double lr, int updates, bool decoupled,
                         double scale = 1) {
  std::vector<double> p = kStart;
  for (std::size_t i = 0; i < p.size(); ++i) {
    double m = 0, v = 0;
    for (int t = 1; t <= updates; ++t) {
      const double g = kGradient[i] * scale + (decoupled ? 0 : config.weight_decay * p[i]);
      m = config.beta1 * m + (1 - config.beta1) * g;
      v = config.beta2 * v + (1 - config.beta2) * g * g;
      const double step = m / (1 - std::pow(config.beta1, t)) /
                          (std::sqrt(v / (1 - std::pow(config.beta2, t))) + config.eps);
      p[i] -= lr * (step + (decoupled ? config.weight_decay * p[i] : 0));
    }
  }
  return p;
}

void check_near(const Updated& u, const std::vector<double>& expected) {
  for (std::int64_t i = 0; i < kSize; ++i) {
    CAPTURE(i);
    CHECK(std::abs(double{u.parameters.master().f32()[i]} - expected[static_cast<std::size_t>(i)]) <
          1e-6);
  }
}

TEST_CASE("optimizer: AdamW and Adam with L2 are the formulas' over five updates", "[unit]") {
  TrainConfig config = constant_rate(0.01);
  config.weight_decay = 0.1;
  config.eps = 1e-4;  // of the gradient's size
  const auto w = update_with(config, 5);
  check_near(*w, adam(config, 0.01, 5, true));
  CHECK(std::abs(w->report.gradient_norm - 1.3e-3) < 1e-8);
  CHECK(w->report.learning_rate == 0.01);
  CHECK(w->state.updates == 5);
  config.optimizer = Optimizer::adam_l2;
  check_near(*update_with(config, 5), adam(config, 0.01, 5, false));
}

TEST_CASE("optimizer: no decay where a parameter has none, a slow one at most 1e-3", "[unit]") {
  TrainConfig config = constant_rate(0.01);
  config.weight_decay = 0.1;
  TrainConfig plain = config;
  plain.weight_decay = 0;
  check_near(*update_with(config, 3, {false, false}), adam(plain, 0.01, 3, true));
  check_near(*update_with(config, 3, {true, true}), adam(plain, 1e-3, 3, true));
}

// As torch.nn.utils.clip_grad_norm_: clip / (norm + 1e-6), only where the norm is larger. The
// gradient is small enough for the 1e-6 to count.
TEST_CASE("optimizer: a gradient is clipped by its norm as PyTorch does, or by its values",
          "[unit]") {
  TrainConfig config = constant_rate(0.01);
  const auto first_moment = [&config](std::size_t i) {
    return double{update_with(config, 1)->state.m.f32()[i]} / (1 - config.beta1);
  };
  config.clip_norm = 1e-4;
  const double scale = 1e-4 / (1.3e-3 + 1e-6);
  for (std::size_t i = 0; i < kGradient.size(); ++i) {
    CHECK(std::abs(first_moment(i) / (kGradient[i] * scale) - 1) < 1e-5);
  }
  config.eps = 1e-4;
  check_near(*update_with(config, 4), adam(config, 0.01, 4, true, scale));
  config.clip_norm = 1.4e-3;
  CHECK(std::abs(first_moment(0) / kGradient[0] - 1) < 1e-5);
  config.clip_norm = 0;
  config.clip_value = 5e-4;
  CHECK(std::abs(first_moment(1) / -4e-4 - 1) < 1e-5);
  CHECK(std::abs(first_moment(2) / 5e-4 - 1) < 1e-5);
}

TEST_CASE("optimizer: a gradient that is not finite changes nothing", "[unit]") {
  const engine::WorkerScope worker;
  Parameters parameters;
  parameters.add("p", {2}, engine::init::constant(1));
  parameters.initialise(1, engine::DType::f32);
  OptimizerState state = make_optimizer_state(parameters);
  std::vector<Tensor> lanes{Tensor::zeros({parameters.flat_size()})};
  lanes[0].f32()[1] = std::nanf("");
  CHECK_THROWS_AS(update(parameters, lanes, state, constant_rate(1), 0), Error);
  CHECK(parameters.master().f32()[0] == 1);
  CHECK(parameters.master().f32()[1] == 1);
  CHECK(state.updates == 0);
}

}  // namespace
}  // namespace lra::models
