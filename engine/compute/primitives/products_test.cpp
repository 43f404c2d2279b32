#include "engine/compute/primitives/products.h"

#include "engine/compute/primitives/primitives.h"
#include "engine/testing/testing.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

using namespace primitives;

}  // namespace

TEST_CASE("primitives: products count their operations", "[unit]") {
  const Tensor a = uniform({2, 3, 5}, 1, -1, 1);
  const Tensor b = uniform({2, 5, 7}, 1, -1, 1);
  const Tensor c({2, 3, 7}, DType::f32);
  const std::int64_t before = executed_flops();
  primitives::matmul(view(a), view(b), view(c));
  CHECK(executed_flops() - before == 2 * 2 * 3 * 5 * 7);
  add_flops(11);
  CHECK(executed_flops() - before == 420 + 11);
}

TEST_CASE("products: counted by shape while it is asked for, most operations first", "[unit]") {
  const Tensor a = uniform({2, 3, 5}, 1, -1, 1);
  const Tensor b = uniform({2, 5, 7}, 1, -1, 1);
  const Tensor one = uniform({1, 7, 5}, 1, -1, 1);
  const Tensor c({2, 3, 7}, DType::f32);
  primitives::matmul(view(a), view(b), view(c));
  count_products(true);
  for (int i = 0; i < 3; ++i) primitives::matmul(view(a), view(b), view(c));
  primitives::matmul(view(a), transposed(view(one)), view(c));
  count_products(false);
  primitives::matmul(view(a), view(b), view(c));
  const auto counts = counted_products();
  REQUIRE(counts.size() == 2);
  const ProductShape first{2, 3, 7, 5, false, false, false, DType::f32, DType::f32};
  CHECK(counts[0].shape == first);
  CHECK(counts[0].calls == 3);
  CHECK(first.flops() == 2 * 2 * 3 * 7 * 5);
  CHECK(first.bytes() == 4 * (2 * 3 * 5 + 2 * 5 * 7 + 2 * 3 * 7));
  const ProductShape second{2, 3, 7, 5, true, false, true, DType::f32, DType::f32};
  CHECK(counts[1].shape == second);
  CHECK(second.bytes() == 4 * (2 * 3 * 5 + 5 * 7 + 2 * 3 * 7));
  for (const auto& count : counts) CHECK(measure_product(count.shape) > 0);
}

TEST_CASE("products: are cut batches first until they fit into a cache", "[unit]") {
  const ProductShape large{8, 4096, 64, 64, true, false, false, DType::f32, DType::f32};
  const ProductShape cut = fitting(large, 64 << 10);
  CHECK(cut.bytes() <= 64 << 10);
  CHECK(cut.batch == 1);
  CHECK(cut.m == 64);
  CHECK(cut.n == 64);
  CHECK(cut.k == 64);
  CHECK(fitting(cut, 64 << 10) == cut);
  CHECK(fitting(large, 1).bytes() == 12);  // one element of each
  ProductShape gradient;                   // of a weight: few rows and columns, many inner elements
  gradient.m = 64;
  gradient.n = 192;
  gradient.k = 4096;
  const ProductShape shorter = fitting(gradient, 256 << 10);
  CHECK(shorter.m == 64);
  CHECK(shorter.n == 192);
  CHECK(shorter.k == 128);
}

}  // namespace lra::engine::testing
