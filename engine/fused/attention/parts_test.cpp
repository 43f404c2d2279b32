#include "engine/fused/attention/parts.h"

#include <tbb/task_arena.h>

#include <array>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "engine/compute/primitives/primitives.h"
#include "engine/fused/attention/softmax_attention.h"
#include "engine/ops/arithmetic.h"
#include "engine/runtime.h"
#include "engine/testing/testing.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

constexpr std::int64_t kMuch = std::int64_t{1} << 40;

// Output and gradients of attention whose heads and tiles are worth a thread each.
Differentiated attention(int threads, const Shape& shape, const SoftmaxAttentionOptions& options,
                         double size, std::int64_t* flops) {
  const std::vector<Input> inputs{
      {"q", normal(shape, 1, size)}, {"k", normal(shape, 2, size)}, {"v", normal(shape, 3)}};
  Differentiated result;
  allow_threads(threads);
  tbb::task_arena arena(threads);
  arena.execute([&] {
    const WorkerScope worker;
    const std::int64_t before = primitives::executed_flops();
    result = differentiate(
        [&](const std::vector<Value>& in) {
          return softmax_attention(in[0], in[1], in[2], options);
        },
        inputs, normal(shape, 4));
    *flops = primitives::executed_flops() - before;
  });
  return result;
}

TEST_CASE("parts: attention has the same bits and counts the same work on one thread and on four",
          "[unit]") {
  struct Case {
    const char* name;
    Shape shape;
    std::int64_t keys;
    bool causal;
    double dropout, size;
  };
  for (const auto& [name, shape, keys, causal, dropout, size] :
       {Case{"heads", {4, 600, 32}, 580, false, 0.1, 1.0},
        Case{"tiles of one head", {1, 1300, 32}, 1290, false, 0.0, 1.0},
        Case{"causal tiles", {1, 1300, 32}, 1290, true, 0.0, 1.0},
        Case{"tiles with dropout", {1, 1300, 32}, 1300, false, 0.2, 1.0},
        Case{"tiles with maxima", {1, 1300, 32}, 1290, false, 0.0, 9.0},
        Case{"tiles of two heads", {2, 1100, 32}, 1100, true, 0.1, 9.0}}) {
    INFO(name);
    SoftmaxAttentionOptions options;
    options.scale = 0.2F;
    options.keys = keys;
    options.causal = causal;
    options.dropout = dropout;
    options.key = RandomKey(5);
    std::int64_t flops = 0;
    std::int64_t more_flops = 0;
    const auto one = attention(1, shape, options, size, &flops);
    const auto four = attention(4, shape, options, size, &more_flops);
    CHECK(identical(one.output, four.output));
    REQUIRE(four.gradients.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) CHECK(identical(one.gradients[i], four.gradients[i]));
    CHECK(flops == more_flops);
    CHECK(flops > 0);
  }
}

TEST_CASE("parts: each once, on other threads with the caller's meter, and small ones in order",
          "[unit]") {
  tbb::task_arena arena(4);
  arena.execute([] {
    const auto meter = std::make_shared<MemoryMeter>();
    const WorkerScope worker(meter);
    std::array<std::atomic<int>, 9> calls{};
    for_parts(9, kMuch, [&](std::int64_t h) {
      ++calls.at(static_cast<std::size_t>(h));
      const Tensor block({1000}, DType::f32);
      if (current_meter() != meter) ++calls.at(static_cast<std::size_t>(h));
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    });
    for (const auto& count : calls) CHECK(count == 1);
    CHECK(meter->peak_bytes() >= 4000);
    CHECK(meter->live_bytes() == 0);
    std::vector<std::int64_t> order;
    for_parts(5, 1000, [&](std::int64_t h) { order.push_back(h); });
    CHECK(order == std::vector<std::int64_t>{0, 1, 2, 3, 4});
  });
}

TEST_CASE("parts: what one throws reaches the caller", "[unit]") {
  tbb::task_arena arena(4);
  const auto run = [&] {
    arena.execute([] {
      for_parts(8, kMuch, [](std::int64_t h) {
        if (h == 5) throw std::runtime_error("head 5");
      });
    });
  };
  CHECK_THROWS_WITH(run(), "head 5");
}

TEST_CASE("parts: on a staircase each step sees the parts in order, whatever their speed",
          "[unit]") {
  constexpr std::int64_t kParts = 12;
  constexpr std::int64_t kSteps = 7;
  allow_threads(4);
  tbb::task_arena arena(4);
  arena.execute([&] {
    std::array<std::vector<std::int64_t>, kSteps> seen;
    Staircase stairs(kParts);
    for_parts(kParts, kMuch, [&](std::int64_t i) {
      const Staircase::Part part(stairs, i);
      for (std::int64_t j = 0; j < kSteps - (i % 2); ++j) {  // every other part has a step less
        part.wait(j);
        // The last step of the first part is late: part 1, which has none, must not let part 2
        // pass.
        const bool late = i == 0 && j == kSteps - 1;
        std::this_thread::sleep_for(std::chrono::microseconds(late ? 30000 : 100 * ((i + j) % 3)));
        seen.at(static_cast<std::size_t>(j)).push_back(i);
        part.done(j);
      }
    });
    for (std::int64_t j = 0; j < kSteps; ++j) {
      std::vector<std::int64_t> expected;
      for (std::int64_t i = 0; i < kParts; ++i) {
        if (j < kSteps - (i % 2)) expected.push_back(i);
      }
      CHECK(seen.at(static_cast<std::size_t>(j)) == expected);
    }
  });
}

TEST_CASE("parts: a part that throws does not leave the next one waiting", "[unit]") {
  allow_threads(4);
  tbb::task_arena arena(4);
  const auto run = [&] {
    arena.execute([] {
      Staircase stairs(8);
      for_parts(8, kMuch, [&](std::int64_t i) {
        const Staircase::Part part(stairs, i);
        for (std::int64_t j = 0; j < 3; ++j) {
          part.wait(j);
          if (i == 2 && j == 1) throw std::runtime_error("part 2");
          part.done(j);
        }
      });
    });
  };
  CHECK_THROWS_WITH(run(), "part 2");
}

}  // namespace
}  // namespace lra::engine::testing
