#include "engine/compute/primitives/primitives.h"

#include <algorithm>

#include "engine/base/error.h"
#include "engine/compute/test_support.h"
#include "engine/testing/testing.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

using lra::testing::ContainsSubstring;
using namespace primitives;

}  // namespace

TEST_CASE("views: strides of reshaped, transposed, permuted and narrowed tensors", "[unit]") {
  const Tensor x = uniform({2, 3, 5}, 1, -1, 1, DType::bf16);
  const View v = view(x);
  CHECK(v.rank == 3);
  CHECK(v.strides[0] == 15);
  CHECK(v.strides[2] == 1);
  const View t = transposed(v);
  CHECK(t.dims[1] == 5);
  CHECK(t.strides[1] == 1);
  CHECK(t.strides[2] == 5);
  const std::vector<int> axes{2, 0, 1};
  const View p = permuted(v, axes);
  CHECK(p.dims[0] == 5);
  CHECK(p.strides[1] == 15);
  const View n = narrowed(v, -2, 1, 2);
  CHECK(n.dims[1] == 2);
  CHECK(n.data == x.raw() + 5 * 2);
  CHECK(view(x, Shape{30}).rank == 1);
}

TEST_CASE("binary primitive: every operation, mixed types, in place, broadcast", "[unit]") {
  using F = double (*)(double, double);
  const std::vector<std::pair<Binary, F>> operations{
      {Binary::add, [](double a, double b) { return a + b; }},
      {Binary::sub, [](double a, double b) { return a - b; }},
      {Binary::mul, [](double a, double b) { return a * b; }},
      {Binary::div, [](double a, double b) { return a / b; }},
      {Binary::max, [](double a, double b) { return std::max(a, b); }},
      {Binary::min, [](double a, double b) { return std::min(a, b); }},
      {Binary::greater_equal, [](double a, double b) { return a >= b ? 1.0 : 0.0; }}};
  for (const auto& [op, f] : operations) {
    for (const DType type_a : types()) {
      for (const DType type_b : types()) {
        for (const Shape& shape : {Shape{3, 19}, Shape{3, 1}, Shape{1, 19}, Shape{1, 1}}) {
          const Tensor a = uniform({3, 19}, 1, 0.5, 2, type_a);
          const Tensor b = uniform(shape, 2, 0.5, 2, type_b);
          Array expected = to_array(a);
          for_each_index(expected.shape, [&](const Index& i) {
            expected.at(i) = f(expected.at(i), to_array(b).at(i));
          });
          const Tensor c({3, 19}, type_a);
          primitives::binary(op, a, b, c);
          CHECK(error_of(c, expected) < (type_a == DType::f32 ? 2e-7 : 4e-3));
          primitives::binary(op, a, b, a);
          CHECK(identical(a, c));
        }
      }
    }
  }
}

TEST_CASE("softmax primitive: f32 logits give bf16 weights", "[unit]") {
  if (!bf16_works()) return;
  const Tensor x = uniform({3, 20}, 1, -4, 4);
  const Tensor full({3, 20}, DType::f32);
  const Tensor half({3, 20}, DType::bf16);
  primitives::softmax(SoftmaxKind::softmax, x, full);
  primitives::softmax(SoftmaxKind::softmax, x, half);
  CHECK(error_of(half, to_array(full)) < 4e-3);
}

TEST_CASE("reduce_rows: sums and maxima of rows", "[unit]") {
  const Tensor x = Tensor::from({2, 3}, std::vector<float>{1, 5, 2, -7, -1, -2});
  const Tensor y({2, 1}, DType::f32);
  reduce_rows(Reduction::sum, x, y);
  CHECK(y.to_floats() == std::vector<float>{8, -10});
  reduce_rows(Reduction::max, x, y);
  CHECK(y.to_floats() == std::vector<float>{5, -1});
  CHECK_NOTHROW(reduce_rows(Reduction::sum, Tensor::zeros({2, 0}), y));
}

TEST_CASE("primitives: operands that do not fit are shape errors", "[unit]") {
  const Tensor a = uniform({3, 5}, 1, -1, 1);
  const Tensor b = uniform({3, 4}, 1, -1, 1);
  const Tensor row = uniform({5}, 1, -1, 1);
  CHECK_THROWS_AS(primitives::matmul(view(a), view(a), view(a)), Error);
  CHECK_THROWS_AS(primitives::unary(Unary::exp, a, b), Error);
  CHECK_THROWS_AS(unary_backward(Unary::exp, a, a, b), Error);
  CHECK_THROWS_AS(primitives::binary(Binary::add, a, b, a), Error);
  CHECK_THROWS_AS(primitives::binary(Binary::add, a, row, a), Error);
  CHECK_THROWS_AS(primitives::binary(Binary::add, a, a, b), Error);
  CHECK_THROWS_AS(primitives::softmax(SoftmaxKind::softmax, a, b), Error);
  CHECK_THROWS_AS(softmax_backward(SoftmaxKind::softmax, a, b, a), Error);
  CHECK_THROWS_AS(copy(view(a), view(b)), Error);
  CHECK_THROWS_AS(copy(view(a), view(row)), Error);
}

TEST_CASE("primitives: what oneDNN lacks is an error with types and sizes", "[unit]") {
  const Tensor a = uniform({3, 5}, 1, -1, 1);
  const Tensor b({5, 4}, DType::i32);  // (oneDNN 3 multiplies f32 by bf16)
  const Tensor c({3, 4}, DType::f32);
  try {
    primitives::matmul(view(a), view(b), view(c));
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::backend);
    CHECK_THAT(error.what(), ContainsSubstring("matmul"));
    CHECK_THAT(error.what(), ContainsSubstring("i32[5, 4]/[4, 1]"));
  }
}

TEST_CASE("primitives: more post-operations than a key holds are an error", "[unit]") {
  const Tensor a = uniform({1, 1, 1, 1, 2, 2}, 1, -1, 1);
  const std::vector<PostOp> post(8, apply(Binary::add, view(a)));
  CHECK_THROWS_AS(primitives::matmul(view(a), view(a), view(a.clone()), post), Error);
}

}  // namespace lra::engine::testing
