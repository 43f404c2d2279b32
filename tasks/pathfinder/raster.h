#pragma once
// Drawing operations of the Pathfinder generator: lines as Pillow's ImageDraw draws them,
// grey-scale dilation by a disc and 8-bit Lanczos resizing as Pillow's, so that a paddle has the
// same grey values as in the official pictures. Coordinates are (y, x), y down.

#include <cstdint>
#include <span>
#include <vector>

namespace lra::tasks::pathfinder {

// A row-major 8-bit grey picture.
struct Raster {
  int height = 0;
  int width = 0;
  std::vector<std::uint8_t> pixels;  // [height, width]

  Raster(int rows, int columns)
      : height(rows),
        width(columns),
        pixels(static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns)) {}
  [[nodiscard]] bool inside(int y, int x) const {
    return y >= 0 && x >= 0 && y < height && x < width;
  }
  [[nodiscard]] std::size_t index(int y, int x) const {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
           static_cast<std::size_t>(x);
  }
  [[nodiscard]] std::uint8_t at(int y, int x) const { return pixels[index(y, x)]; }
  void set(int y, int x, std::uint8_t value) {
    if (inside(y, x)) pixels[index(y, x)] = value;
  }
};

// Draws a straight bar of value 255 between two cells, both included, clipped at the borders.
// width 1: Bresenham's line; wider: the quadrilateral whose long sides are (width - 1) / 2 off the
// axis, rounded up on one side and down on the other, filled by scan lines (Pillow 9, Draw.c).
void draw_line(Raster& raster, int y0, int x0, int y1, int x1, int width);

// out[p] = max of in[p + o] over offsets o with |o| <= radius; cells outside are ignored.
[[nodiscard]] Raster dilate_disc(const Raster& raster, int radius);

// The weights that take one axis of `in` cells to `out` cells: the Lanczos-3 window, its support
// stretched by in / out where that is above 1, centres at +0.5, normalised per output cell, then
// rounded to fixed point with kBits fractional bits (Pillow 9, Resample.c).
class LanczosAxis {
 public:
  static constexpr int kBits = 22;

  LanczosAxis(int in, int out);
  [[nodiscard]] int in() const { return in_; }
  [[nodiscard]] int out() const { return static_cast<int>(first_.size()); }
  // Input cells first(i) .. first(i) + weights(i).size() - 1 make up output cell i.
  [[nodiscard]] int first(int i) const { return first_[static_cast<std::size_t>(i)]; }
  [[nodiscard]] std::span<const std::int32_t> weights(int i) const;

 private:
  int in_;
  std::vector<int> first_;
  std::vector<std::size_t> start_;  // into weights_, one more than outputs
  std::vector<std::int32_t> weights_;
};

// Resizes along x, then along y, rounding and clipping to 0..255 after each.
[[nodiscard]] Raster resize(const Raster& raster, const LanczosAxis& rows,
                            const LanczosAxis& columns);

// A part of a picture: rows top .. top + height - 1 and columns left .. left + width - 1 of it,
// relative to a point defined by the owner.
struct Patch {
  int top = 0;
  int left = 0;
  Raster grey{0, 0};
};

// The smallest patch that contains all cells other than 0, relative to the raster's cell
// (origin_y, origin_x); empty if there are none.
[[nodiscard]] Patch trimmed(const Raster& raster, int origin_y, int origin_x);

// The part that can differ from 0 of the following picture: a disc of value 255 and radius `radius`
// around cell (centre_y, centre_x) on a square canvas with sides of axis.in() cells, resized to
// axis.out() cells.
[[nodiscard]] Patch resized_disc(const LanczosAxis& axis, int centre_y, int centre_x, int radius);

}  // namespace lra::tasks::pathfinder
