#pragma once
// Pooled, counted memory for tensors and oneDNN scratchpads. A thread keeps the blocks that it
// frees and hands the most recently freed one of a size out first: it is still in that core's
// cache.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace lra::engine {

// Counts the live and the peak bytes of one run. Threads that work for the run install it with
// MemoryScope; blocks are counted where they were allocated, wherever they are freed.
class MemoryMeter {
 public:
  void add(std::int64_t bytes) noexcept;
  [[nodiscard]] std::int64_t live_bytes() const noexcept { return live_.load(); }
  [[nodiscard]] std::int64_t peak_bytes() const noexcept { return peak_.load(); }
  void reset_peak() noexcept { peak_.store(live_.load()); }

 private:
  std::atomic<std::int64_t> live_{0};
  std::atomic<std::int64_t> peak_{0};
};

// Counts this thread's allocations on a meter while it lives; scopes nest. The meter is shared with
// the blocks, so it may be dropped before them.
class MemoryScope {
 public:
  explicit MemoryScope(std::shared_ptr<MemoryMeter> meter);
  MemoryScope(const MemoryScope&) = delete;
  MemoryScope& operator=(const MemoryScope&) = delete;
  ~MemoryScope();

 private:
  std::shared_ptr<MemoryMeter> previous_;
};

// The meter that this thread's allocations are counted on; nullptr if none.
[[nodiscard]] std::shared_ptr<MemoryMeter> current_meter();

// A block of at least `bytes` bytes, aligned to 64, not initialised; returns to the pool of the
// thread that drops the last reference. Throws Error(backend) if the system has no memory.
[[nodiscard]] std::shared_ptr<std::byte> allocate_block(std::size_t bytes);

// Gives this thread's idle blocks back to the system.
void trim_pool() noexcept;

}  // namespace lra::engine
