// Tar archives, plain and compressed: names and links that leave the folder are refused, and an
// entry has as many bytes as stated or is refused.

#include <algorithm>
#include <cstdlib>

#include "engine/base/fuzz.h"
#include "tasks/io/archive.h"

namespace fuzz = lra::fuzz;
using namespace lra::tasks;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::uint64_t kLimit = 1 << 20;  // a small input may claim terabytes
  std::size_t at = 0;
  const auto source = [&](std::span<std::byte> buffer) {
    const std::size_t count = std::min(buffer.size(), size - at);
    std::copy_n(reinterpret_cast<const std::byte*>(data) + at, count, buffer.begin());
    at += count;
    return count;
  };
  fuzz::read([&] {
    read_archive(source, "fuzz.tar", {"**"}, [](ArchiveEntry& entry) {
      if (!is_safe_relative_path(entry.name())) std::abort();
      if (entry.size() > kLimit) return;
      if (entry.read_all(kLimit).size() != entry.size()) std::abort();
    });
  });
  return 0;
}
