#include "harness/measure/cores.h"

#include "tests/catch.h"

namespace lra::harness {
namespace {

TEST_CASE("cores: lanes go to free cores, the update divides, the rest does not", "[unit]") {
  // On two threads: 4 + 1 + 1 and 3 + 2 of the lanes; 7 - 6 - 0.5 = 0.5 on one thread alone.
  const StepParts step{{4, 3, 2, 1, 1}, 0.5, 7};
  const auto on = [&step](int cores) { return seconds_on(step, 2, cores); };
  CHECK(on(2) == lra::testing::Approx(7));
  CHECK(on(1) == lra::testing::Approx(11 + 1 + 0.5));
  CHECK(on(3) == lra::testing::Approx(4 + 1.0 / 3 + 0.5));
  CHECK(on(100) == lra::testing::Approx(4 + 0.01 + 0.5));
}

TEST_CASE("cores: a step that took less than its lanes has no rest", "[unit]") {
  CHECK(seconds_on({{2, 2}, 1, 2}, 2, 1) == lra::testing::Approx(4 + 2));
}

}  // namespace
}  // namespace lra::harness
