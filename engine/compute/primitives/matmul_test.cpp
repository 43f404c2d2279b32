#include <algorithm>
#include <cmath>
#include <functional>
#include <span>

#include "engine/compute/primitives/primitives.h"
#include "engine/compute/test_support.h"
#include "engine/testing/testing.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

using namespace primitives;

// [m, k] x [k, n] in double.
Array product(const Tensor& a, const Tensor& b) {
  const Array left = to_array(a);
  const Array right = to_array(b);
  const auto m = static_cast<std::size_t>(a.dim(0));
  const auto k = static_cast<std::size_t>(a.dim(1));
  const auto n = static_cast<std::size_t>(b.dim(1));
  Array c(Shape{a.dim(0), b.dim(1)});
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t l = 0; l < k; ++l) {
      for (std::size_t j = 0; j < n; ++j) {
        c.values[i * n + j] += left.values[i * k + l] * right.values[l * n + j];
      }
    }
  }
  return c;
}

}  // namespace

TEST_CASE("matmul primitive: sizes around vector registers and tiles", "[unit]") {
  for (const DType type : types()) {
    for (const std::int64_t m : {1, 16, 37}) {
      for (const std::int64_t k : {1, 33, 129}) {
        for (const std::int64_t n : {1, 2, 16, 67}) {
          const Tensor a = uniform({m, k}, 1, -1, 1, type);
          const Tensor b = uniform({k, n}, 2, -1, 1, type);
          const Array expected = product(a, b);
          CAPTURE(m, k, n, dtype_name(type));
          const Tensor exact({m, n}, DType::f32);
          primitives::matmul(view(a), view(b), view(exact));
          CHECK(error_of(exact, expected) < 2e-6);
          const Tensor same({m, n}, type);
          primitives::matmul(view(a), view(b), view(same));
          CHECK(error_of(same, expected) < (type == DType::f32 ? 2e-6 : 4e-3));
          // Both operands transposed in memory.
          const Tensor at = transpose_of(a);
          const Tensor bt = transpose_of(b);
          primitives::matmul(transposed(view(at)), transposed(view(bt)), view(exact));
          CHECK(error_of(exact, expected) < 2e-6);
        }
      }
    }
  }
}

TEST_CASE("matmul primitive: parts of larger tensors as operands and result", "[unit]") {
  for (const DType type : types()) {
    const Tensor a = uniform({6, 20}, 1, -1, 1, type);
    const Tensor b = uniform({9, 30}, 2, -1, 1, type);
    const Tensor c = Tensor::full({8, 11}, 7, type);
    const Tensor a_part({4, 5}, type);
    const Tensor b_part({5, 3}, type);
    const View av = narrowed(narrowed(view(a), 0, 1, 4), 1, 10, 5);
    const View bv = narrowed(narrowed(view(b), 0, 2, 5), 1, 20, 3);
    copy(av, view(a_part));
    copy(bv, view(b_part));
    primitives::matmul(av, bv, narrowed(narrowed(view(c), 0, 3, 4), 1, 6, 3));
    const Array expected = product(a_part, b_part);
    const Array result = to_array(c);
    for_each_index(c.shape(), [&](const Index& i) {
      const bool inside = i[0] >= 3 && i[0] < 7 && i[1] >= 6 && i[1] < 9;
      const double want = inside ? expected.at({i[0] - 3, i[1] - 6}) : 7;
      if (std::abs(result.at(i) - want) > 2e-2) FAIL_CHECK("entry " << i[0] << ", " << i[1]);
    });
  }
}

TEST_CASE("matmul primitive: bias and post-operations, in order", "[unit]") {
  for (const DType type : types()) {
    const double bound = type == DType::f32 ? 2e-6 : 5e-3;
    const Tensor a = uniform({7, 5}, 1, -1, 1, type);
    const Tensor b = uniform({5, 3}, 2, -1, 1, type);
    const Tensor bias = uniform({1, 3}, 3, -1, 1);
    const Tensor other = uniform({7, 3}, 4, 0.5, 1, type);
    const Tensor column = uniform({7, 1}, 5, 0.5, 1);
    const Array plain = product(a, b);
    const auto run = [&](std::span<const PostOp> post, const View* with_bias,
                         const std::function<double(double, const Index&)>& f) {
      const Tensor c = uniform({7, 3}, 6, -1, 1, type);
      const Array before = to_array(c);
      primitives::matmul(view(a), view(b), view(c), post, with_bias);
      Array expected = plain;
      for_each_index(c.shape(), [&](const Index& i) {
        double x = plain.at(i);
        if (with_bias != nullptr) x += to_array(bias).at(i);
        if (!post.empty() && post[0].kind == PostOp::Kind::sum) x += before.at(i);
        expected.at(i) = f(x, i);
      });
      CHECK(error_of(c, expected) < bound);
    };
    const View bias_view = view(bias);
    const auto same = [](double x, const Index&) { return x; };
    run({}, &bias_view, same);
    const std::vector<PostOp> add{accumulate()};
    run(add, nullptr, same);
    run(add, &bias_view, same);
    const std::vector<PostOp> rectified{apply(Unary::relu)};
    run(rectified, &bias_view, [](double x, const Index&) { return std::max(0.0, x); });
    const std::vector<PostOp> scaled{apply(Unary::linear, 0.5F, 2.0F), apply(Unary::exp)};
    run(scaled, nullptr, [](double x, const Index&) { return std::exp(0.5 * x + 2); });
    const std::vector<PostOp> two{apply(Binary::sub, view(column)),
                                  apply(Binary::mul, view(other))};
    run(two, nullptr, [&](double x, const Index& i) {
      return (x - to_array(column).at(i)) * to_array(other).at(i);
    });
  }
}

TEST_CASE("matmul primitive: without terms the result is 0, or what it was if it adds", "[unit]") {
  const Tensor a = Tensor::zeros({3, 0});
  const Tensor b = Tensor::zeros({0, 2});
  const Tensor c = Tensor::full({3, 2}, 4);
  const std::vector<PostOp> add{accumulate()};
  primitives::matmul(view(a), view(b), view(c), add);
  CHECK(c.to_floats() == std::vector<float>(6, 4.0F));
  primitives::matmul(view(a), view(b), view(c));
  CHECK(c.to_floats() == std::vector<float>(6, 0.0F));
  // Into a part of a larger tensor: only there.
  const Tensor whole = Tensor::full({3, 4}, 4);
  primitives::matmul(view(a), view(b), narrowed(view(whole), 1, 1, 2));
  CHECK(whole.to_floats() == std::vector<float>{4, 0, 0, 4, 4, 0, 0, 4, 4, 0, 0, 4});
}

}  // namespace lra::engine::testing
