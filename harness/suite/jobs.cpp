#include "harness/suite/jobs.h"

#include <sys/resource.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <mutex>
#include <utility>

#include "engine/runtime.h"

namespace lra::harness {
namespace {

double cpu_seconds() {
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class Schedule {
 public:
  Schedule(std::vector<Job> jobs, const ScheduleOptions& options)
      : waiting_(std::move(jobs)), options_(options) {
    std::stable_sort(waiting_.begin(), waiting_.end(),
                     [](const Job& a, const Job& b) { return a.seconds > b.seconds; });
  }

  // Called on a thread of the arena.
  void run() {
    start_jobs();
    group_.wait();
    if (fault_) std::rethrow_exception(fault_);
  }

 private:
  void start_jobs() {
    const std::scoped_lock lock(mutex_);
    while (may_start()) {
      const auto next = std::find_if(waiting_.begin(), waiting_.end(),
                                     [this](const Job& job) { return fits(job); });
      if (next == waiting_.end()) return;
      running_.push_back(next->memory);
      group_.run([this, job = std::move(*next)] { execute(job); });
      waiting_.erase(next);
    }
  }

  void execute(const Job& job) {
    try {
      tbb::this_task_arena::isolate(job.run);
    } catch (...) {
      const std::scoped_lock lock(mutex_);
      if (!fault_) fault_ = std::current_exception();
    }
    {
      const std::scoped_lock lock(mutex_);
      running_.erase(std::find_if(running_.begin(), running_.end(), [&job](const Footprint& f) {
        return f.fixed_bytes == job.memory.fixed_bytes &&
               f.sequence_bytes == job.memory.sequence_bytes;
      }));
    }
    start_jobs();
  }

  [[nodiscard]] bool may_start() const {
    const bool stopped = options_.stop != nullptr && options_.stop->load();
    return !stopped && !fault_ && running_.size() < static_cast<std::size_t>(options_.threads);
  }

  [[nodiscard]] bool fits(const Job& job) const {
    if (options_.memory_bytes == 0 || running_.empty()) return true;
    auto together = running_;
    together.push_back(job.memory);
    return bytes_of(together, options_.threads) <= options_.memory_bytes;
  }

  std::mutex mutex_;
  std::vector<Job> waiting_;  // longest first
  std::vector<Footprint> running_;
  std::exception_ptr fault_;
  const ScheduleOptions options_;
  tbb::task_group group_;
};

}  // namespace

double Usage::busy_share() const {
  return wall_seconds > 0 ? cpu_seconds / (wall_seconds * threads) : 0;
}

std::int64_t bytes_of(const std::vector<Footprint>& jobs, int threads) {
  std::int64_t fixed = 0;
  std::int64_t sequence = 0;
  for (const Footprint& job : jobs) {
    fixed += job.fixed_bytes;
    sequence = std::max(sequence, job.sequence_bytes);
  }
  return fixed + threads * sequence;
}

Usage run_jobs(std::vector<Job> jobs, const ScheduleOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const double cpu = cpu_seconds();
  engine::allow_threads(options.threads);
  tbb::task_arena arena(options.threads);
  arena.execute([&] { Schedule(std::move(jobs), options).run(); });
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
          cpu_seconds() - cpu, options.threads};
}

}  // namespace lra::harness
