#include "models/schedule.h"

#include <cmath>

#include "tests/catch.h"

using lra::models::first_beta;
using lra::models::learning_rate;
using lra::models::TrainConfig;

TEST_CASE("schedule: momentum cycles along onecycle alone", "[unit]") {
  TrainConfig config;
  config.steps = 100;
  config.warmup_steps = 11;
  config.beta1 = 0.9;
  config.cycle_momentum = true;
  for (const char* schedule : {"rsqrt", "rsqrt_normalized", "cosine", "linear", "constant"}) {
    INFO(schedule);
    config.schedule = *lra::enum_of<lra::models::Schedule>(schedule);
    for (const std::int64_t step : {0, 5, 10, 50, 99}) CHECK(first_beta(config, step) == 0.9);
  }
  config.schedule = lra::models::Schedule::onecycle;
  CHECK(first_beta(config, 0) == lra::testing::Approx(0.95));
  CHECK(first_beta(config, 10) == lra::testing::Approx(0.85));
  CHECK(first_beta(config, 99) == lra::testing::Approx(0.95));
  config.cycle_momentum = false;
  CHECK(first_beta(config, 5) == 0.9);
}

// Warm-up of 10 of 110 steps at a rate of 1, by hand.
TEST_CASE("schedule: each one at its corners and between them", "[unit]") {
  TrainConfig config;
  config.lr = 1;
  config.steps = 110;
  config.warmup_steps = 10;
  const auto rate = [&config](const char* schedule, std::int64_t step) {
    config.schedule = *lra::enum_of<lra::models::Schedule>(schedule);
    return learning_rate(config, step);
  };
  const auto close = [](double value) { return lra::testing::Approx(value); };
  for (const char* climbs : {"constant", "linear", "cosine", "rsqrt_normalized"}) {
    CAPTURE(climbs);
    CHECK(rate(climbs, 0) == 0);
    CHECK(rate(climbs, 5) == close(0.5));
    CHECK(rate(climbs, 10) == close(1));
  }
  CHECK(rate("constant", 109) == 1);
  CHECK(rate("linear", 60) == close(0.5));
  CHECK(rate("linear", 110) == 0);
  CHECK(rate("linear", 200) == 0);
  CHECK(rate("cosine", 10 + 55) == close(0.5));       // half of all steps after the warm-up
  CHECK(rate("cosine", 10 + 110) == close(1));        // a new cycle
  CHECK(rate("rsqrt_normalized", 40) == close(0.5));  // sqrt(10 / 40)
  CHECK(rate("rsqrt", 5) == close(0.5 / std::sqrt(10.0)));
  CHECK(rate("rsqrt", 100) == close(0.1));
  CHECK(rate("onecycle", 0) == close(1.0 / 25));
  CHECK(rate("onecycle", 9) == close(1));  // warm-up's last step
  CHECK(rate("onecycle", 59) == close(0.5 + 0.5 / 25e4));
  CHECK(rate("onecycle", 109) == close(1.0 / 25e4));
  config.warmup_steps = 0;
  CHECK(rate("constant", 0) == 1);
  for (const char* falls : {"rsqrt", "rsqrt_normalized"}) {  // by 1 / sqrt(step) from step 1 on
    CAPTURE(falls);
    CHECK(rate(falls, 0) == 1);
    CHECK(rate(falls, 1) == 1);
    CHECK(rate(falls, 4) == close(0.5));
  }
}
