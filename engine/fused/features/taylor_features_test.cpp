#include "engine/fused/features/taylor_features.h"

#include <fmt/format.h>

#include <cmath>

#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

// 1, sqrt(scale) x, the products of features at the distances 0, 1, .., D/2 around the circle.
void add_taylor_features(std::int64_t rows, std::int64_t D, float scale) {
  OpCase c;
  c.inputs = {{"x", {2, rows, D}}};
  c.op = [scale](const std::vector<Value>& in) { return taylor_features(in[0], scale); };
  c.definition = [scale, D](const std::vector<Array>& in) {
    const Array& x = in[0];
    Array y(Shape{x.shape[0], x.shape[1], taylor_feature_count(D)});
    for (std::int64_t b = 0; b < x.shape[0]; ++b) {
      for (std::int64_t i = 0; i < x.shape[1]; ++i) {
        y.at({b, i, 0}) = 1;
        for (std::int64_t a = 0; a < D; ++a) {
          y.at({b, i, 1 + a}) = std::sqrt(double{scale}) * x.at({b, i, a});
          for (std::int64_t distance = 0; distance <= D / 2; ++distance) {
            // Squares stand once in s^2 / 2, other pairs twice; half around the circle, as two.
            const bool half = distance == 0 || 2 * distance == D;
            y.at({b, i, 1 + D + distance * D + a}) = double{scale} * std::sqrt(half ? 0.5 : 1.0) *
                                                     x.at({b, i, a}) *
                                                     x.at({b, i, (a + distance) % D});
          }
        }
      }
    }
    return y;
  };
  op_cases().add(fmt::format("taylor_features: of {}", D), c);
}

const bool taylor_features_registered = [] {
  for (const std::int64_t D : {1, 2, 5, 8}) add_taylor_features(3, D, 0.7F);
  return true;
}();

}  // namespace

TEST_CASE("taylor_features: products of features are the expansion of the exponential", "[unit]") {
  for (const std::int64_t D : {1, 2, 3, 4, 7, 16}) {
    CAPTURE(D);
    CHECK(taylor_feature_count(D) % 16 == 0);
    CHECK(taylor_feature_count(D) >= 1 + D + D * (D + 1) / 2);
    const Tensor x = uniform({2, D}, 1, -1, 1);
    constexpr double kScale = 0.6;
    const Tensor f = taylor_features(Value(x), static_cast<float>(kScale)).tensor();
    REQUIRE(f.dim(1) == taylor_feature_count(D));
    double s = 0;
    for (std::int64_t d = 0; d < D; ++d) s += kScale * double{x.f32()[d]} * x.f32()[D + d];
    double product = 0;
    for (std::int64_t m = 0; m < f.dim(1); ++m) {
      product += double{f.f32()[m]} * f.f32()[f.dim(1) + m];
    }
    CHECK(product == lra::testing::Approx(1 + s + s * s / 2).epsilon(1e-5));
  }
}

}  // namespace lra::engine::testing
