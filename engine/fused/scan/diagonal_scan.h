#pragma once
// Linear recurrences with a diagonal transition.

#include "engine/tape/tape.h"

namespace lra::engine {

struct DiagonalScanOptions {
  bool complex = false;    // the last axis is [real | imaginary], each half of it
  bool reverse = false;    // from the last step to the first
  bool exclusive = false;  // y_t is the state before x_t enters it
};

// h_t = a h_(t-1) + x_t, y_t = h_t (exclusive: y_t = h_(t-1)), h = 0 at the start, element-wise; a
// is the same at all times, or a_t, that of the step's row. x [B, T, S] and a [B, S] or [B, T, S]
// in f32 -> [B, T, S]. With `complex`, S is S/2 complex numbers. A hand-written loop over time,
// vectorised over S: oneDNN has no recurrence without matrices. The backward is the same recurrence
// in the opposite direction with the conjugate of a. Throws Error(shape).
[[nodiscard]] Value diagonal_scan(const Value& x, const Value& a,
                                  const DiagonalScanOptions& options = {});

}  // namespace lra::engine
