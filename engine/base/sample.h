#pragma once
// Sampling without repetition.

#include <cstddef>
#include <vector>

#include "engine/base/random.h"

namespace lra {

// `count` of the numbers 0..size-1 in ascending order, drawn with the key; all numbers if there are
// fewer. A sample contains those of smaller counts.
[[nodiscard]] std::vector<std::size_t> sample_indices(std::size_t size, std::size_t count,
                                                      RandomKey key);

}  // namespace lra
