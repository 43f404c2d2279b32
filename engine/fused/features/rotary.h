#pragma once
// Rotary positions (Su et al. 2021, arXiv 2104.09864): pairs of features turned by an angle that
// depends on the token's position.

#include <cstdint>
#include <vector>

#include "engine/base/enum_text.h"
#include "engine/tape/tape.h"

namespace lra::engine {

// Which features are turned together.
enum class RotaryPairs {
  interleaved,  // (2m, 2m + 1)
  half,         // (m, m + D/2)
};
constexpr auto texts(RotaryPairs) { return enum_texts("interleaved", "half"); }

// How the rows of x [.., N, D] are turned: pair p is the features first[p] and second[p], in row i
// by the angle whose sine and cosine are sin[i, p] and cos[i, p]. Other features are unchanged.
struct Rotation {
  std::vector<std::int64_t> first, second;  // P features each
  Tensor sin, cos;                          // [rows, P] f32
};

// Position i turns pair m by i base^(-2m/D), m < D/2, for positions 0..length-1; for odd D the last
// feature is unchanged. Angles in double.
[[nodiscard]] Rotation rotation(std::int64_t length, std::int64_t D, double base,
                                RotaryPairs pairs);
// The pixels of a square image in row-major order: the first D/2 features are turned as above, with
// D/2 for D, by the row, the rest by the column. D is a multiple of 4.
[[nodiscard]] Rotation rotation_2d(std::int64_t side, std::int64_t D, double base,
                                   RotaryPairs pairs);

// (a, b) -> (a cos - b sin, a sin + b cos) for each pair: x [H, N, D] -> [H, N, D] of its type;
// rows beyond the table (padding) are unchanged. A hand-written loop: oneDNN has no rotation. The
// backward rotates in the opposite direction. Throws Error(shape).
[[nodiscard]] Value rotate(const Value& x, const Rotation& rotation);

}  // namespace lra::engine
