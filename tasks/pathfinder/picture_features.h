#pragma once
// Features of a Pathfinder picture computed from its pixels alone, for comparing generated pictures
// with official ones.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace lra::tasks::pathfinder {

class PictureFeatures {
 public:
  PictureFeatures(std::span<const std::uint8_t> pixels, int size) : pixels_(pixels), size_(size) {}

  [[nodiscard]] int count_from(int least) const {
    return static_cast<int>(
        std::count_if(pixels_.begin(), pixels_.end(), [&](int grey) { return grey >= least; }));
  }
  [[nodiscard]] double mean() const {
    double sum = 0;
    for (const std::uint8_t grey : pixels_) sum += grey;
    return sum / static_cast<double>(pixels_.size());
  }
  // 8-connected areas of pixels of at least `least`.
  [[nodiscard]] int components(int least) const {
    std::vector<bool> seen(pixels_.size());
    std::vector<std::pair<int, int>> stack;
    int found = 0;
    for (int y = 0; y < size_; ++y) {
      for (int x = 0; x < size_; ++x) {
        if (!take(y, x, least, seen)) continue;
        ++found;
        stack.emplace_back(y, x);
        while (!stack.empty()) {
          const auto [cy, cx] = stack.back();
          stack.pop_back();
          for (int dy = -1; dy <= 1; ++dy) {
            for (int dx = -1; dx <= 1; ++dx) {
              if (take(cy + dy, cx + dx, least, seen)) stack.emplace_back(cy + dy, cx + dx);
            }
          }
        }
      }
    }
    return found;
  }
  // Mean of the product of the grey values (over 255) dy rows and dx columns apart.
  [[nodiscard]] double correlation(int dy, int dx) const {
    double sum = 0;
    for (int y = 0; y + dy < size_; ++y) {
      for (int x = std::max(0, -dx); x < std::min(size_, size_ - dx); ++x) {
        sum += static_cast<double>(at(y, x)) * at(y + dy, x + dx);
      }
    }
    return sum / (255.0 * 255.0) / static_cast<double>(pixels_.size());
  }
  // Distance between the two best centres of a disc of the marker's radius: the darkest pixel of a
  // disc must be bright and its rim dark; the second disc does not touch the first. Dark pixels are
  // not tried: a marker has at least half of the greatest grey value.
  [[nodiscard]] double marker_distance(double radius) const {
    std::vector<double> score(pixels_.size());
    for (int y = 0; y < size_; ++y) {
      for (int x = 0; x < size_; ++x) score[index(y, x)] = disc_score(y, x, radius);
    }
    const auto best = [&] {
      const auto at = std::max_element(score.begin(), score.end()) - score.begin();
      return std::pair(static_cast<int>(at) / size_, static_cast<int>(at) % size_);
    };
    const auto [y0, x0] = best();
    for (int y = 0; y < size_; ++y) {
      for (int x = 0; x < size_; ++x) {
        if (std::hypot(y - y0, x - x0) <= 2 * radius) score[index(y, x)] = -1e9;
      }
    }
    const auto [y1, x1] = best();
    return std::hypot(y1 - y0, x1 - x0);
  }
  [[nodiscard]] double row_mean(int first, int count) const {
    double sum = 0;
    for (int y = first; y < first + count; ++y) {
      for (int x = 0; x < size_; ++x) sum += at(y, x);
    }
    return sum / (count * size_);
  }
  [[nodiscard]] double column_mean(int first, int count) const {
    double sum = 0;
    for (int y = 0; y < size_; ++y) {
      for (int x = first; x < first + count; ++x) sum += at(y, x);
    }
    return sum / (count * size_);
  }

