#include "engine/tensor/tensor.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "engine/base/error.h"
#include "engine/base/random.h"
#include "engine/testing/testing.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

using lra::testing::ContainsSubstring;

// The nearest bfloat16 by arithmetic: ties go to the even one.
float nearest_bf16(float x) {
  if (!std::isfinite(x) || x == 0) return x;
  int exponent = 0;
  static_cast<void>(std::frexp(x, &exponent));
  const double spacing = std::ldexp(1.0, exponent - 8);
  return static_cast<float>(std::nearbyint(x / spacing) * spacing);
}

}  // namespace

TEST_CASE("bf16: rounds to nearest, ties to even, over all exponents", "[unit]") {
  RandomStream stream{RandomKey(1)};
  int ties = 0;
  for (int i = 0; i < 200000; ++i) {
    std::uint32_t bits = stream.bits();
    if (i % 4 == 0) bits = (bits & 0xFFFF0000U) | 0x8000U;  // a tie
    const auto x = std::bit_cast<float>(bits);
    // Denormals are compared as zeros where they are flushed.
    if (!std::isnormal(x) || std::abs(x) > 3.3e38F) continue;
    ties += i % 4 == 0 ? 1 : 0;
    const float rounded = to_float(to_bfloat16(x));
    if (rounded != nearest_bf16(x)) {
      CAPTURE(x, rounded);
      REQUIRE(rounded == nearest_bf16(x));
    }
  }
  CHECK(ties > 40000);
}

TEST_CASE("bf16: infinities, overflow, zeros and NaN", "[unit]") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  CHECK(to_float(to_bfloat16(kInfinity)) == kInfinity);
  CHECK(to_float(to_bfloat16(-kInfinity)) == -kInfinity);
  CHECK(to_float(to_bfloat16(std::numeric_limits<float>::max())) == kInfinity);
  CHECK(std::signbit(to_float(to_bfloat16(-0.0F))));
  for (const std::uint32_t bits : {0x7F800001U, 0x7FC00000U, 0xFFFFFFFFU, 0x7F80FFFFU}) {
    CHECK(std::isnan(to_float(to_bfloat16(std::bit_cast<float>(bits)))));
  }
}

TEST_CASE("shape: sizes, axes from either end, text", "[unit]") {
  Shape shape{2, 3, 5};
  CHECK(shape.rank() == 3);
  CHECK(shape.numel() == 30);
  CHECK(shape[0] == 2);
  CHECK(shape[-1] == 5);
  CHECK(shape[-3] == 2);
  CHECK(shape.axis(-2) == 1);
  CHECK(shape.outer(0) == 1);
  CHECK(shape.outer(2) == 6);
  CHECK(shape.inner(0) == 15);
  CHECK(shape.inner(-1) == 1);
  CHECK(shape.text() == "[2, 3, 5]");
  CHECK(Shape{}.numel() == 1);
  CHECK(Shape{}.text() == "[]");
  CHECK(Shape{3, 0}.numel() == 0);
  CHECK(shape == Shape{2, 3, 5});
  CHECK(shape != Shape{2, 3});
  CHECK(shape != Shape{2, 3, 5, 0});
  CHECK(shape != Shape{3, 2, 5});
  shape.set(-1, 7);
  CHECK(shape == Shape{2, 3, 7});
}

TEST_CASE("shape: axes and ranks that are not there are errors", "[unit]") {
  Shape shape{2, 3};
  CHECK_THROWS_WITH(shape[2], ContainsSubstring("axis 2"));
  CHECK_THROWS_AS(shape[-3], Error);
  CHECK_THROWS_AS(shape.set(2, 1), Error);
  CHECK_THROWS_AS(shape.outer(2), Error);
  CHECK_THROWS_AS(Shape{}[0], Error);
  CHECK_NOTHROW(Shape{1, 2, 3, 4, 5, 6});
  CHECK_THROWS_AS((Shape{1, 2, 3, 4, 5, 6, 7}), Error);
}

