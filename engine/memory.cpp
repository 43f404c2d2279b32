#include "engine/memory.h"

#include <bit>
#include <cstdlib>
#include <unordered_map>
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
std::size_t size_class(std::size_t bytes) {
  if (bytes <= 256) return 256;
  const std::size_t step = std::bit_floor(bytes - 1) / 4;
  return (bytes + step - 1) / step * step;
}

struct Pool {
  std::unordered_map<std::size_t, std::vector<std::byte*>> idle;
  std::size_t idle_bytes = 0;

  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() { clear(); }

  void clear() noexcept {
    for (auto& [size, blocks] : idle) {
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

void release(std::byte* block, std::size_t size) noexcept {
  Pool* own = pool();
  if (own == nullptr) {
    std::free(block);
    return;
  }
  if (own->idle_bytes + size > kMaxIdleBytes) own->clear();
  own->idle[size].push_back(block);
  own->idle_bytes += size;
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
  const std::size_t size = size_class(bytes);
  if (size < bytes) fail(ErrorKind::backend, "memory: no room for a block of {} bytes", bytes);
  std::byte* block = nullptr;
  if (Pool* own = pool()) {
    auto& idle = own->idle[size];
    if (!idle.empty()) {
      block = idle.back();
      idle.pop_back();
      own->idle_bytes -= size;
    }
  }
  if (block == nullptr) {
    block = static_cast<std::byte*>(std::aligned_alloc(kAlignment, size));
    if (block == nullptr) fail(ErrorKind::backend, "memory: no room for a block of {} bytes", size);
  }
  std::shared_ptr<MemoryMeter> meter = current_meter;
  if (meter) meter->add(static_cast<std::int64_t>(size));
  return {block, [size, meter = std::move(meter)](std::byte* p) {
            if (meter) meter->add(-static_cast<std::int64_t>(size));
            release(p, size);
          }};
}

void trim_pool() noexcept {
  if (Pool* own = pool()) own->clear();
}

}  // namespace lra::engine
