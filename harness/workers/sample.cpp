#include "harness/workers/sample.h"

#include "engine/base/sample.h"

namespace lra::harness {

std::vector<std::size_t> sample_of(std::size_t size, std::int64_t wanted, std::string_view use) {
  const std::size_t count = wanted <= 0 ? size : static_cast<std::size_t>(wanted);
  return sample_indices(size, count, RandomKey(0).of(use));
}

}  // namespace lra::harness
