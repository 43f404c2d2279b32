#pragma once
// Dropout.

#include "engine/base/random.h"
#include "engine/tape/tape.h"

namespace lra::engine {

// x keep / (1 - p) with keep drawn from the key alone: the same on any thread, and again in the
// backward, which stores no mask. p in [0, 1); p is rounded to a multiple of 2^-16.
[[nodiscard]] Value dropout(const Value& x, double p, RandomKey key);

}  // namespace lra::engine
