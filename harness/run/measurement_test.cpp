// A measurement's times as the speeds of a record.

#include "harness/run/measurement.h"

#include "tests/catch.h"

namespace lra::harness {
namespace {

using lra::testing::Approx;

TEST_CASE("measurement: speeds are those of all rounds together", "[unit]") {
  Measurement m;
  m.train = {{{10, 30}, {20, 40}}, 8, 200, 5000};  // two rounds of two steps: 100 ms
  m.infer = {{{5}, {15}}, 4, 40, 6000};
  m.peak_tensor_bytes = 7;
  m.peak_rss_bytes = 9;
  results::Record record;
  m.fill(record);
  CHECK(m.train.seconds() == Approx(0.1));
  CHECK(record.speed.train_steps_per_second.value() == Approx(4 / 0.1));
  CHECK(record.speed.train_examples_per_second.value() == Approx(2 * 8 / 0.1));
  CHECK(record.speed.train_tokens_per_second.value() == Approx(2 * 200 / 0.1));
  CHECK(record.speed.infer_examples_per_second.value() == Approx(2 * 4 / 0.02));
  CHECK(record.speed.infer_tokens_per_second.value() == Approx(2 * 40 / 0.02));
  CHECK(record.speed.train_step_ms.value().median == Approx(25));
  CHECK(record.speed.train_step_ms.value().count == 4);
  CHECK(record.speed.infer_batch_ms.value().median == Approx(10));
  CHECK(record.speed.measured == results::Timing::exclusive);
  CHECK(record.cost.infer_flops_per_token.value() == Approx(150));
  CHECK(record.memory.peak_tensor_bytes == 7);
  CHECK(record.memory.peak_rss_bytes == 9);
}

TEST_CASE("measurement: of no batches there is no speed", "[unit]") {
  const TimedBatches none{{{}, {}}, 4, 40, 6000};
  CHECK(none.seconds() == 0);
  CHECK_FALSE(none.per_second(4).has_value());
  CHECK_FALSE(none.quantiles().has_value());
}

}  // namespace
}  // namespace lra::harness
