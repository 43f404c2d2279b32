#pragma once
// Features of a Pathfinder picture for a rule: the positions of its discs, and the cost of a smooth
// dashed line from one to the other.

#include <array>
#include <cstdint>
#include <span>

namespace lra::tasks::pathfinder {

struct Place {
  int y = 0, x = 0;
};

// The two discs.
struct Discs {
  std::array<Place, 2> centre;  // pixels whose upper left quarter holds the centre
  int level = 0;                // grey value at which they are drawn

  [[nodiscard]] double distance() const;  // in pixels
};

// Finds the two best centres of a disc of this radius in a picture of size x size grey values: its
// darkest pixel is bright and its rim is dark; the second disc does not touch the first.
[[nodiscard]] Discs find_discs(std::span<const std::uint8_t> pixels, int size, double radius);

// Mean grey value along the straight line between the discs' rims; 0 if they touch.
[[nodiscard]] double line_brightness(std::span<const std::uint8_t> pixels, int size,
                                     const Discs& discs, double radius);

// Cost of the cheapest path from one disc to the other that hops from lit pixel to lit pixel: for
// each hop its length and the darkness that it crosses, for each turn the square of its angle;
// turns over kTurn are not taken. kNoPath if there is none. Pictures over 32 x 32 are first reduced
// to that size by means over squares.
inline constexpr double kTurn = 1.3;  // rad
inline constexpr double kNoPath = 1e6;
[[nodiscard]] double trace_cost(std::span<const std::uint8_t> pixels, int size, const Discs& discs,
                                double radius);

}  // namespace lra::tasks::pathfinder
