#include "harness/suite/jobs.h"

#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include "engine/tensor/tensor.h"
#include "harness/workers/workers.h"
#include "tests/catch.h"

using lra::harness::Footprint;
using lra::harness::Job;
using lra::harness::run_jobs;
using lra::harness::Workers;
using lra::testing::Approx;

namespace {

void work(std::chrono::microseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}
constexpr std::chrono::microseconds kMoment{2000};

// Which jobs ran, in what order, and how many at once.
class Log {
 public:
  Job job(int id, double seconds, Footprint memory = {}) {
    return {memory, seconds, [this, id, memory] {
              enter(id, memory);
              work(kMoment);
              leave(memory);
            }};
  }
  std::vector<int> started;
  std::size_t most_at_once = 0;
  std::int64_t most_fixed_bytes = 0;

 private:
  void enter(int id, Footprint memory) {
    const std::scoped_lock lock(mutex_);
    started.push_back(id);
    bytes_ += memory.fixed_bytes;
    most_at_once = std::max(most_at_once, ++running_);
    most_fixed_bytes = std::max(most_fixed_bytes, bytes_);
  }
  void leave(Footprint memory) {
    const std::scoped_lock lock(mutex_);
    --running_;
    bytes_ -= memory.fixed_bytes;
  }
  std::mutex mutex_;
  std::size_t running_ = 0;
  std::int64_t bytes_ = 0;
};

}  // namespace

TEST_CASE("schedule: one job a thread, the longest first, all of them", "[unit]") {
  Log log;
  std::vector<Job> jobs;
  for (int i = 0; i < 8; ++i) jobs.push_back(log.job(i, i));
  run_jobs(std::move(jobs), {1, 0, nullptr});
  CHECK(log.started == std::vector<int>{7, 6, 5, 4, 3, 2, 1, 0});
  CHECK(log.most_at_once == 1);

  Log two;
  jobs.clear();
  for (int i = 0; i < 8; ++i) jobs.push_back(two.job(i, 1));
  const auto usage = run_jobs(std::move(jobs), {2, 0, nullptr});
  CHECK(two.started.size() == 8);
  CHECK(two.most_at_once == 2);
  CHECK(usage.threads == 2);
  CHECK(usage.wall_seconds > 0);
  CHECK(usage.cpu_seconds > 0);
}

TEST_CASE("schedule: a job waits until it fits into memory, one that never fits runs by itself",
          "[unit]") {
  Log log;
  std::vector<Job> jobs{log.job(0, 9, {500, 0}), log.job(1, 8, {60, 0}), log.job(2, 7, {60, 0}),
                        log.job(3, 6, {40, 0}), log.job(4, 5, {30, 5})};
  run_jobs(std::move(jobs), {3, 110, nullptr});
  CHECK(log.started.size() == 5);
  CHECK(log.started.front() == 0);
  CHECK(log.most_fixed_bytes == 500);

  Log limited;
  jobs.clear();
  for (int i = 0; i < 9; ++i) jobs.push_back(limited.job(i, 1, {40, 0}));
  run_jobs(std::move(jobs), {3, 100, nullptr});
  CHECK(limited.started.size() == 9);
  CHECK(limited.most_fixed_bytes <= 80);
  CHECK(lra::harness::bytes_of({{40, 3}, {30, 5}}, 4) == 70 + 4 * 5);
}

TEST_CASE("schedule: nothing starts after a stop or an exception, which is thrown on", "[unit]") {
  std::atomic<bool> stop{true};
  Log log;
  run_jobs({log.job(0, 1)}, {2, 0, &stop});
  CHECK(log.started.empty());

  std::vector<Job> jobs{{{}, 9, [] { throw std::runtime_error("disk full"); }}};
  for (int i = 0; i < 4; ++i) jobs.push_back(log.job(i, 1));
  CHECK_THROWS_WITH(run_jobs(std::move(jobs), {1, 0, nullptr}), "disk full");
  CHECK(log.started.empty());
}

TEST_CASE("schedule: a thread without a job works inside a running one", "[unit]") {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  // On a busy machine it may take a while until the system wakes the second thread.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  const Job alone{{}, 1, [&] {
                    while (threads.size() < 2 && std::chrono::steady_clock::now() < deadline) {
                      tbb::parallel_for(0, 64, [&](int) {
                        work(kMoment);
                        const std::scoped_lock lock(mutex);
                        threads.insert(std::this_thread::get_id());
                      });
                    }
                  }};
  run_jobs({alone}, {2, 0, nullptr});
  CHECK(threads.size() == 2);
}

TEST_CASE("schedule: a thread inside a job never works for another", "[unit]") {
  const tbb::global_control threads(tbb::global_control::max_allowed_parallelism, 4);
  thread_local int inside = 0;
  std::atomic<int> strangers{0};
  std::vector<Job> jobs;
  for (int id = 1; id <= 12; ++id) {
    // Two at once for four threads: the two others take chunks, so that a job has to wait for them.
    jobs.push_back({{1, 0}, 1, [&, id] {
                      inside = id;
                      Workers workers = Workers::in_this_arena();
                      for (int step = 0; step < 20; ++step) {
                        workers.execute([&] {
                          tbb::parallel_for(
                              0, 8,
                              [&](int i) {
                                if (inside != 0 && inside != id) ++strangers;
                                work(std::chrono::microseconds(i == 0 ? 200 : 20));
                              },
                              tbb::simple_partitioner{});
                        });
                      }
                      inside = 0;
                    }});
  }
  run_jobs(std::move(jobs), {4, 2, nullptr});
  CHECK(strangers == 0);
}

TEST_CASE("schedule: runs side by side count their memory apart", "[unit]") {
  std::vector<std::int64_t> peaks(6);
  std::vector<std::int64_t> alone(6);
  const auto allocate = [](Workers& workers, std::size_t which, std::int64_t& peak) {
    for (int i = 0; i < 50; ++i) {
      workers.execute([&] {
        const auto tensor =
            lra::engine::Tensor::zeros({static_cast<std::int64_t>(1 + which) * 10000});
        work(std::chrono::microseconds(50));
      });
    }
    peak = workers.meter()->peak_bytes();
  };
  std::vector<Job> jobs;
  for (std::size_t which = 0; which < peaks.size(); ++which) {
    jobs.push_back({{}, 1, [&, which] {
                      Workers workers = Workers::in_this_arena();
                      allocate(workers, which, peaks[which]);
                    }});
    Workers workers(1);
    allocate(workers, which, alone[which]);
    CHECK(alone[which] >= static_cast<std::int64_t>(1 + which) * 40000);
  }
  run_jobs(std::move(jobs), {3, 0, nullptr});
  CHECK(peaks == alone);
}
