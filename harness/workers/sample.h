#pragma once
// Which examples of a split are looked at, where not all are.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace lra::harness {

// `wanted` examples (0: all) of a split, spread over it by a fixed shuffle, as splits may be
// sorted: ascending indices, the same ones for the same use.
[[nodiscard]] std::vector<std::size_t> sample_of(std::size_t size, std::int64_t wanted,
                                                 std::string_view use);

}  // namespace lra::harness
