#include "engine/tensor/memory.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <utility>
#include <vector>

#include "engine/base/error.h"

namespace lra::engine {
namespace {

constexpr std::size_t kAlignment = 64;
// With more idle bytes than this, a thread returns the blocks that it has not used since the last
// sweep. A sweep happens after a turnover of several times the idle bytes, several sequences'
// worth, and when the idle bytes are twice the usual (blocks allocated by other threads and freed
// here). Blocks in repeated use are kept, however large: the system would have to clear the pages
// each time.
constexpr std::size_t kMaxIdleBytes = std::size_t{96} << 20U;
constexpr std::size_t kTurnover = 16;
// Blocks returned together.
constexpr std::size_t kLargestIdleBlock = std::size_t{256} << 20U;

thread_local std::shared_ptr<MemoryMeter> meter_of_thread;

// Sizes are rounded up to 1, 1.25, 1.5 or 1.75 times a power of two: at most a quarter is wasted.
struct SizeClass {
  std::size_t bytes;
  std::size_t index;  // below kSizeClasses
};
constexpr std::size_t kSizeClasses = std::size_t{4} * 64;
constexpr std::size_t kSmallestBlock = 256;
SizeClass size_class(std::size_t bytes) {
  if (bytes <= kSmallestBlock) return {kSmallestBlock, 0};
  const auto octave = static_cast<std::size_t>(std::bit_width(bytes - 1) - 1);
  const std::size_t step = (std::size_t{1} << octave) / 4;
  const std::size_t steps = (bytes + step - 1) / step;  // 5..8
  return {steps * step, 4 * octave + steps - 5};
}

std::size_t class_bytes(std::size_t index) {
  return index == 0 ? kSmallestBlock : (index % 4 + 5) * ((std::size_t{1} << (index / 4)) / 4);
}

struct Pool {
  std::array<std::vector<std::byte*>, kSizeClasses> idle;
  std::array<std::size_t, kSizeClasses> least{};  // idle blocks of a size since the last sweep
  std::size_t idle_bytes = 0;
  std::size_t handed_out = 0;  // bytes since the last turnover
  std::size_t most_idle = 0;   // idle_bytes at most since then
  std::size_t usual = 0;       // required idle bytes

  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() { clear(); }

  void clear() noexcept {
    for (auto& blocks : idle) {
      for (std::byte* block : blocks) std::free(block);
      blocks.clear();
    }
    least.fill(0);
    idle_bytes = 0;
    handed_out = 0;
    most_idle = 0;
    usual = 0;
  }

  // Null if there is none.
  std::byte* take(SizeClass size) {
    handed_out += size.bytes;
    auto& blocks = idle[size.index];
    if (blocks.empty()) return nullptr;
    std::byte* block = blocks.back();
    blocks.pop_back();
    least[size.index] = std::min(least[size.index], blocks.size());
    idle_bytes -= size.bytes;
    return block;
  }

  void keep(std::byte* block, SizeClass size) {
    idle[size.index].push_back(block);
    idle_bytes += size.bytes;
    most_idle = std::max(most_idle, idle_bytes);
    if (idle_bytes <= kMaxIdleBytes) return;
    if (handed_out / kTurnover > idle_bytes) {
      sweep();
      usual = std::exchange(most_idle, idle_bytes);
      handed_out = 0;
    } else if (idle_bytes / 2 > usual) {
      sweep();
      usual = idle_bytes;
    }
  }

  // Returns the blocks that have been idle since the last sweep, the lowest of each stack, to the
  // system.
  void sweep() noexcept {
    for (std::size_t i = 0; i < kSizeClasses; ++i) {
      auto& blocks = idle[i];
      const auto unused = blocks.begin() + static_cast<std::ptrdiff_t>(least[i]);
      for (auto block = blocks.begin(); block != unused; ++block) std::free(*block);
      blocks.erase(blocks.begin(), unused);
      idle_bytes -= least[i] * class_bytes(i);
      least[i] = blocks.size();
    }
  }
};

// A thread's pool. Null once the thread is exiting; blocks are then returned directly to the
// system.
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
  if (own == nullptr || size.bytes > kLargestIdleBlock) {
    std::free(block);
  } else {
    own->keep(block, size);
  }
}

}  // namespace

void MemoryMeter::add(std::int64_t bytes) noexcept {
  const std::int64_t now = live_.fetch_add(bytes) + bytes;
  std::int64_t peak = peak_.load();
  while (now > peak && !peak_.compare_exchange_weak(peak, now)) {
  }
}

MemoryScope::MemoryScope(std::shared_ptr<MemoryMeter> meter)
    : previous_(std::exchange(meter_of_thread, std::move(meter))) {}

MemoryScope::~MemoryScope() { meter_of_thread = std::move(previous_); }

std::shared_ptr<MemoryMeter> current_meter() { return meter_of_thread; }

std::shared_ptr<std::byte> allocate_block(std::size_t bytes) {
  const SizeClass size = size_class(bytes);
  if (size.bytes < bytes)
    fail(ErrorKind::backend, "memory: no room for a block of {} bytes", bytes);
  Pool* own = pool();
  std::byte* block = own != nullptr ? own->take(size) : nullptr;
  if (block == nullptr) {
    block = static_cast<std::byte*>(std::aligned_alloc(kAlignment, size.bytes));
    if (block == nullptr)
      fail(ErrorKind::backend, "memory: no room for a block of {} bytes", size.bytes);
  }
  std::shared_ptr<MemoryMeter> meter = meter_of_thread;
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