 private:
  [[nodiscard]] std::size_t index(int y, int x) const {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(size_) +
           static_cast<std::size_t>(x);
  }
  [[nodiscard]] int at(int y, int x) const { return pixels_[index(y, x)]; }
  bool take(int y, int x, int least, std::vector<bool>& seen) const {
    if (y < 0 || x < 0 || y >= size_ || x >= size_) return false;
    if (seen[index(y, x)] || at(y, x) < least) return false;
    seen[index(y, x)] = true;
    return true;
  }
  [[nodiscard]] double disc_score(int y, int x, double radius) const {
    if (at(y, x) < 100) return -1e9;
    // The drawn disc is centred a quarter pixel up and left of its pixel's centre.
    const int reach = static_cast<int>(radius) + 2;
    double darkest = 255;
    double rim = 0;
    int rim_cells = 0;
    for (int dy = -reach; dy <= reach; ++dy) {
      for (int dx = -reach; dx <= reach; ++dx) {
        const bool inside = y + dy >= 0 && x + dx >= 0 && y + dy < size_ && x + dx < size_;
        const int grey = inside ? at(y + dy, x + dx) : 0;
        const double distance = std::hypot(dy + 0.25, dx + 0.25);
        if (distance <= radius - 0.3) darkest = std::min(darkest, static_cast<double>(grey));
        if (distance > radius + 0.5 && distance <= radius + 1.5) {
          rim += grey;
          ++rim_cells;
        }
      }
    }
    return darkest - rim / rim_cells;
  }

  std::span<const std::uint8_t> pixels_;
  int size_;
};

// The isolated shapes of a picture (8-connected areas of pixels above 0, at most a third of its
// side high and wide and off its border), as text: rows of grey values. Mostly single paddles.
inline std::vector<std::string> isolated_shapes(std::span<const std::uint8_t> pixels, int size) {
  const auto index = [size](int y, int x) {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(size) +
           static_cast<std::size_t>(x);
  };
  std::vector<bool> seen(pixels.size());
  std::vector<std::string> shapes;
  for (int start = 0; start < size * size; ++start) {
    if (seen[static_cast<std::size_t>(start)] || pixels[static_cast<std::size_t>(start)] == 0) {
      continue;
    }
    std::vector<std::pair<int, int>> cells{{start / size, start % size}};
    seen[static_cast<std::size_t>(start)] = true;
    int top = size, left = size, bottom = 0, right = 0;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const auto [cy, cx] = cells[i];
      top = std::min(top, cy);
      left = std::min(left, cx);
      bottom = std::max(bottom, cy);
      right = std::max(right, cx);
      for (int y = std::max(cy - 1, 0); y <= std::min(cy + 1, size - 1); ++y) {
        for (int x = std::max(cx - 1, 0); x <= std::min(cx + 1, size - 1); ++x) {
          if (seen[index(y, x)] || pixels[index(y, x)] == 0) continue;
          seen[index(y, x)] = true;
          cells.emplace_back(y, x);
        }
      }
    }
    const bool on_border = top == 0 || left == 0 || bottom == size - 1 || right == size - 1;
    if (on_border || 3 * (bottom - top + 1) > size || 3 * (right - left + 1) > size) continue;
    std::string shape;
    for (int y = top; y <= bottom; ++y) {
      for (int x = left; x <= right; ++x) {
        shape += std::to_string(pixels[index(y, x)]) + (x == right ? ";" : " ");
      }
    }
    shapes.push_back(shape);
  }
  return shapes;
}

// Named numbers of one picture; the same names for every picture of a size.
inline std::map<std::string, double> picture_features(std::span<const std::uint8_t> pixels,
                                                      int size, double marker_radius) {
  const PictureFeatures picture(pixels, size);
  std::map<std::string, double> named;
  named["mean grey"] = picture.mean();
  named["lit pixels"] = picture.count_from(1);
  named["pixels from 64"] = picture.count_from(64);
  named["pixels from 192"] = picture.count_from(192);
  named["areas from 64"] = picture.components(64);
  named["areas from 192"] = picture.components(192);
  named["marker distance"] = picture.marker_distance(marker_radius);
  for (int bin = 0; bin < 16; ++bin) {
    named["grey bin " + std::to_string(bin)] =
        picture.count_from(16 * bin) - picture.count_from(16 * bin + 16);
  }
  const int band = size / 32;
  for (int i = 0; i < 32; ++i) {
    named["row band " + std::to_string(i)] = picture.row_mean(i * band, band);
    named["column band " + std::to_string(i)] = picture.column_mean(i * band, band);
  }
  for (const int lag : {1, 2, 3, 4, 6, 8, 12}) {
    const std::string text = std::to_string(lag);
    named["correlation across " + text] = picture.correlation(0, lag);
    named["correlation down " + text] = picture.correlation(lag, 0);
    named["correlation diagonal " + text] = picture.correlation(lag, lag);
    named["correlation antidiagonal " + text] = picture.correlation(lag, -lag);
  }
  return named;
}

}  // namespace lra::tasks::pathfinder
