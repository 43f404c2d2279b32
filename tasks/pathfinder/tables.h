#pragma once
// Precomputed tables of the Pathfinder generator: the pictures and masks of all possible paddles,
// the directions in which snakes can grow, and the possible positions of seeds. A paddle depends on
// its angle only through the cell of the fine canvas where its bar ends, so there are few.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "tasks/pathfinder/raster.h"
#include "tasks/pathfinder/setting.h"

namespace lra::tasks::pathfinder {

inline constexpr int kAntialias = 2;  // fine canvas cells per pixel

struct Point {
  int y = 0, x = 0;
};

// One paddle, relative to its start.
struct Paddle {
  Patch picture;   // anti-aliased bar
  Patch mask;      // the bar fattened by the margin: keeps other paddles away
  Patch dilated;   // the mask dilated by a disc of the margin: keeps other paddles' heads away
  Patch complete;  // the mask untrimmed
};

// A direction of growth that can occur: a whole degree (of a seed) or the direction from a pivot to
// a candidate for the next head.
struct Direction {
  double angle = 0, sine = 0, cosine = 0;
  std::size_t along = 0;    // the paddle drawn from its start in this direction
  std::size_t against = 0;  // and in the opposite one
  // Candidates with the weight cos(delta')^2 > 0 that growing in this direction gives them.
  std::vector<std::pair<std::size_t, double>> next;
};

// The cells that a seed needs free, relative to a tested cell.
struct SeedKernel {
  std::vector<Point> cells;
  Point low, high;  // bounding box of the cells and the tested cell
  // Whether a seed can have this direction at all. The original dilates its mask by the kernel with
  // OpenCV, for which a cell whose whole kernel is outside the picture becomes minus infinity; it
  // then takes a negative value anywhere for "no cell is free". So a kernel that leaves the picture
  // wholly at one of the four corners never seeds: seeds grow up and to the left, mostly.
  bool usable = false;
};

// The tables for a setting and one margin.
struct MarginTables {
  MarginTables(const Setting& setting, int margin_of_picture);

  int margin;
  std::vector<Point> candidates;  // heads around a pivot, by y, then x
  std::vector<Paddle> paddles;
  // kSeedDegrees whole degrees from -180 on, then one direction per candidate.
  std::vector<Direction> directions;
  std::vector<SeedKernel> kernels;  // [kSeedDegrees]

  static constexpr std::size_t kSeedDegrees = 360;
};

// The opposite angle, in [-pi, pi) for angles in [-pi, pi].
[[nodiscard]] double opposite(double angle);

}  // namespace lra::tasks::pathfinder
