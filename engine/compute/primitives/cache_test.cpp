// Compiled primitives and scratchpads are kept for each thread.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "engine/compute/primitives/primitives.h"
#include "engine/compute/test_support.h"
#include "engine/runtime.h"
#include "engine/tensor/memory.h"
#include "engine/testing/testing.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

using lra::testing::ContainsSubstring;
using namespace primitives;

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
