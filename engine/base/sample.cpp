#include "engine/base/sample.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>

namespace lra {

std::vector<std::size_t> sample_indices(std::size_t size, std::size_t count, RandomKey key) {
  std::vector<std::size_t> indices(size);
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  if (count >= size) return indices;
  RandomStream random(key);
  for (std::size_t i = 0; i < count; ++i) {
    const auto left = static_cast<std::uint32_t>(size - i);
    std::swap(indices[i], indices[i + random.below(left)]);
  }
  indices.resize(count);
  std::sort(indices.begin(), indices.end());
  return indices;
}

}  // namespace lra
