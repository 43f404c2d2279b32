#include "tasks/pathfinder/raster.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <numbers>

namespace lra::tasks::pathfinder {
namespace {

// Round to nearest, halves away from zero / towards zero.
int round_up(double value) {
  return static_cast<int>(std::copysign(std::floor(std::abs(value) + 0.5), value));
}
int round_down(double value) {
  return static_cast<int>(std::copysign(std::ceil(std::abs(value) - 0.5), value));
}

void draw_thin_line(Raster& raster, int y0, int x0, int y1, int x1) {
  const bool steep = std::abs(y1 - y0) >= std::abs(x1 - x0);
  const int along = steep ? std::abs(y1 - y0) : std::abs(x1 - x0);
  const int across = steep ? std::abs(x1 - x0) : std::abs(y1 - y0);
  const int step_y = y1 < y0 ? -1 : 1;
  const int step_x = x1 < x0 ? -1 : 1;
  int error = 2 * across - along;
  for (int i = 0; i < along; ++i) {
    raster.set(y0, x0, 255);
    const bool aside = error >= 0;
    if (aside) error -= 2 * along;
    error += 2 * across;
    if (steep || aside) y0 += step_y;
    if (!steep || aside) x0 += step_x;
  }
  raster.set(y1, x1, 255);
}

struct Vertex {
  int y, x;
};

void fill_row(Raster& raster, int y, int from, int to) {
  for (int x = from; x <= to; ++x) raster.set(y, x, 255);
}

// Scan-line filling of a convex quadrilateral. In each row the crossings of the edges are paired;
// an edge that ends above the last row counts twice there, which keeps the pairing right where two
// edges meet.
void fill_quadrilateral(Raster& raster, const std::array<Vertex, 4>& corner) {
  int top = corner[0].y;
  int bottom = corner[0].y;
  for (std::size_t i = 0; i < 4; ++i) {
    top = std::min(top, corner[i].y);
    bottom = std::max(bottom, corner[i].y);
    const Vertex& next = corner[(i + 1) % 4];
    if (corner[i].y == next.y) {
      fill_row(raster, next.y, std::min(corner[i].x, next.x), std::max(corner[i].x, next.x));
    }
  }
  std::vector<float> crossing;
  for (int y = top; y <= bottom; ++y) {
    crossing.clear();
    for (std::size_t i = 0; i < 4; ++i) {
      const Vertex& a = corner[i];
      const Vertex& b = corner[(i + 1) % 4];
      const int last = std::max(a.y, b.y);
      if (a.y == b.y || y < std::min(a.y, b.y) || y > last) continue;
      const float slope = static_cast<float>(b.x - a.x) / static_cast<float>(b.y - a.y);
      crossing.push_back(static_cast<float>(y - a.y) * slope + static_cast<float>(a.x));
      if (y == last && y < bottom) crossing.push_back(crossing.back());
    }
    std::sort(crossing.begin(), crossing.end());
    for (std::size_t i = 1; i < crossing.size(); i += 2) {
      fill_row(raster, y, round_up(crossing[i - 1]), round_down(crossing[i]));
    }
  }
}

double sinc(double x) {
  return x == 0 ? 1.0 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x);
}

double lanczos3(double x) { return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0.0; }

std::uint8_t to_grey(std::int64_t fixed) {
  const std::int64_t rounded = (fixed + (std::int64_t{1} << (LanczosAxis::kBits - 1))) >>
                               static_cast<unsigned>(LanczosAxis::kBits);
  return static_cast<std::uint8_t>(std::clamp<std::int64_t>(rounded, 0, 255));
}

}  // namespace

void draw_line(Raster& raster, int y0, int x0, int y1, int x1, int width) {
  const int dy = y1 - y0;
  const int dx = x1 - x0;
  if (width <= 1 || (dy == 0 && dx == 0)) {
    draw_thin_line(raster, y0, x0, y1, x1);
    return;
  }
  const double length = std::hypot(dx, dy);
  const double half = (width - 1) / 2.0;
  const double more = round_up(half) / length;
  const double less = round_down(half) / length;
  const int x_less = round_down(less * dy);
  const int x_more = round_down(more * dy);
  const int y_less = round_up(less * dx);
  const int y_more = round_up(more * dx);
  fill_quadrilateral(raster, {Vertex{y0 + y_more, x0 - x_less}, Vertex{y1 + y_more, x1 - x_less},
                              Vertex{y1 - y_less, x1 + x_more}, Vertex{y0 - y_less, x0 + x_more}});
}

Raster dilate_disc(const Raster& raster, int radius) {
  Raster result(raster.height, raster.width);
  for (int y = 0; y < raster.height; ++y) {
    for (int x = 0; x < raster.width; ++x) {
      std::uint8_t best = 0;
      for (int dy = -radius; dy <= radius; ++dy) {
        for (int dx = -radius; dx <= radius; ++dx) {
          if (dy * dy + dx * dx > radius * radius || !raster.inside(y + dy, x + dx)) continue;
          best = std::max(best, raster.at(y + dy, x + dx));
        }
      }
      result.set(y, x, best);
    }
  }
  return result;
}

