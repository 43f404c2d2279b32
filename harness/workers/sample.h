#pragma once
// Selection of a sample of a split's examples.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace lra::harness {

// Ascending indices of `wanted` examples (0: all), spread over the split by a fixed shuffle because
// splits may be sorted; the same indices for the same use.
[[nodiscard]] std::vector<std::size_t> sample_of(std::size_t size, std::int64_t wanted,
                                                 std::string_view use);

}  // namespace lra::harness
