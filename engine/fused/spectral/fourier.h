#pragma once
// The discrete Fourier transform along tokens and features.

#include "engine/tape/tape.h"

namespace lra::engine {

// y = Re(F_n x F_E) over the first n rows of x [N, E], F_m = [e^(-2 pi i j k / m)], not normalised;
// rows from n on of y are 0. The map is its own transpose, so the backward is the same call.
// Along tokens, a hand-written FFT in f32 (oneDNN has none): radix 4 and 2 for powers of two,
// Bluestein's algorithm (1970) through a power of two for other n; two real columns make one
// complex one, and 16 of those are transformed side by side. Time O(N E log N) for any n. Along
// features a product with the cosine and sine matrices. Throws Error(shape).
[[nodiscard]] Value fourier_mix(const Value& x, std::int64_t n);

}  // namespace lra::engine
