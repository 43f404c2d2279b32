#pragma once
// Several jobs at once on one TBB arena.
//
// There are as many running jobs as threads, each on one thread. A thread without a further job
// that fits into memory helps with the parallel loops of the running jobs, so the last job gets all
// threads. A thread that waits for its own job's loop takes no work from another job.

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

namespace lra::harness {

// Memory of jobs together: the sum of their `fixed_bytes`, plus the largest `sequence_bytes` once
// per thread, because a thread has one sequence in flight.
struct Footprint {
  std::int64_t fixed_bytes = 0;
  std::int64_t sequence_bytes = 0;
};

struct Job {
  Footprint memory;
  double seconds = 0;  // estimated length: the longest job starts first
  std::function<void()> run;
};

struct ScheduleOptions {
  int threads = 1;
  std::int64_t memory_bytes = 0;            // limit of all jobs together; 0: no limit
  const std::atomic<bool>* stop = nullptr;  // set: starts no further job
};

// Machine utilisation of a phase.
struct Usage {
  double wall_seconds = 0;
  double cpu_seconds = 0;  // of this process, user and system
  int threads = 1;
  [[nodiscard]] double busy_share() const;  // cpu / (wall x threads); 0 for an empty phase
};

// Starts jobs from the longest to the shortest, skipping jobs that do not fit in the remaining
// memory; a job that fits nowhere runs alone. Returns when all started jobs have ended. After a job
// has thrown, no further job starts, and the first exception is rethrown.
Usage run_jobs(std::vector<Job> jobs, const ScheduleOptions& options);

// Bytes used by jobs on `threads` threads.
[[nodiscard]] std::int64_t bytes_of(const std::vector<Footprint>& jobs, int threads);

// MB of 10^6 bytes for messages. A need rounds up and a limit down, so that one that does not fit
// is a larger number.
[[nodiscard]] constexpr std::int64_t needed_megabytes(std::int64_t bytes) {
  return (bytes + 999999) / 1000000;
}
[[nodiscard]] constexpr std::int64_t allowed_megabytes(std::int64_t bytes) {
  return bytes / 1000000;
}

}  // namespace lra::harness
