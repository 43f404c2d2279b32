#include "engine/tensor/memory.h"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <limits>
#include <set>
#include <thread>
#include <vector>

#include "engine/base/error.h"
#include "engine/tensor/tensor.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

// Bytes that the program has from the system's allocator; 0 where it cannot tell (sanitizers).
std::size_t bytes_from_system() {
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

}  // namespace

TEST_CASE("memory: live and peak bytes are counted exactly", "[unit]") {
  const auto meter = std::make_shared<MemoryMeter>();
  const MemoryScope scope(meter);
  {
    const Tensor a({64}, DType::f32);  // 256 bytes
    CHECK(meter->live_bytes() == 256);
    const Tensor copy = a;  // shares storage
    CHECK(meter->live_bytes() == 256);
    {
      const Tensor b({512}, DType::bf16);
      CHECK(meter->live_bytes() == 256 + 1024);
    }
    CHECK(meter->live_bytes() == 256);
    const Tensor c({128}, DType::i32);
    CHECK(meter->live_bytes() == 256 + 512);
    CHECK(meter->peak_bytes() == 256 + 1024);
    meter->reset_peak();
    CHECK(meter->peak_bytes() == 256 + 512);
  }
  CHECK(meter->live_bytes() == 0);
  CHECK(meter->peak_bytes() == 256 + 512);
}

TEST_CASE("memory: blocks are aligned, writable, and at most a quarter too large", "[unit]") {
  const auto meter = std::make_shared<MemoryMeter>();
  const MemoryScope scope(meter);
  for (std::size_t bytes : {0U, 1U, 255U, 256U, 257U, 320U, 321U, 1000U, 1025U, 4096U, 100000U}) {
    const std::int64_t before = meter->live_bytes();
    const auto block = allocate_block(bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(block.get()) % 64 == 0);
    const auto counted = static_cast<std::size_t>(meter->live_bytes() - before);
    CHECK(counted >= bytes);
    CHECK(counted <= std::max<std::size_t>(256, bytes + bytes / 4 + 64));
    std::memset(block.get(), 1, counted);
  }
}

TEST_CASE("memory: scopes nest, and without one nothing is counted", "[unit]") {
  const auto outer = std::make_shared<MemoryMeter>();
  const auto inner = std::make_shared<MemoryMeter>();
  const MemoryScope outer_scope(outer);
  const auto a = allocate_block(256);
  std::shared_ptr<std::byte> b;
  {
    const MemoryScope inner_scope(inner);
    b = allocate_block(512);
    const MemoryScope none(nullptr);
    const auto uncounted = allocate_block(1024);
  }
  const auto c = allocate_block(2048);
  CHECK(outer->live_bytes() == 256 + 2048);
  CHECK(inner->live_bytes() == 512);
  b.reset();
  CHECK(inner->live_bytes() == 0);
  CHECK(inner->peak_bytes() == 512);
}

TEST_CASE("memory: the most recently freed block of a size comes first", "[unit]") {
  auto first = allocate_block(5000);
  auto second = allocate_block(5000);
  const std::byte* first_place = first.get();
  const std::byte* second_place = second.get();
  first.reset();
  second.reset();
  CHECK(allocate_block(4999).get() == second_place);
  const auto again = allocate_block(5000);
  const auto older = allocate_block(5000);
  CHECK(again.get() == second_place);
  CHECK(older.get() == first_place);
  CHECK(allocate_block(300).get() != first_place);  // another size
}

TEST_CASE("memory: a block may outlive its thread and its meter's owner", "[unit]") {
  auto meter = std::make_shared<MemoryMeter>();
  std::shared_ptr<std::byte> block;
  std::thread([&] {
    const MemoryScope scope(meter);
    block = allocate_block(7000);
    const auto idle = allocate_block(9000);  // given back when the thread ends
  }).join();
  CHECK(meter->live_bytes() == 7168);
  std::memset(block.get(), 3, 7000);
  const std::weak_ptr<MemoryMeter> watch = meter;
  meter.reset();
  CHECK(!watch.expired());
  const std::byte* place = block.get();
  block.reset();
  CHECK(watch.expired());
  CHECK(allocate_block(7000).get() == place);  // now in this thread's pool
}

