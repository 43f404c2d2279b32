#include "models/schedule.h"

#include "tests/catch.h"

using lra::models::first_beta;
using lra::models::TrainConfig;

TEST_CASE("schedule: momentum cycles along onecycle alone", "[unit]") {
  TrainConfig config;
  config.steps = 100;
  config.warmup_steps = 11;
  config.beta1 = 0.9;
  config.cycle_momentum = true;
  for (const char* schedule : {"rsqrt", "rsqrt_normalized", "cosine", "linear", "constant"}) {
    INFO(schedule);
    config.schedule = schedule;
    for (const std::int64_t step : {0, 5, 10, 50, 99}) CHECK(first_beta(config, step) == 0.9);
  }
  config.schedule = "onecycle";
  CHECK(first_beta(config, 0) == lra::testing::Approx(0.95));
  CHECK(first_beta(config, 10) == lra::testing::Approx(0.85));
  CHECK(first_beta(config, 99) == lra::testing::Approx(0.95));
  config.cycle_momentum = false;
  CHECK(first_beta(config, 5) == 0.9);
}
