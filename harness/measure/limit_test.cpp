#include "harness/measure/limit.h"

#include <algorithm>

#include "tests/catch.h"

namespace lra::harness {
namespace {

using engine::primitives::ProductCount;
using engine::primitives::ProductShape;

ProductShape square(std::int64_t size) {
  ProductShape shape;
  shape.m = shape.n = shape.k = size;
  return shape;
}

TEST_CASE("limit: products and traffic go on at once, the longer one counts", "[unit]") {
  const std::vector<ProductCount> products{{square(10), 3}, {square(5), 4}};
  const MachineRates rates{{1000, 500}, 100};
  const StepLimit computes = step_limit(products, 10, rates);
  CHECK(computes.products == lra::testing::Approx(3 * 2000.0 / 1000 + 4 * 250.0 / 500));
  CHECK(computes.traffic == lra::testing::Approx(0.1));
  CHECK(computes.seconds() == computes.products);
  const StepLimit moves = step_limit(products, 10000, rates);
  CHECK(moves.seconds() == lra::testing::Approx(100));
}

TEST_CASE("limit: bytes of weights, gradients, moments, and of activations too large for a cache",
          "[unit]") {
  CHECK(step_traffic(false, 1000, 8, 32, 1 << 30) == 4000);
  CHECK(step_traffic(true, 1000, 8, 32, 1000) == 4000 * (6 + 16));
  const std::int64_t large = std::int64_t{1} << 30;
  CHECK(step_traffic(true, 1000, 8, 32, large) == 4000 * (6 + 16) + 2 * 32 * large);
}

TEST_CASE("limit: rates of all threads are measured, small products get the others' mean",
          "[unit]") {
  Workers workers(2);
  const std::vector<ProductCount> products{{square(64), 100}, {square(48), 100}, {square(2), 1}};
  const MachineRates rates = measure_rates(workers, products);
  REQUIRE(rates.products.size() == 3);
  for (const double rate : rates.products) CHECK(rate > 1e6);
  CHECK(rates.products[2] >= std::min(rates.products[0], rates.products[1]));
  CHECK(rates.products[2] <= std::max(rates.products[0], rates.products[1]));
  CHECK(rates.bandwidth > 1e6);
}

}  // namespace
}  // namespace lra::harness