TEST_CASE("tensor: made from values in every type", "[unit]") {
  const std::vector<float> values{1, -2.5F, 3.14159F, 0};
  const Tensor f = Tensor::from({2, 2}, values);
  CHECK(f.dtype() == DType::f32);
  CHECK(f.to_floats() == values);
  CHECK(f.bytes() == 16);
  const Tensor b = Tensor::from({4}, values, DType::bf16);
  CHECK(b.bytes() == 8);
  CHECK(b.to_floats() == std::vector<float>{1, -2.5F, 3.140625F, 0});
  const Tensor i = Tensor::from_indices({3}, std::vector<std::int32_t>{7, -1, 2});
  CHECK(i.dtype() == DType::i32);
  CHECK(i.to_floats() == std::vector<float>{7, -1, 2});
  CHECK(Tensor::full({3}, 1.5F, DType::bf16).to_floats() == std::vector<float>{1.5F, 1.5F, 1.5F});
  CHECK(Tensor::zeros({2}, DType::bf16).to_floats() == std::vector<float>{0, 0});
  CHECK(Tensor::full({}, 2).to_floats() == std::vector<float>{2});
  CHECK(Tensor::zeros({0, 3}).to_floats().empty());
  CHECK(Tensor::zeros({0, 3}).defined());
  CHECK(!Tensor().defined());
}

TEST_CASE("tensor: values or sizes that do not fit are errors", "[unit]") {
  const std::vector<float> values{1, 2, 3};
  CHECK_THROWS_WITH(Tensor::from({2, 2}, values), ContainsSubstring("[2, 2]"));
  CHECK_THROWS_AS(Tensor::from_indices({2}, std::vector<std::int32_t>{1}), Error);
  CHECK_THROWS_AS(Tensor({-1, 2}, DType::f32), Error);
  CHECK_THROWS_AS(Tensor::zeros({2, -2}), Error);
  const Tensor t = Tensor::from({3}, values);
  CHECK_THROWS_AS(t.reshaped({2}), Error);
  CHECK_THROWS_AS(t.slice(-1, 2), Error);
  CHECK_THROWS_AS(t.slice(2, 2), Error);
  CHECK_THROWS_AS(t.slice(1, -1), Error);
}

TEST_CASE("tensor: reshaped and sliced ones share storage, clones do not", "[unit]") {
  Tensor t = uniform({4, 3}, 1, -1, 1, DType::bf16);
  CHECK(t.unique());
  {
    const Tensor flat = t.reshaped({2, 6});
    CHECK(flat.raw() == t.raw());
    CHECK(!t.unique());
    const Tensor rows = t.slice(1, 2);
    CHECK(rows.shape() == Shape{2, 3});
    CHECK(rows.raw() == t.raw() + 3 * 2);
    CHECK(rows.to_floats()[0] == t.to_floats()[3]);
    CHECK(rows.slice(1, 1).to_floats()[2] == t.to_floats()[8]);
    CHECK(t.slice(4, 0).numel() == 0);
  }
  CHECK(t.unique());
  const Tensor copy = t.clone();
  CHECK(t.unique());
  CHECK(identical(copy, t));
  t.zero();
  CHECK(!identical(copy, t));
  CHECK(t.to_floats() == std::vector<float>(12, 0.0F));
  const Tensor row = copy.slice(2, 1).clone();  // of a slice: only its entries
  CHECK(row.to_floats()[1] == copy.to_floats()[7]);
}

TEST_CASE("dtype: names and sizes", "[unit]") {
  CHECK(std::string(dtype_name(DType::f32)) == "f32");
  CHECK(std::string(dtype_name(DType::bf16)) == "bf16");
  CHECK(std::string(dtype_name(DType::i32)) == "i32");
  CHECK(size_of(DType::f32) == 4);
  CHECK(size_of(DType::bf16) == 2);
  CHECK(size_of(DType::i32) == 4);
}

}  // namespace lra::engine::testing