TEST_CASE("memory: threads that pass blocks to each other count them once", "[unit]") {
  const auto meter = std::make_shared<MemoryMeter>();
  constexpr int kRounds = 2000;
  std::vector<std::shared_ptr<std::byte>> mailbox(kRounds);
  std::atomic<int> sent{0};
  std::thread sender([&] {
    const MemoryScope scope(meter);
    for (int i = 0; i < kRounds; ++i) {
      mailbox[static_cast<std::size_t>(i)] = allocate_block(static_cast<std::size_t>(256 + i));
      sent.store(i + 1);
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    while (sent.load() <= i) std::this_thread::yield();
    mailbox[static_cast<std::size_t>(i)].reset();
  }
  sender.join();
  CHECK(meter->live_bytes() == 0);
  CHECK(meter->peak_bytes() >= 256);
}

TEST_CASE("memory: trim_pool gives idle blocks back", "[unit]") {
  trim_pool();
  const std::size_t before = bytes_from_system();
  if (before == 0) return;
  constexpr std::size_t kBytes = std::size_t{8} << 20U;
  allocate_block(kBytes).reset();
  CHECK(bytes_from_system() >= before + kBytes);
  trim_pool();
  CHECK(bytes_from_system() < before + kBytes / 2);
}

TEST_CASE("memory: idle blocks that a thread no longer uses go back to the system", "[unit]") {
  trim_pool();
  const std::size_t before = bytes_from_system();
  if (before == 0) return;
  constexpr std::size_t kBytes = std::size_t{8} << 20U;
  {
    std::vector<std::shared_ptr<std::byte>> blocks(40);
    for (auto& block : blocks) block = allocate_block(kBytes);
    CHECK(bytes_from_system() >= before + 40 * kBytes);
  }
  // Other sizes, 16 times what is idle and again.
  for (int i = 0; i < 2 * 17 * 40; ++i) allocate_block(kBytes - kBytes / 4).reset();
  CHECK(bytes_from_system() < before + 13 * kBytes);  // 96 MiB
  trim_pool();
}

TEST_CASE("memory: a very large block goes back at once", "[unit]") {
  const std::size_t before = bytes_from_system();
  if (before == 0) return;
  constexpr std::size_t kBytes = std::size_t{320} << 20U;
  allocate_block(kBytes).reset();
  CHECK(bytes_from_system() < before + kBytes / 2);
}

TEST_CASE("memory: a thread that frees what others allocate keeps little of it", "[unit]") {
  trim_pool();
  const std::size_t before = bytes_from_system();
  if (before == 0) return;
  constexpr std::size_t kBytes = std::size_t{8} << 20U;
  for (int i = 0; i < 100; ++i) {
    std::shared_ptr<std::byte> block;
    std::thread([&] { block = allocate_block(kBytes); }).join();
  }
  CHECK(bytes_from_system() < before + 40 * kBytes);
  trim_pool();
}

TEST_CASE("memory: what a thread needs again and again stays, however large", "[unit]") {
  trim_pool();
  constexpr std::size_t kBytes = std::size_t{8} << 20U;
  std::set<const std::byte*> places;
  for (int cycle = 0; cycle < 200; ++cycle) {
    std::vector<std::shared_ptr<std::byte>> blocks(40);
    for (auto& block : blocks) block = allocate_block(kBytes);
    if (cycle < 100) continue;  // settles while sweeps learn the cycle
    for (const auto& block : blocks) places.insert(block.get());
  }
  CHECK(places.size() == 40);
  trim_pool();
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("memory: what the system does not have is an error", "[unit]") {
  const auto meter = std::make_shared<MemoryMeter>();
  const MemoryScope scope(meter);
  for (const int shift : {1, 0}) {
    const std::size_t bytes =
        std::numeric_limits<std::size_t>::max() >> static_cast<unsigned>(shift);
    try {
      static_cast<void>(allocate_block(bytes));
      FAIL_CHECK("no error");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::backend);
    }
  }
  CHECK(meter->live_bytes() == 0);
}
#endif

}  // namespace lra::engine::testing
