#include "engine/fused/heads.h"

#include <tbb/task_arena.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "engine/compute/primitives/primitives.h"
#include "engine/fused/softmax_attention.h"
#include "engine/ops/arithmetic.h"
#include "engine/runtime.h"
#include "engine/testing/testing.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

constexpr std::int64_t kMuch = std::int64_t{1} << 40;

// Output and gradients of attention whose heads are worth a thread each.
Differentiated attention(int threads, std::int64_t* flops) {
  SoftmaxAttentionOptions options;
  options.scale = 0.2F;
  options.keys = 580;
  options.dropout = 0.1;
  options.key = RandomKey(5);
  const Shape shape{4, 600, 32};
  const std::vector<Input> inputs{
      {"q", normal(shape, 1)}, {"k", normal(shape, 2)}, {"v", normal(shape, 3)}};
  Differentiated result;
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

TEST_CASE("heads: attention has the same bits and counts the same work on one thread and on four",
          "[unit]") {
  std::int64_t flops = 0;
  std::int64_t more_flops = 0;
  const auto one = attention(1, &flops);
  const auto four = attention(4, &more_flops);
  CHECK(identical(one.output, four.output));
  REQUIRE(four.gradients.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(identical(one.gradients[i], four.gradients[i]));
  CHECK(flops == more_flops);
  CHECK(flops > 0);
}

TEST_CASE("heads: each once, on other threads with the caller's meter, and small ones in order",
          "[unit]") {
  tbb::task_arena arena(4);
  arena.execute([] {
    const auto meter = std::make_shared<MemoryMeter>();
    const WorkerScope worker(meter);
    std::array<std::atomic<int>, 9> calls{};
    for_heads(9, kMuch, [&](std::int64_t h) {
      ++calls.at(static_cast<std::size_t>(h));
      const Tensor block({1000}, DType::f32);
      if (current_meter() != meter) ++calls.at(static_cast<std::size_t>(h));
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    });
    for (const auto& count : calls) CHECK(count == 1);
    CHECK(meter->peak_bytes() >= 4000);
    CHECK(meter->live_bytes() == 0);
    std::vector<std::int64_t> order;
    for_heads(5, 1000, [&](std::int64_t h) { order.push_back(h); });
    CHECK(order == std::vector<std::int64_t>{0, 1, 2, 3, 4});
  });
}

TEST_CASE("heads: what one throws reaches the caller", "[unit]") {
  tbb::task_arena arena(4);
  const auto run = [&] {
    arena.execute([] {
      for_heads(8, kMuch, [](std::int64_t h) {
        if (h == 5) throw std::runtime_error("head 5");
      });
    });
  };
  CHECK_THROWS_WITH(run(), "head 5");
}

}  // namespace
}  // namespace lra::engine::testing