LanczosAxis::LanczosAxis(int in, int out) : in_(in), start_{0} {
  const double scale = static_cast<double>(in) / out;
  const double stretch = std::max(scale, 1.0);
  const double support = 3.0 * stretch;
  for (int i = 0; i < out; ++i) {
    const double centre = (i + 0.5) * scale;
    const int from = std::max(static_cast<int>(std::lround(centre - support)), 0);
    const int to = std::min(static_cast<int>(std::lround(centre + support)), in);
    std::vector<double> weight;
    double sum = 0;
    for (int x = from; x < to; ++x) {
      weight.push_back(lanczos3((x - centre + 0.5) / stretch));
      sum += weight.back();
    }
    for (const double w : weight) {
      weights_.push_back(static_cast<std::int32_t>(std::lround(w / sum * (1 << kBits))));
    }
    first_.push_back(from);
    start_.push_back(weights_.size());
  }
}

std::span<const std::int32_t> LanczosAxis::weights(int i) const {
  const auto at = static_cast<std::size_t>(i);
  return std::span(weights_).subspan(start_[at], start_[at + 1] - start_[at]);
}

Raster resize(const Raster& raster, const LanczosAxis& rows, const LanczosAxis& columns) {
  Raster narrow(raster.height, columns.out());
  for (int y = 0; y < raster.height; ++y) {
    for (int i = 0; i < columns.out(); ++i) {
      std::int64_t sum = 0;
      int x = columns.first(i);
      for (const std::int32_t weight : columns.weights(i)) {
        sum += std::int64_t{weight} * raster.at(y, x++);
      }
      narrow.set(y, i, to_grey(sum));
    }
  }
  Raster result(rows.out(), columns.out());
  for (int i = 0; i < rows.out(); ++i) {
    for (int x = 0; x < columns.out(); ++x) {
      std::int64_t sum = 0;
      int y = rows.first(i);
      for (const std::int32_t weight : rows.weights(i)) {
        sum += std::int64_t{weight} * narrow.at(y++, x);
      }
      result.set(i, x, to_grey(sum));
    }
  }
  return result;
}

Patch trimmed(const Raster& raster, int origin_y, int origin_x) {
  int top = raster.height;
  int left = raster.width;
  int bottom = -1;
  int right = -1;
  for (int y = 0; y < raster.height; ++y) {
    for (int x = 0; x < raster.width; ++x) {
      if (raster.at(y, x) == 0) continue;
      top = std::min(top, y);
      left = std::min(left, x);
      bottom = std::max(bottom, y);
      right = std::max(right, x);
    }
  }
  if (bottom < 0) return {};
  Patch patch{top - origin_y, left - origin_x, Raster(bottom - top + 1, right - left + 1)};
  for (int y = top; y <= bottom; ++y) {
    for (int x = left; x <= right; ++x) patch.grey.set(y - top, x - left, raster.at(y, x));
  }
  return patch;
}

Patch resized_disc(const LanczosAxis& axis, int centre_y, int centre_x, int radius) {
  // Output cells whose support can touch the disc: the window spans 3 output cells to each side.
  const double scale = static_cast<double>(axis.in()) / axis.out();
  const auto low = [&](int centre) {
    return std::max(static_cast<int>((centre - radius) / scale) - 4, 0);
  };
  const auto high = [&](int centre) {
    return std::min(static_cast<int>((centre + radius) / scale) + 4, axis.out() - 1);
  };
  Patch patch{low(centre_y), low(centre_x), Raster(0, 0)};
  const int height = high(centre_y) - patch.top + 1;
  const int width = high(centre_x) - patch.left + 1;
  const int from_row = std::max(centre_y - radius, 0);
  const int to_row = std::min(centre_y + radius, axis.in() - 1);
  Raster narrow(to_row - from_row + 1, width);
  for (int y = from_row; y <= to_row; ++y) {
    const int dy = y - centre_y;
    const int reach = static_cast<int>(std::sqrt(radius * radius - dy * dy));
    for (int i = 0; i < width; ++i) {
      const int first = axis.first(patch.left + i);
      const auto weights = axis.weights(patch.left + i);
      const int from = std::max(centre_x - reach, first);
      const int to = std::min(centre_x + reach, first + static_cast<int>(weights.size()) - 1);
      std::int64_t sum = 0;
      for (int x = from; x <= to; ++x) sum += weights[static_cast<std::size_t>(x - first)];
      narrow.set(y - from_row, i, to_grey(255 * sum));
    }
  }
  patch.grey = Raster(height, width);
  for (int i = 0; i < height; ++i) {
    const int first = axis.first(patch.top + i);
    const auto weights = axis.weights(patch.top + i);
    const int from = std::max(from_row, first);
    const int to = std::min(to_row, first + static_cast<int>(weights.size()) - 1);
    for (int x = 0; x < width; ++x) {
      std::int64_t sum = 0;
      for (int y = from; y <= to; ++y) {
        sum +=
            std::int64_t{weights[static_cast<std::size_t>(y - first)]} * narrow.at(y - from_row, x);
      }
      patch.grey.set(i, x, to_grey(sum));
    }
  }
  return patch;
}

}  // namespace lra::tasks::pathfinder
