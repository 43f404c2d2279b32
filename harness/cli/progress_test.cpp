#include "harness/cli/progress.h"

#include <utility>
#include <vector>

#include "tests/catch.h"

namespace lra::harness::cli {
namespace {

TEST_CASE("progress: seconds are told with their two largest units", "[unit]") {
  const std::vector<std::pair<double, const char*>> told{
      {0.9, "0s"},      {7, "7s"},       {59.9, "59s"},   {60, "1m00s"},    {200, "3m20s"},
      {3599, "59m59s"}, {3600, "1h00m"}, {7500, "2h05m"}, {90000, "25h00m"}};
  for (const auto& [seconds, text] : told) CHECK(describe_seconds(seconds) == text);
}

TEST_CASE("progress: a share is told in percent, an unknown one as a dash", "[unit]") {
  CHECK(describe_share(0.512) == "51.2%");
  CHECK(describe_share(0) == "0.0%");
  CHECK(describe_share(1) == "100.0%");
  CHECK(describe_share(-1) == "-");
}

TEST_CASE("progress: a line has the step, the time left, accuracies, the loss and the speed",
          "[unit]") {
  Progress p;
  p.phase = Progress::Phase::training;
  p.step = 40;
  p.steps = 100;
  p.seconds_left = 12;
  p.val_accuracy = 0.5;
  p.best_accuracy = 0.51;
  p.accuracy = 0.512;
  p.loss = 0.69314;
  p.tokens_per_second = 9000;
  CHECK(describe(p) ==
        "step 40/100  left 12s  val 50.0% (best 51.0%)  acc 51.2%  loss 0.6931  9000 tokens/s");
  p.phase = Progress::Phase::evaluation;
  p.val_accuracy = p.best_accuracy = -1;
  CHECK(describe(p) == "step 40/100  evaluating  val - (best -)");
  p.phase = Progress::Phase::data;
  p.text = "train 32/50";
  CHECK(describe(p) == "train 32/50");
}

}  // namespace
}  // namespace lra::harness::cli
