#pragma once
// Pooled, counted memory for tensors and oneDNN scratchpads. A thread keeps the blocks that it
// frees and reuses the most recently freed block of a size first, because it is still in that
// core's cache.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace lra::engine {

// Counts the live and the peak bytes of one run. The run's threads install it with MemoryScope;
// blocks count for the meter on which they were allocated, wherever they are freed.
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

// Counts this thread's allocations on a meter during the object's lifetime; scopes nest. The blocks
// share ownership of the meter, so it may be released before them.
class MemoryScope {
 public:
  explicit MemoryScope(std::shared_ptr<MemoryMeter> meter);
  MemoryScope(const MemoryScope&) = delete;
  MemoryScope& operator=(const MemoryScope&) = delete;
  ~MemoryScope();

 private:
  std::shared_ptr<MemoryMeter> previous_;
};

// The meter of this thread's allocations; nullptr if none.
[[nodiscard]] std::shared_ptr<MemoryMeter> current_meter();

// A block of at least `bytes` bytes, aligned to 64, not initialised; returns to the pool of the
// thread that drops the last reference. Throws Error(backend) if the system has no memory.
[[nodiscard]] std::shared_ptr<std::byte> allocate_block(std::size_t bytes);

// Returns this thread's idle blocks to the system.
void trim_pool() noexcept;

}  // namespace lra::engine
