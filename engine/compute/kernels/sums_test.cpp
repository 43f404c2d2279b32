#include <cmath>
#include <limits>

#include "engine/compute/kernels/kernels.h"
#include "engine/testing/testing.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

using lra::testing::Approx;

}  // namespace

TEST_CASE("add_to: every pair of types, every length around a vector register", "[unit]") {
  for (const std::int64_t n : {0, 1, 15, 16, 17, 67}) {
    for (const DType from : {DType::f32, DType::bf16}) {
      for (const DType to : {DType::f32, DType::bf16}) {
        const Tensor x = uniform({n}, 1, -1, 1, from);
        const Tensor y = uniform({n}, 2, -1, 1, to);
        Array expected = to_array(y);
        for (std::size_t i = 0; i < expected.values.size(); ++i) {
          expected.values[i] += static_cast<double>(x.to_floats()[i]);
        }
        kernels::add_to(x, y);
        CHECK(error(to_array(y).values, expected.values, 1) <= (to == DType::f32 ? 1e-7 : 4e-3));
      }
    }
  }
}

TEST_CASE("column_sums: any number of rows and columns, added or anew", "[unit]") {
  for (const DType type : {DType::f32, DType::bf16}) {
    for (const std::int64_t R : {0, 1, 3, 4, 63, 64, 65, 1000}) {
      for (const std::int64_t C : {1, 5, 16, 40}) {
        const Tensor x = uniform({R, C}, 1, -1, 1, type);
        const std::vector<float> values = x.to_floats();
        std::vector<double> expected(static_cast<std::size_t>(C), 0.0);
        for (std::size_t i = 0; i < values.size(); ++i) {
          expected[i % static_cast<std::size_t>(C)] += double{values[i]};
        }
        const Tensor sum = Tensor::full({C}, 2);
        kernels::column_sums(x, false, sum.f32());
        CHECK(error(to_array(sum).values, expected, 1) <= 1e-5);
        kernels::column_sums(x, true, sum.f32());
        for (double& e : expected) e *= 2;
        CHECK(error(to_array(sum).values, expected, 1) <= 2e-5);
      }
    }
  }
  // Rounding grows with the partial sums, not with the rows: 2^20 times 0.1 in f32.
  const Tensor many = Tensor::full({1 << 20, 1}, 0.1F);
  float sum = 0;
  kernels::column_sums(many, false, &sum);
  CHECK(sum == Approx((1 << 20) * double{0.1F}).epsilon(1e-3));
}

TEST_CASE("cumulative sum kernel: along the middle axis, from either end", "[unit]") {
  const Tensor x =
      Tensor::from({2, 3, 2}, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  const Tensor y({2, 3, 2}, DType::f32);
  kernels::cumulative_sum(x, 2, 3, 2, false, y);
  CHECK(y.to_floats() == std::vector<float>{1, 2, 4, 6, 9, 12, 7, 8, 16, 18, 27, 30});
  kernels::cumulative_sum(x, 2, 3, 2, true, y);
  CHECK(y.to_floats() == std::vector<float>{9, 12, 8, 10, 5, 6, 27, 30, 20, 22, 11, 12});
  kernels::cumulative_sum(x, 1, 12, 1, false, y);
  CHECK(y.to_floats()[11] == 78);
}

TEST_CASE("softmax backward kernel: equals the definition, in place too, short rows and long",
          "[unit]") {
  for (const std::int64_t n : {1, 5, 8, 37, 300}) {
    for (const bool log : {false, true}) {
      INFO(n << (log ? " log" : ""));
      const std::int64_t rows = 3;
      const Tensor y = uniform({rows, n}, 1, log ? -5 : 0, log ? -0.01 : 1, DType::f32);
      const Tensor dy = uniform({rows, n}, 2, -1, 1, DType::f32);
      const Tensor in_place = dy.clone();
      kernels::softmax_backward(log, y, in_place, in_place);
      const Tensor apart({rows, n}, DType::f32);
      kernels::softmax_backward(log, y, dy, apart);
      for (std::int64_t r = 0; r < rows; ++r) {
        double sum = 0;
        for (std::int64_t j = r * n; j < (r + 1) * n; ++j) {
          sum += (log ? 1.0 : double{y.f32()[j]}) * dy.f32()[j];
        }
        for (std::int64_t j = r * n; j < (r + 1) * n; ++j) {
          const double expected = log ? dy.f32()[j] - std::exp(double{y.f32()[j]}) * sum
                                      : y.f32()[j] * (dy.f32()[j] - sum);
          CHECK(in_place.f32()[j] == Approx(expected).margin(1e-5));
          CHECK(apart.f32()[j] == Approx(expected).margin(1e-5));
        }
      }
    }
  }
}

TEST_CASE("sum_of_squares: in double, any length and type", "[unit]") {
  for (const std::int64_t n : {0, 1, 16, 33, 1000}) {
    for (const DType type : {DType::f32, DType::bf16}) {
      const Tensor x = uniform({n}, 1, -3, 3, type);
      double expected = 0;
      for (const float v : x.to_floats()) expected += static_cast<double>(v) * v;
      CHECK(kernels::sum_of_squares(x) == Approx(expected).epsilon(1e-12));
    }
  }
  CHECK(kernels::sum_of_squares(Tensor::full({2}, 3e38F)) > 1e77);  // beyond f32
}

TEST_CASE("has_nonfinite: finds NaN and infinities anywhere", "[unit]") {
  for (const DType type : {DType::f32, DType::bf16}) {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
          -std::numeric_limits<float>::infinity()}) {
      for (const std::size_t at : {0U, 17U, 66U}) {
        std::vector<float> values(67, 1.0F);
        CHECK(!kernels::has_nonfinite(Tensor::from({67}, values, type)));
        values[at] = bad;
        CHECK(kernels::has_nonfinite(Tensor::from({67}, values, type)));
      }
    }
    CHECK(!kernels::has_nonfinite(Tensor::zeros({0}, type)));
  }
}

}  // namespace lra::engine::testing
