#pragma once
// Stand-in pictures, for machines without CIFAR-10.
//
// Construction: 32 x 32 grey values, ten kinds of drawing: horizontal, vertical, rising and
// falling stripes, a chessboard, a disc, a ring, a square's outline, an upright cross and a
// diagonal cross; period, phase, size, place, brightness of drawing and ground are drawn at random
// (the drawing is lighter or darker than the ground by 60 or more), then normal noise of standard
// deviation 20 is added. The kinds are equally likely. A person recognises nearly all of them
// (close to 100 %), always answering one kind scores 10 %, and brightness alone is uninformative.

#include <cstdint>

#include "tasks/image/cifar.h"

namespace lra::tasks::image {

inline constexpr int kStandInVersion = 1;
inline constexpr std::array<std::int64_t, 3> kStandInCounts{10000, 1000, 2000};

// Picture i of a split, determined by seed, split and i.
[[nodiscard]] Picture stand_in_picture(std::uint64_t seed, Split split, std::uint64_t index);

}  // namespace lra::tasks::image
