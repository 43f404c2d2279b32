#include <cmath>
#include <limits>

#include "engine/compute/kernels/kernels.h"
#include "engine/compute/primitives/primitives.h"
#include "engine/compute/test_support.h"
#include "engine/testing/testing.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

using lra::testing::Approx;

}  // namespace

TEST_CASE("activation kernels: equal oneDNN's and their definitions, any length, in place",
          "[unit]") {
  using primitives::Unary;
  for (const std::int64_t n : {1, 7, 8, 31, 32, 33, 100, 1000}) {
    const Tensor x = uniform({n}, 1, -6, 6);
    const Tensor dy = uniform({n}, 2, -1, 1);
    const Tensor ones = Tensor::full({n}, 1);
    const auto like = [&] { return Tensor({n}, DType::f32); };
    INFO(n << " numbers");
    for (const bool erf : {true, false}) {
      const Unary f = erf ? Unary::gelu_erf : Unary::gelu_tanh;
      const kernels::Gelu form = erf ? kernels::Gelu::erf : kernels::Gelu::tanh;
      const Tensor y = like(), slope = like(), expected = like(), expected_slope = like();
      primitives::unary(f, x, expected);
      primitives::unary_backward(f, x, ones, expected_slope);
      kernels::gelu(form, x, y, slope);
      CHECK(distance(y, expected) < 2e-6);
      CHECK(distance(slope, expected_slope) < 4e-6);
      const Tensor place = x.clone();
      kernels::gelu(form, place, y, place);
      CHECK(identical(place, slope));
      kernels::gelu(form, x, place, {});
      CHECK(identical(place, y));
      for (std::int64_t i = 0; i < n; ++i) {
        const double v = x.f32()[i];
        const double root = std::sqrt(2 / std::acos(-1.0));
        const double u = root * (v + 0.044715 * v * v * v);
        const double phi = erf ? 0.5 * std::erfc(-v / std::sqrt(2.0)) : 1 / (1 + std::exp(-2 * u));
        const double density = erf ? 0.5 * root * std::exp(-v * v / 2)
                                   : 2 * phi * (1 - phi) * root * (1 + 3 * 0.044715 * v * v);
        CHECK(y.f32()[i] == Approx(v * phi).epsilon(3e-7).margin(4e-7));
        CHECK(slope.f32()[i] == Approx(phi + v * density).epsilon(3e-7).margin(4e-7));
      }
    }
    const Tensor y = like(), dx = like();
    kernels::exponentiate(x, y);
    for (std::int64_t i = 0; i < n; ++i) {
      CHECK(y.f32()[i] == Approx(std::exp(double{x.f32()[i]})).epsilon(3e-7));
    }
    kernels::elu_plus_one(x, y);
    kernels::elu_plus_one_backward(y, dy, dx);
    for (std::int64_t i = 0; i < n; ++i) {
      const double v = x.f32()[i];
      CHECK(y.f32()[i] == Approx(v > 0 ? v + 1 : std::exp(v)).epsilon(3e-7));
      CHECK(dx.f32()[i] == Approx(dy.f32()[i] * (v > 0 ? 1 : std::exp(v))).epsilon(3e-7));
    }
  }
}

TEST_CASE("activation kernels: far arguments and NaN", "[unit]") {
  const float inf = std::numeric_limits<float>::infinity();
  const Tensor x = Tensor::from({7}, std::vector<float>{-1e30F, -200, -87, 0, 60, -inf, NAN});
  const Tensor y({7}, DType::f32);
  const Tensor slope({7}, DType::f32);
  kernels::exponentiate(x, y);
  const std::vector<float> e = y.to_floats();
  CHECK(std::vector<float>(e.begin(), e.begin() + 4) == std::vector<float>{0, 0, 0, 1});
  CHECK(e[4] == Approx(std::exp(60.0)).epsilon(3e-7));
  CHECK(e[5] == 0);
  CHECK(std::isnan(e[6]));
  for (const kernels::Gelu form : {kernels::Gelu::erf, kernels::Gelu::tanh}) {
    kernels::gelu(form, x, y, slope);
    CHECK(std::abs(y.f32()[1]) < 1e-30F);
    CHECK(std::abs(slope.f32()[1]) < 1e-25F);
    CHECK(y.f32()[4] == 60);
    CHECK(slope.f32()[4] == 1);
    CHECK(std::isnan(y.f32()[6]));
  }
  kernels::elu_plus_one(x, y);
  CHECK(y.f32()[0] == 0);
  CHECK(y.f32()[4] == 61);
  CHECK(std::isnan(y.f32()[6]));
}

}  // namespace lra::engine::testing
