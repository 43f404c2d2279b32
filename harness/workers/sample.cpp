#include "harness/workers/sample.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "engine/base/random.h"

namespace lra::harness {

std::vector<std::size_t> sample_of(std::size_t size, std::int64_t wanted, std::string_view use) {
  std::vector<std::size_t> all(size);
  std::iota(all.begin(), all.end(), 0);
  if (wanted <= 0 || static_cast<std::size_t>(wanted) >= size) return all;
  RandomStream random(RandomKey(0).of(use));
  const auto count = static_cast<std::size_t>(wanted);
  for (std::size_t i = 0; i < count; ++i) {
    const auto left = static_cast<std::uint32_t>(size - i);
    std::swap(all[i], all[i + random.below(left)]);
  }
  all.resize(count);
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace lra::harness
