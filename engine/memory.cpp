#include "engine/memory.h"

#include <array>
#include <bit>
#include <cstdlib>
#include <utility>
#include <vector>

#include "engine/base/error.h"

namespace lra::engine {
namespace {

constexpr std::size_t kAlignment = 64;
// Idle bytes a thread may keep before it gives everything idle back to the system.
constexpr std::size_t kMaxIdleBytes = std::size_t{96} << 20U;

thread_local std::shared_ptr<MemoryMeter> current_meter;

// Sizes are rounded up to 1, 1.25, 1.5 or 1.75 times a power of two: at most a quarter is wasted.
struct SizeClass {
  std::size_t bytes;
  std::size_t index;  // below kSizeClasses
};
constexpr std::size_t kSizeClasses = 4 * 64;
SizeClass size_class(std::size_t bytes) {
  if (bytes <= 256) return {256, 0};
  const auto octave = static_cast<std::size_t>(std::bit_width(bytes - 1) - 1);
  const std::size_t step = (std::size_t{1} << octave) / 4;
  const std::size_t steps = (bytes + step - 1) / step;  // 5..8
  return {steps * step, 4 * octave + steps - 5};
}

struct Pool {
  std::array<std::vector<std::byte*>, kSizeClasses> idle;
  std::size_t idle_bytes = 0;

  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() { clear(); }

  void clear() noexcept {
    for (auto& blocks : idle) {
      for (std::byte* block : blocks) std::free(block);
      blocks.clear();
    }
    idle_bytes = 0;
  }
};

// A thread's pool. Null once the thread is exiting, when blocks go straight back to the system.
Pool* pool() {
  thread_local bool ended = false;
  struct Holder {
    Pool pool;
    ~Holder() { ended = true; }
  };
  if (ended) return nullptr;
  thread_local Holder holder;
  return &holder.pool;
}

void release(std::byte* block, SizeClass size) noexcept {
  Pool* own = pool();
  if (own == nullptr) {
    std::free(block);
    return;
  }
  if (own->idle_bytes + size.bytes > kMaxIdleBytes) own->clear();
  own->idle[size.index].push_back(block);
  own->idle_bytes += size.bytes;
}

}  // namespace

void MemoryMeter::add(std::int64_t bytes) noexcept {
  const std::int64_t now = live_.fetch_add(bytes) + bytes;
  std::int64_t peak = peak_.load();
  while (now > peak && !peak_.compare_exchange_weak(peak, now)) {
  }
}

MemoryScope::MemoryScope(std::shared_ptr<MemoryMeter> meter)
    : previous_(std::exchange(current_meter, std::move(meter))) {}

MemoryScope::~MemoryScope() { current_meter = std::move(previous_); }

std::shared_ptr<std::byte> allocate_block(std::size_t bytes) {
  const SizeClass size = size_class(bytes);
  if (size.bytes < bytes)
    fail(ErrorKind::backend, "memory: no room for a block of {} bytes", bytes);
  std::byte* block = nullptr;
  if (Pool* own = pool()) {
    auto& idle = own->idle[size.index];
    if (!idle.empty()) {
      block = idle.back();
      idle.pop_back();
      own->idle_bytes -= size.bytes;
    }
  }
  if (block == nullptr) {
    block = static_cast<std::byte*>(std::aligned_alloc(kAlignment, size.bytes));
    if (block == nullptr)
      fail(ErrorKind::backend, "memory: no room for a block of {} bytes", size.bytes);
  }
  std::shared_ptr<MemoryMeter> meter = current_meter;
  if (meter) meter->add(static_cast<std::int64_t>(size.bytes));
  return {block, [size, meter = std::move(meter)](std::byte* p) {
            if (meter) meter->add(-static_cast<std::int64_t>(size.bytes));
            release(p, size);
          }};
}

void trim_pool() noexcept {
  if (Pool* own = pool()) own->clear();
}

}  // namespace lra::engine
