#include "engine/compute/kernels/small_products.h"

#include "engine/testing/testing.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

using lra::testing::Approx;

}  // namespace

TEST_CASE("small products: every part, both orders of the left factor, added or set", "[unit]") {
  using kernels::Part;
  constexpr std::int64_t m = 8;
  constexpr std::int64_t K = 11;
  for (const std::int64_t n : {16, 32, 48}) {
    for (const Part part : {Part::all, Part::lower, Part::upper}) {
      for (const bool transposed : {false, true}) {
        for (const bool add : {false, true}) {
          std::vector<float> a = uniform({m, K}, 1, -1, 1).to_floats();
          const std::vector<float> b = uniform({K, n}, 2, -1, 1).to_floats();
          std::vector<float> c = uniform({m, n}, 3, -1, 1).to_floats();
          const auto at = [&](std::int64_t i, std::int64_t k) -> float& {
            return a[static_cast<std::size_t>(transposed ? k * m + i : i * K + k)];
          };
          std::vector<double> expected(c.begin(), c.end());
          for (std::int64_t i = 0; i < m; ++i) {
            for (std::int64_t k = 0; k < K; ++k) {
              if ((part == Part::lower && k > i) || (part == Part::upper && k < i)) at(i, k) = 0;
            }
            for (std::int64_t j = 0; j < n; ++j) {
              double& sum = expected[static_cast<std::size_t>(i * n + j)];
              if (!add) sum = 0;
              for (std::int64_t k = 0; k < K; ++k) {
                sum += double{at(i, k)} * double{b[static_cast<std::size_t>(k * n + j)]};
              }
            }
          }
          kernels::small_product({m, n, K, a.data(), transposed ? 1 : K, transposed ? m : 1,
                                  b.data(), c.data(), add, part});
          for (std::size_t i = 0; i < c.size(); ++i) {
            CHECK(double{c[i]} == Approx(expected[i]).margin(1e-5));
          }
        }
      }
    }
  }
}

TEST_CASE("small transpose: rows become columns", "[unit]") {
  constexpr std::int64_t R = 16;
  constexpr std::int64_t C = 24;
  const std::vector<float> x = uniform({R, C}, 1, -1, 1).to_floats();
  std::vector<float> t(x.size());
  kernels::small_transpose(x.data(), R, C, t.data());
  for (std::int64_t r = 0; r < R; ++r) {
    for (std::int64_t c = 0; c < C; ++c) {
      CHECK(t[static_cast<std::size_t>(c * R + r)] == x[static_cast<std::size_t>(r * C + c)]);
    }
  }
}

}  // namespace lra::engine::testing
