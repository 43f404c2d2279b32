#pragma once
// A few of many, without repetition.

#include <cstddef>
#include <vector>

#include "engine/base/random.h"

namespace lra {

// `count` of the numbers 0..size-1 in ascending order, drawn with the key; all of them if there are
// no more. Those of a smaller count are among them.
[[nodiscard]] std::vector<std::size_t> sample_indices(std::size_t size, std::size_t count,
                                                      RandomKey key);

}  // namespace lra
