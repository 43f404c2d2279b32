#include "results/analysis/scaling.h"

#include <vector>

#include "results/record/testing.h"
#include "tests/catch.h"

using Kind = lra::results::EfficiencyLength::Kind;
using lra::results::BenchRecord;
using lra::results::efficiency_length;
using lra::results::testing::sample_bench;
using lra::testing::Approx;
namespace results = lra::results;

TEST_CASE("scaling: exponents of known growth", "[unit]") {
  const std::vector<BenchRecord> benches{sample_bench("softmax", 2, 50),
                                         sample_bench("linear", 1, 100)};
  const auto groups = results::scaling_groups(benches);
  REQUIRE(groups.size() == 1);
  REQUIRE(groups[0].lines.size() == 2);
  CHECK(groups[0].lines[0].bench->attention.name == "linear");
  CHECK(groups[0].lines[0].time->exponent == Approx(1));
  CHECK(groups[0].lines[1].time->exponent == Approx(2));
  CHECK(groups[0].lines[1].memory->exponent == Approx(2).epsilon(1e-6));
  CHECK(groups[0].baseline->attention.name == "softmax");
  CHECK_FALSE(groups[0].lines[1].ahead.has_value());
  REQUIRE(groups[0].lines[0].ahead);
  CHECK(groups[0].lines[0].ahead->kind == Kind::measured);
  CHECK(groups[0].lines[0].ahead->n == Approx(2048));
}

TEST_CASE("scaling: the efficiency length in every case", "[unit]") {
  const auto softmax = sample_bench("softmax", 2, 50);
  const auto between = efficiency_length(sample_bench("linear", 1, 141.4213562), softmax);
  CHECK(between->kind == Kind::measured);
  CHECK(between->n == Approx(1024 * 2 * 1.4142135).epsilon(1e-6));
  CHECK(efficiency_length(sample_bench("linear", 1, 40), softmax)->kind == Kind::at_once);
  const auto beyond = efficiency_length(sample_bench("linear", 1, 400), softmax);
  CHECK(beyond->kind == Kind::extrapolated);
  CHECK(beyond->n == Approx(8192));
  CHECK(efficiency_length(sample_bench("slow", 2.1, 60), softmax)->kind == Kind::never);
  auto other = sample_bench("linear", 1, 40);
  for (auto& point : other.points) point.n += 1;
  CHECK_FALSE(efficiency_length(other, softmax).has_value());
  other = sample_bench("linear", 1, 100);
  other.points[0].step_ms.reset();  // 1024 is not measured: ahead at the first common length, 2048
  CHECK(efficiency_length(other, softmax)->kind == Kind::at_once);
  CHECK(efficiency_length(other, softmax)->n == 2048);
}

TEST_CASE("scaling: only equal conditions share a picture, the fastest softmax is the baseline",
          "[unit]") {
  std::vector<BenchRecord> benches{sample_bench("softmax", 2, 50), sample_bench("softmax", 2, 30),
                                   sample_bench("softmax", 2, 20, lra::results::BenchMode::infer),
                                   sample_bench("linear", 1, 40)};
  benches[1].attention.options = {R"({"tiled":true})"};
  benches[3].precision = lra::Precision::bf16;
  const auto groups = results::scaling_groups(benches);
  REQUIRE(groups.size() == 3);
  CHECK(groups[0].precision == lra::Precision::bf16);
  CHECK(groups[0].baseline == nullptr);
  CHECK(groups[1].baseline == &benches[1]);
  CHECK(groups[2].mode == lra::results::BenchMode::infer);
}
