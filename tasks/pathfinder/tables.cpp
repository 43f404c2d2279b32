#include "tasks/pathfinder/tables.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <map>
#include <numbers>

namespace lra::tasks::pathfinder {
namespace {

constexpr double kPi = std::numbers::pi;

// Creates each paddle once and finds it again by the end of its bar.
class PaddleMaker {
 public:
  PaddleMaker(const Setting& setting, int margin, std::vector<Paddle>& paddles)
      : margin_(margin),
        length_(setting.paddle_length * kAntialias),
        width_(static_cast<int>(std::lround(setting.paddle_thickness * kAntialias))),
        half_(setting.paddle_length + static_cast<int>(std::ceil(setting.paddle_thickness)) +
              margin),
        axis_(2 * half_ * kAntialias + 1, 2 * half_ + 1),
        paddles_(paddles) {}

  std::size_t at_angle(double angle) {
    const int centre = half_ * kAntialias;
    const int y = static_cast<int>(std::ceil(centre + length_ * std::sin(angle)));
    const int x = static_cast<int>(std::ceil(centre + length_ * std::cos(angle)));
    const auto [entry, is_new] = made_.try_emplace({y, x}, paddles_.size());
    if (is_new) paddles_.push_back(make(centre, y, x));
    return entry->second;
  }

 private:
  [[nodiscard]] Paddle make(int centre, int end_y, int end_x) const {
    Raster canvas(axis_.in(), axis_.in());
    draw_line(canvas, centre, centre, end_y, end_x, width_);
    const Raster picture = resize(canvas, axis_, axis_);
    const Raster mask = resize(dilate_disc(canvas, margin_ * kAntialias), axis_, axis_);
    Raster wide(mask.height + 2 * margin_, mask.width + 2 * margin_);
    for (int y = 0; y < mask.height; ++y) {
      for (int x = 0; x < mask.width; ++x) wide.set(y + margin_, x + margin_, mask.at(y, x));
    }
    return {trimmed(picture, half_, half_),
            trimmed(mask, half_, half_),
            trimmed(dilate_disc(wide, margin_), half_ + margin_, half_ + margin_),
            {-half_, -half_, mask}};
  }

  int margin_, length_, width_, half_;
  LanczosAxis axis_;
  std::vector<Paddle>& paddles_;
  std::map<std::pair<int, int>, std::size_t> made_;
};

// The kernel is the mask cut to a square of side 2 reach + 1, the paddle starting one cell below
// and right of the square's centre, which is the tested cell. Only cells that are fully 1 count.
SeedKernel seed_kernel(const Patch& mask, int reach) {
  SeedKernel kernel;
  std::array<bool, 4> quadrant{};
  for (int y = 0; y < mask.grey.height; ++y) {
    for (int x = 0; x < mask.grey.width; ++x) {
      const Point cell{mask.top + y + 1, mask.left + x + 1};
      if (std::max(std::abs(cell.y), std::abs(cell.x)) > reach) continue;
      if (mask.grey.at(y, x) != 255) continue;
      kernel.cells.push_back(cell);
      kernel.low = {std::min(kernel.low.y, cell.y), std::min(kernel.low.x, cell.x)};
      kernel.high = {std::max(kernel.high.y, cell.y), std::max(kernel.high.x, cell.x)};
      quadrant[0] = quadrant[0] || (cell.y <= 0 && cell.x <= 0);
      quadrant[1] = quadrant[1] || (cell.y <= 0 && cell.x >= 0);
      quadrant[2] = quadrant[2] || (cell.y >= 0 && cell.x <= 0);
      quadrant[3] = quadrant[3] || (cell.y >= 0 && cell.x >= 0);
    }
  }
  kernel.usable = quadrant[0] && quadrant[1] && quadrant[2] && quadrant[3];
  return kernel;
}

// The cells on a circle around (0, 0), one sample per pixel of arc, by y, then x.
std::vector<Point> circle(int radius) {
  std::vector<std::pair<int, int>> cells;
  const double step = 1.0 / radius;
  for (int k = 0; k * step < 2 * kPi; ++k) {
    cells.emplace_back(static_cast<int>(std::floor(radius * std::sin(k * step))),
                       static_cast<int>(std::floor(radius * std::cos(k * step))));
  }
  std::sort(cells.begin(), cells.end());
  cells.erase(std::unique(cells.begin(), cells.end()), cells.end());
  std::vector<Point> points;
  points.reserve(cells.size());
  for (const auto& [y, x] : cells) points.push_back({y, x});
  return points;
}

}  // namespace

double opposite(double angle) { return angle < 0 ? angle + kPi : angle - kPi; }

MarginTables::MarginTables(const Setting& setting, int margin_of_picture)
    : margin(margin_of_picture), candidates(circle(setting.paddle_length + margin_of_picture)) {
  std::vector<double> angles;
  for (int degree = -180; degree < 180; ++degree) angles.push_back(degree * kPi / 180);
  for (const Point& c : candidates) angles.push_back(std::atan2(c.y, c.x));
  PaddleMaker maker(setting, margin, paddles);
  for (const double angle : angles) {
    Direction direction{angle,
                        std::sin(angle),
                        std::cos(angle),
                        maker.at_angle(angle),
                        maker.at_angle(opposite(angle)),
                        {}};
    for (std::size_t c = 0; c < candidates.size(); ++c) {
      const double difference = std::abs(angles[kSeedDegrees + c] - angle);
      const double turn = std::min(difference, 2 * kPi - difference) * setting.continuity;
      if (turn < kPi / 2) direction.next.emplace_back(c, std::pow(std::cos(turn), 2));
    }
    directions.push_back(std::move(direction));
  }
  for (std::size_t degree = 0; degree < kSeedDegrees; ++degree) {
    kernels.push_back(
        seed_kernel(paddles[directions[degree].along].complete, setting.paddle_length + margin));
  }
}

}  // namespace lra::tasks::pathfinder
