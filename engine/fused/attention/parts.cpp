#include "engine/fused/attention/parts.h"

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
  for (std::int64_t p = part_ - 1; p >= 0; --p) {
    const auto& before = stairs_.done_[static_cast<std::size_t>(p)];
    std::int64_t steps = before.load();
    for (; steps <= j; steps = before.load()) before.wait(steps);
    // Its step j came after those of the parts before it; a part that ended earlier says nothing.
    if (steps < kEnded || steps - kEnded > j) return;
  }
}

void Staircase::Part::done(std::int64_t j) const {
  auto& mine = stairs_.done_[static_cast<std::size_t>(part_)];
  mine.store(j + 1);
  mine.notify_all();
}

Staircase::Part::~Part() {
  auto& mine = stairs_.done_[static_cast<std::size_t>(part_)];
  mine += kEnded;
  mine.notify_all();
}

}  // namespace lra::engine
