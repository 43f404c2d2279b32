#pragma once
// The snakes of one Pathfinder picture: positions of paddles, and the cells that they take.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "engine/base/random.h"
#include "tasks/pathfinder/raster.h"
#include "tasks/pathfinder/setting.h"
#include "tasks/pathfinder/tables.h"

namespace lra::tasks::pathfinder {

// A square map of a picture's size. Patches are clipped at its borders.
class Map {
 public:
  explicit Map(int size) : size_(size), grey_(size, size) {}
  [[nodiscard]] std::uint8_t at(Point p) const { return grey_.at(p.y, p.x); }
  [[nodiscard]] const std::vector<std::uint8_t>& cells() const { return grey_.pixels; }
  void set(Point p, std::uint8_t value) { grey_.set(p.y, p.x, value); }
  // Takes the maximum with the patch.
  void merge(const Patch& patch, Point at);
  // Whether the greatest sum of this map and the patch, as masks in [0, 1], stays below 1.8.
  [[nodiscard]] bool clear_of(const Patch& patch, Point at) const;

 private:
  template <class Self, class Visit>
  static bool over_rows(Self& self, const Patch& patch, Point at, Visit visit);

  int size_;
  Raster grey_;
};

// The cells that are taken, and the same dilated by a disc of the margin. Dilation and maximum
// commute, so both are kept up to date paddle by paddle. (A paddle's part outside the picture could
// only add to the dilated map at the rim, which is 1 there from the start.)
struct Occupancy {
  Map mask, dilated;

  // The rim alone.
  Occupancy(const Setting& setting, const MarginTables& tables);
  void add(const Paddle& paddle, Point at);
};

struct Placement {
  std::size_t paddle = 0;
  Point at;
};

// The growing end of a snake. Its newest paddle is pending: not in the mask, so that it does not
// block the next.
struct Snake {
  Point pivot;
  std::size_t direction = 0;
  Placement pending;
  Point origin, tip;
};

// Lays the snakes of one picture.
class SnakePainter {
 public:
  SnakePainter(const Setting& setting, const MarginTables& tables, const Occupancy& blank,
               RandomStream& random);
  // Lays all snakes; returns the number of distractors among them.
  int paint();
  [[nodiscard]] const std::array<Snake, 2>& targets() const { return targets_; }
  [[nodiscard]] std::span<const Placement> target_paddles() const {
    return std::span(placed_).first(target_paddles_);
  }
  [[nodiscard]] std::span<const Placement> distractor_paddles() const {
    return std::span(placed_).subspan(target_paddles_);
  }

 private:
  [[nodiscard]] bool inside(Point p) const;
  [[nodiscard]] std::size_t random_degree();
  bool lay_seed(Snake& snake, Point tail, std::size_t degree) const;
  bool seed_in_centre(const SeedKernel& kernel, Point& tail);
  bool first_target_seed(Snake& snake);
  bool second_target_seed(Snake& snake, Point first_tail);
  [[nodiscard]] bool free_under(const SeedKernel& kernel, Point at) const;
  bool seed_anywhere(const SeedKernel& kernel, Point& tail);
  bool distractor_seed(Snake& snake);
  double weigh_heads(Point pivot, const Direction& last);
  bool extend(Snake& snake);
  void settle(const Snake& snake);
  bool draw_targets();
  bool draw_distractor();

  const Setting& setting_;
  const MarginTables& tables_;
  const Occupancy& blank_;
  RandomStream& random_;
  Occupancy taken_, before_;
  std::vector<Placement> placed_;
  std::size_t target_paddles_ = 0;
  std::vector<std::pair<std::size_t, double>> heads_;  // candidates with cumulative weights
  std::array<Snake, 2> targets_;
};

}  // namespace lra::tasks::pathfinder
