#pragma once
// Several jobs at once on one TBB arena.
//
// As many jobs run as there are threads, each on one of them. A thread for which no job is left, or
// none that fits into memory, works on the parallel loops of the jobs that run: the last job gets
// all threads. A thread that waits for its own job's loop takes up nothing of another job.

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

namespace lra::harness {

// Jobs together take the sum of their `fixed_bytes`, and the largest `sequence_bytes` once a
// thread: a thread has one sequence in flight.
struct Footprint {
  std::int64_t fixed_bytes = 0;
  std::int64_t sequence_bytes = 0;
};

struct Job {
  Footprint memory;
  double seconds = 0;  // a guess at its length: the longest goes first
  std::function<void()> run;
};

struct ScheduleOptions {
  int threads = 1;
  std::int64_t memory_bytes = 0;            // that all jobs together may take; 0: no limit
  const std::atomic<bool>* stop = nullptr;  // set: starts no further job
};

// How well a phase used the machine.
struct Usage {
  double wall_seconds = 0;
  double cpu_seconds = 0;  // of this process, user and system
  int threads = 1;
  [[nodiscard]] double busy_share() const;  // cpu / (wall x threads); 0 for an empty phase
};

// Starts jobs in the order of their length, passing over those that do not fit beside what runs (a
// job that does not fit by itself runs by itself), and returns when all that were started have
// ended. A job that throws keeps further ones from starting; the first exception is thrown on.
Usage run_jobs(std::vector<Job> jobs, const ScheduleOptions& options);

// Bytes that jobs take when `threads` threads work on them.
[[nodiscard]] std::int64_t bytes_of(const std::vector<Footprint>& jobs, int threads);

}  // namespace lra::harness
