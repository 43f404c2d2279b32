#include "engine/compute/primitives/primitives.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <thread>

#include "engine/base/error.h"
#include "engine/compute/primitives/products.h"
#include "engine/runtime.h"
#include "engine/tensor/memory.h"
#include "engine/testing/testing.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

using lra::testing::ContainsSubstring;
using namespace primitives;

std::vector<DType> types() {
  return bf16_works() ? std::vector<DType>{DType::f32, DType::bf16}
                      : std::vector<DType>{DType::f32};
}

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

double error_of(const Tensor& actual, const Array& expected) {
  return error(to_array(actual).values, expected.values, largest(expected.values));
}

Tensor transpose_of(const Tensor& x) {
  const Tensor y({x.dim(1), x.dim(0)}, x.dtype());
  copy(transposed(view(x)), view(y));
  return y;
}

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

TEST_CASE("primitives: each one compiles once a thread and is listed", "[unit]") {
  clear_thread_cache();
  forget_compiled();
  const Tensor a = uniform({11, 13}, 1, -1, 1);
  const Tensor c({11, 11}, DType::f32);
  for (int i = 0; i < 3; ++i) primitives::matmul(view(a), transposed(view(a)), view(c));
  REQUIRE(compiled().size() == 1);
  CHECK(compiled()[0].operation == "matmul");
  CHECK(!compiled()[0].implementation.empty());
  CHECK_THAT(compiled()[0].shapes, ContainsSubstring("f32[11, 13]/[13, 1] f32[13, 11]/[1, 13]"));
  const Tensor before = c.clone();
  clear_thread_cache();
  primitives::matmul(view(a), transposed(view(a)), view(c));
  CHECK(compiled().size() == 2);
  CHECK(identical(before, c));
}

TEST_CASE("primitives: scratchpads are counted and given back", "[unit]") {
  clear_thread_cache();
  const auto meter = std::make_shared<MemoryMeter>();
  const MemoryScope scope(meter);
  {
    // Layer norm in bf16 and transposed products need scratchpads; the result does not depend on
    // it.
    const DType type = types().back();
    const Tensor a = uniform({256, 300}, 1, -1, 1, type);
    const Tensor b = uniform({256, 64}, 2, -1, 1, type);
    const Tensor c({300, 64}, DType::f32);
    primitives::matmul(transposed(view(a)), view(b), view(c));
    const Tensor first = c.clone();
    release_scratchpad();
    primitives::matmul(transposed(view(a)), view(b), view(c));
    CHECK(identical(first, c));
  }
  release_scratchpad();
  CHECK(meter->live_bytes() == 0);
}

namespace {

// A mixture of primitives over many shapes; returns all results.
std::vector<Tensor> mixture(std::uint64_t seed) {
  std::vector<Tensor> results;
  for (int round = 0; round < 3; ++round) {
    for (std::int64_t n = 3; n < 40; n += 5) {
      for (const DType type : types()) {
        const Tensor a = uniform({n, 2 * n}, seed + 1, -1, 1, type);
        const Tensor b = uniform({2 * n, 7}, seed + 2, -1, 1, type);
        const Tensor c({n, 7}, type);
        primitives::matmul(view(a), view(b), view(c));
        const Tensor s({n, 7}, type);
        primitives::softmax(SoftmaxKind::softmax, c, s);
        const Tensor g({n, 7}, type);
        primitives::unary(Unary::gelu_erf, c, g);
        primitives::binary(Binary::add, g, s, g);
        const Tensor y({n, 7}, type);
        const Tensor mean({n}, DType::f32);
        const Tensor variance({n}, DType::f32);
        primitives::layer_norm(g, Tensor::full({7}, 2), Tensor::zeros({7}), 1e-5F, y, mean,
                               variance);
        results.push_back(transpose_of(y));
      }
    }
  }
  return results;
}

}  // namespace

TEST_CASE("primitives: threads at once give the results of one alone", "[unit]") {
  constexpr std::size_t kThreads = 3;
  std::vector<std::vector<Tensor>> expected(kThreads);
  for (std::size_t t = 0; t < kThreads; ++t) expected[t] = mixture(100 * t);
  std::vector<std::vector<Tensor>> found(kThreads);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([t, &found] {
      const WorkerScope worker;
      found[t] = mixture(100 * t);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t t = 0; t < kThreads; ++t) {
    REQUIRE(found[t].size() == expected[t].size());
    for (std::size_t i = 0; i < found[t].size(); ++i) {
      CHECK(identical(found[t][i], expected[t][i]));
    }
  }
}

}  // namespace lra::engine::testing
