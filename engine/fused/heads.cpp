#include "engine/fused/heads.h"

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <atomic>
#include <thread>

#include "engine/compute/primitives/primitives.h"
#include "engine/runtime.h"

namespace lra::engine {

void for_heads(std::int64_t H, std::int64_t work, const std::function<void(std::int64_t)>& f) {
  constexpr std::int64_t kLeastWork = std::int64_t{1} << 23;
  if (H == 1 || work < kLeastWork || tbb::this_task_arena::max_concurrency() == 1) {
    for (std::int64_t h = 0; h < H; ++h) f(h);
    return;
  }
  const auto caller = std::this_thread::get_id();
  const auto meter = current_meter();
  std::atomic<std::int64_t> flops{0};  // of other threads
  const auto run = [&](std::int64_t h) {
    if (std::this_thread::get_id() == caller) {
      f(h);
      return;
    }
    const WorkerScope worker(meter);
    const std::int64_t before = primitives::executed_flops();
    f(h);
    flops += primitives::executed_flops() - before;
  };
  // While it waits this thread takes up nothing else: another sequence would use its tape.
  tbb::this_task_arena::isolate([&] {
    tbb::parallel_for(std::int64_t{0}, H, std::int64_t{1}, run, tbb::simple_partitioner{});
  });
  primitives::add_flops(flops);
}

}  // namespace lra::engine
