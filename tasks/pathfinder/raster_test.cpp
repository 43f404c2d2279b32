#include "tasks/pathfinder/raster.h"

#include <cmath>
#include <numbers>
#include <numeric>
#include <string>
#include <vector>

#include "tests/catch.h"

using namespace lra::tasks::pathfinder;

namespace {

std::string drawn(const Raster& raster) {
  std::string text;
  for (int y = 0; y < raster.height; ++y) {
    for (int x = 0; x < raster.width; ++x) text += raster.at(y, x) != 0 ? '#' : '.';
    text += '\n';
  }
  return text;
}

std::string line(int size, int y0, int x0, int y1, int x1, int width) {
  Raster raster(size, size);
  draw_line(raster, y0, x0, y1, x1, width);
  return drawn(raster);
}

}  // namespace

TEST_CASE("pathfinder: thin lines are Bresenham's with both ends", "[unit]") {
  CHECK(line(5, 0, 0, 2, 4, 1) ==
        "#....\n"
        ".##..\n"
        "...##\n"
        ".....\n"
        ".....\n");
  CHECK(line(5, 4, 1, 0, 3, 1) ==
        "...#.\n"
        "...#.\n"
        "..#..\n"
        "..#..\n"
        ".#...\n");
  CHECK(line(3, 1, 1, 1, 1, 3) == "...\n.#.\n...\n");
  CHECK(line(3, 1, 0, 1, 5, 1) == "...\n###\n...\n");
}

TEST_CASE("pathfinder: wide lines are as many cells across as asked", "[unit]") {
  CHECK(line(7, 3, 1, 3, 5, 3) ==
        ".......\n"
        ".......\n"
        ".#####.\n"
        ".#####.\n"
        ".#####.\n"
        ".......\n"
        ".......\n");
  // An even width is wider by one on the side of growing y for a line to the right.
  CHECK(line(5, 2, 0, 2, 4, 2) ==
        ".....\n"
        ".....\n"
        "#####\n"
        "#####\n"
        ".....\n");
  CHECK(line(6, 1, 1, 4, 4, 3) ==
        "..#...\n"
        ".###..\n"
        "#####.\n"
        ".#####\n"
        "..###.\n"
        "...#..\n");
}

TEST_CASE("pathfinder: dilation is the maximum over a disc", "[unit]") {
  Raster raster(5, 5);
  raster.set(2, 2, 9);
  raster.set(0, 4, 7);
  const Raster fat = dilate_disc(raster, 1);
  CHECK(fat.at(2, 1) == 9);
  CHECK(fat.at(1, 1) == 0);
  CHECK(fat.at(1, 4) == 7);
  CHECK(dilate_disc(raster, 2).at(1, 3) == 9);
}

TEST_CASE("pathfinder: Lanczos weights follow the window and sum to one", "[unit]") {
  const LanczosAxis axis(37, 19);
  const double stretch = 37.0 / 19.0;
  for (int i = 0; i < axis.out(); ++i) {
    const auto weights = axis.weights(i);
    const auto sum = std::accumulate(weights.begin(), weights.end(), std::int64_t{0});
    CHECK(std::abs(sum - (std::int64_t{1} << LanczosAxis::kBits)) <= 12);
    // Ratios of weights are ratios of sinc(x) sinc(x / 3), whatever the normalisation.
    const auto window = [&](int cell) {
      const double x = (cell + 0.5 - (i + 0.5) * stretch) / stretch;
      const double a = std::numbers::pi * x;
      return x == 0 ? 1.0 : std::sin(a) / a * std::sin(a / 3) / (a / 3);
    };
    const int first = axis.first(i);
    const auto centre = static_cast<std::size_t>(std::floor((i + 0.5) * stretch) - first);
    for (std::size_t k = 0; k < weights.size(); ++k) {
      const double expected = window(first + static_cast<int>(k)) /
                              window(first + static_cast<int>(centre)) * weights[centre];
      CHECK(std::abs(weights[k] - expected) < 3);
    }
  }
  CHECK(axis.first(0) == 0);
  CHECK(axis.first(18) + static_cast<int>(axis.weights(18).size()) == 37);
}

TEST_CASE("pathfinder: resizing keeps a constant and clips overshoot", "[unit]") {
  Raster white(21, 21);
  for (auto& grey : white.pixels) grey = 255;
  const LanczosAxis axis(21, 11);
  for (const auto grey : resize(white, axis, axis).pixels) CHECK(grey == 255);
  Raster half(21, 21);
  for (int y = 0; y < 21; ++y) {
    for (int x = 10; x < 21; ++x) half.set(y, x, 255);
  }
  const Raster small = resize(half, axis, axis);
  CHECK(small.at(5, 0) == 0);
  CHECK(small.at(5, 4) == 0);  // undershoot beside the edge
  CHECK(small.at(5, 6) == 255);
}

TEST_CASE("pathfinder: a resized disc is the resized canvas with the disc on it", "[unit]") {
  const LanczosAxis axis(64, 32);
  const std::vector<std::vector<int>> discs{{30, 30, 3}, {0, 2, 6}, {62, 5, 5}, {10, 62, 10}};
  for (const auto& disc : discs) {
    Raster canvas(64, 64);
    for (int y = 0; y < 64; ++y) {
      for (int x = 0; x < 64; ++x) {
        const int dy = y - disc[0];
        const int dx = x - disc[1];
        if (dy * dy + dx * dx <= disc[2] * disc[2]) canvas.set(y, x, 255);
      }
    }
    Raster expected = resize(canvas, axis, axis);
    const Patch patch = resized_disc(axis, disc[0], disc[1], disc[2]);
    for (int y = 0; y < patch.grey.height; ++y) {
      for (int x = 0; x < patch.grey.width; ++x) {
        CHECK(expected.at(patch.top + y, patch.left + x) == patch.grey.at(y, x));
        expected.set(patch.top + y, patch.left + x, 0);
      }
    }
    for (const auto grey : expected.pixels) CHECK(grey == 0);
  }
}

TEST_CASE("pathfinder: trimming keeps exactly what is lit", "[unit]") {
  Raster raster(6, 7);
  raster.set(1, 2, 5);
  raster.set(4, 3, 6);
  const Patch patch = trimmed(raster, 3, 3);
  CHECK(patch.top == -2);
  CHECK(patch.left == -1);
  CHECK(patch.grey.height == 4);
  CHECK(patch.grey.width == 2);
  CHECK(patch.grey.at(0, 0) == 5);
  CHECK(patch.grey.at(3, 1) == 6);
  CHECK(trimmed(Raster(3, 3), 1, 1).grey.pixels.empty());
}
