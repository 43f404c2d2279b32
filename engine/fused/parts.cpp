#include "engine/fused/parts.h"

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <thread>

#include "engine/compute/primitives/primitives.h"
#include "engine/runtime.h"

namespace lra::engine {

void for_parts(std::int64_t parts, std::int64_t work, const std::function<void(std::int64_t)>& f) {
  constexpr std::int64_t kLeastWork = std::int64_t{1} << 23;
  if (parts == 1 || work < kLeastWork || tbb::this_task_arena::max_concurrency() == 1) {
    for (std::int64_t i = 0; i < parts; ++i) f(i);
    return;
  }
  const auto caller = std::this_thread::get_id();
  const auto meter = current_meter();
  std::atomic<std::int64_t> next{0};
  std::atomic<std::int64_t> flops{0};  // of other threads
  const auto run = [&](std::int64_t) {
    const std::int64_t i = next++;
    if (std::this_thread::get_id() == caller) {
      f(i);
      return;
    }
    const WorkerScope worker(meter);
    const std::int64_t before = primitives::executed_flops();
    f(i);
    flops += primitives::executed_flops() - before;
  };
  // A waiting thread takes no other work: another sequence would use its tape.
  tbb::this_task_arena::isolate([&] {
    tbb::parallel_for(std::int64_t{0}, parts, std::int64_t{1}, run, tbb::simple_partitioner{});
  });
  primitives::add_flops(flops);
}

void Staircase::Part::wait(std::int64_t j) const {
  if (part_ == 0) return;
  const auto& before = stairs_.done_[static_cast<std::size_t>(part_ - 1)];
  for (std::int64_t steps = before.load(); steps <= j; steps = before.load()) before.wait(steps);
}

void Staircase::Part::publish(std::int64_t steps) const {
  auto& mine = stairs_.done_[static_cast<std::size_t>(part_)];
  mine.store(steps);
  mine.notify_all();
}

}  // namespace lra::engine
