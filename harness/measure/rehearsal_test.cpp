// What a rehearsal of a run measures, on sequences of one length.

#include "harness/measure/rehearsal.h"

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <vector>

#include "harness/run/measurement.h"
#include "harness/run/spec.h"
#include "tasks/test_support.h"
#include "tests/catch.h"

namespace lra::harness {
namespace {

TEST_CASE("rehearsal: every round repeats the same batches, one of each in no time", "[unit]") {
  const tasks::testing::TempFolder folder;
  std::string rows = "label,text\n";
  for (int i = 10; i < 90; ++i) rows += fmt::format("{},word {}\n", i % 2, i);  // of 7 bytes
  Request request;
  request.task = "file";
  request.preset = "tiny";
  request.settings = {"data.path=" + folder.write("own.csv", rows).string(), "train.batch_size=4",
                      "task.max_length=16"};
  const RunSpec spec = resolve(request);
  const auto rehearsal = rehearse(spec, {{}, 1, 1e-6}, {});
  for (int round = 0; round < 2; ++round) rehearsal->round();
  const Measurement m = measurement_of(rehearsal->result());
  for (const TimedBatches* batches : {&m.train, &m.infer}) {
    REQUIRE(batches->round_ms.size() == 2);
    for (const std::vector<double>& round : batches->round_ms) CHECK(round.size() == 1);
    CHECK(batches->examples == 4);
    CHECK(batches->tokens == std::int64_t{4} * 7);
    CHECK(batches->flops > 0);
    CHECK(batches->seconds() > 0);
  }
  CHECK(m.train.flops > 2 * m.infer.flops);  // forward and backward
  CHECK(m.peak_tensor_bytes > 0);
  CHECK(m.peak_rss_bytes > m.peak_tensor_bytes);
  CHECK(m.machine == machine_text(1));
  CHECK(m.data_sha256.size() == 64);
}

}  // namespace
}  // namespace lra::harness
