#include "engine/compute/kernels/kernels.h"
#include "engine/compute/primitives/primitives.h"
#include "engine/compute/test_support.h"
#include "engine/testing/testing.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

using lra::testing::Approx;

}  // namespace

TEST_CASE("zero_rows: the rows from n on of every matrix, and only those", "[unit]") {
  for (const DType type : {DType::f32, DType::bf16}) {
    const Tensor x = Tensor::full({2, 3, 2}, 5, type);
    kernels::zero_rows(x, 2);
    CHECK(x.to_floats() == std::vector<float>{5, 5, 5, 5, 0, 0, 5, 5, 5, 5, 0, 0});
    kernels::zero_rows(x, 3);
    CHECK(x.to_floats()[0] == 5);
    kernels::zero_rows(x, 0);
    CHECK(x.to_floats() == std::vector<float>(12, 0.0F));
    CHECK_NOTHROW(kernels::zero_rows(Tensor::zeros({3, 0}, type), 1));
    CHECK_NOTHROW(kernels::zero_rows(Tensor::zeros({0, 3}, type), 1));
  }
}

TEST_CASE("swap_axes: every row once, long axis first or last, any width", "[unit]") {
  for (const DType type : {DType::f32, DType::bf16}) {
    for (const std::int64_t D : {1, 3, 8, 16, 32, 33, 64}) {
      for (const auto& [A, B] : {std::pair<int, int>{5, 2}, {2, 5}, {1, 7}, {4, 4}, {0, 3}}) {
        const Tensor x = uniform({A, B, D}, 1, -1, 1, type);
        const Tensor y({B, A, D}, type);
        kernels::swap_axes(x, y);
        const Array from = to_array(x);
        const Array to = to_array(y);
        bool equal = true;
        for (std::int64_t a = 0; a < A; ++a) {
          for (std::int64_t b = 0; b < B; ++b) {
            for (std::int64_t d = 0; d < D; ++d)
              equal = equal && to.at({b, a, d}) == from.at({a, b, d});
          }
        }
        CHECK(equal);
      }
    }
  }
}

TEST_CASE("embed: rows of the table plus positions, zero rows behind", "[unit]") {
  const Tensor table = Tensor::from({3, 2}, std::vector<float>{1, 2, 10, 20, 100, 200});
  const Tensor positions = Tensor::from({3, 2}, std::vector<float>{0.5F, 0, 0.25F, 0, 9, 9});
  const std::vector<std::int32_t> ids{2, 0};
  for (const DType type : {DType::f32, DType::bf16}) {
    const Tensor y = Tensor::full({4, 2}, -1, type);
    kernels::embed(table, positions, ids, y);
    CHECK(y.to_floats() == std::vector<float>{100.5F, 200, 1.25F, 2, 0, 0, 0, 0});
    kernels::embed(table, Tensor(), ids, y);
    CHECK(y.to_floats() == std::vector<float>{100, 200, 1, 2, 0, 0, 0, 0});
    const Tensor dy = Tensor::from({4, 2}, std::vector<float>{1, 2, 3, 4, 7, 7, 7, 7}, type);
    const Tensor dtable = Tensor::full({3, 2}, 1);
    const Tensor dpositions = Tensor::zeros({3, 2});
    kernels::embed_backward(dy, ids, dtable, dpositions);
    CHECK(dtable.to_floats() == std::vector<float>{4, 5, 1, 1, 2, 3});
    CHECK(dpositions.to_floats() == std::vector<float>{1, 2, 3, 4, 0, 0});
    kernels::embed_backward(dy, ids, dtable, Tensor());
    CHECK(dtable.to_floats() == std::vector<float>{7, 9, 1, 1, 3, 5});
  }
}

TEST_CASE("layer norm kernel: equals oneDNN's, any number of rows and columns", "[unit]") {
  for (const std::int64_t rows : {1, 3, 4, 67, 130}) {
    for (const std::int64_t C : {1, 5, 8, 64, 77}) {
      INFO(rows << " rows of " << C);
      const Tensor x = uniform({rows, C}, 1, -2, 3);
      const Tensor dy = uniform({rows, C}, 2, -1, 1);
      const Tensor gamma = uniform({C}, 3, 0.5, 1.5);
      const Tensor beta = uniform({C}, 4, -1, 1);
      struct Result {
        Tensor y, mean, variance, dx, dgamma, dbeta;
      };
      const auto make = [&] {
        return Result{Tensor({rows, C}, DType::f32), Tensor({rows}, DType::f32),
                      Tensor({rows}, DType::f32),    Tensor({rows, C}, DType::f32),
                      Tensor({C}, DType::f32),       Tensor({C}, DType::f32)};
      };
      const Result a = make();
      const Result b = make();
      kernels::layer_norm(x, gamma, beta, 0.1F, a.y, a.mean, a.variance);
      kernels::layer_norm_backward(x, gamma, a.mean, a.variance, 0.1F, dy, a.dx, a.dgamma, a.dbeta);
      primitives::layer_norm(x, gamma, beta, 0.1F, b.y, b.mean, b.variance);
      primitives::layer_norm_backward(x, gamma, b.mean, b.variance, 0.1F, dy, b.dx, b.dgamma,
                                      b.dbeta);
      CHECK(distance(a.y, b.y) < 2e-6);
      CHECK(distance(a.mean, b.mean) < 2e-6);
      CHECK(distance(a.variance, b.variance) < 2e-6);
      // A row of one number has no gradient: what is there is rounding.
      const double scale = C == 1 ? largest(to_array(dy).values) : largest(to_array(b.dx).values);
      CHECK(error(to_array(a.dx).values, to_array(b.dx).values, scale) < 4e-6);
      CHECK(distance(a.dgamma, b.dgamma) < 4e-6);
      CHECK(distance(a.dbeta, b.dbeta) < 4e-6);
    }
  }
}

TEST_CASE("division kernel: rows over their divisors, and back", "[unit]") {
  for (const std::int64_t C : {2, 8, 13, 32}) {
    const Tensor x = uniform({2, 5, C}, 1, -1, 1);
    const Tensor d = uniform({2, 5, 1}, 2, 0.5, 2);
    const Tensor dy = uniform({2, 5, C}, 3, -1, 1);
    const Tensor y(x.shape(), DType::f32), dx(x.shape(), DType::f32), dd(d.shape(), DType::f32);
    kernels::divide_rows(x, d, y);
    kernels::divide_rows_backward(y, d, dy, dx, dd);
    for (std::int64_t r = 0; r < 10; ++r) {
      double sum = 0;
      const double divisor = d.f32()[r];
      for (std::int64_t c = r * C; c < (r + 1) * C; ++c) {
        CHECK(y.f32()[c] == Approx(x.f32()[c] / divisor).epsilon(3e-7));
        CHECK(dx.f32()[c] == Approx(dy.f32()[c] / divisor).epsilon(3e-7));
        sum -= double{dy.f32()[c]} * y.f32()[c] / divisor;
      }
      CHECK(dd.f32()[r] == Approx(sum).margin(2e-6));
    }
  }
}

}  // namespace lra::engine::testing
