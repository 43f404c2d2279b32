#include "tasks/pathfinder/growth.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

namespace lra::tasks::pathfinder {
namespace {

constexpr double kTolerance = 0.03;   // of the discs' brightness: rounding to 8 bits
constexpr double kBrighter = 0.3;     // cost of a brighter pixel relative to that of a darker one
constexpr double kMissing = 0.4;      // cost from which a bar counts as missing
constexpr double kImprobable = 0.05;  // cost per unit of the negative logarithm of a turn's weight

constexpr double kHidden = -1;  // instead of a brightness: under a disc

// The pixels in units of the discs' brightness.
std::vector<double> brightness_of(std::span<const std::uint8_t> pixels, const Setting& setting,
                                  const Discs& discs) {
  std::vector<double> brightness(pixels.size());
  std::transform(pixels.begin(), pixels.end(), brightness.begin(),
                 [&](std::uint8_t grey) { return grey / static_cast<double>(discs.level); });
  const double radius = setting.marker_radius + 0.6;  // a disc lights pixels partly beyond its own
  const int reach = static_cast<int>(radius) + 1;
  for (const Place& centre : discs.centre) {
    for (int y = std::max(centre.y - reach, 0); y <= std::min(centre.y + reach, setting.size - 1);
         ++y) {
      for (int x = std::max(centre.x - reach, 0); x <= std::min(centre.x + reach, setting.size - 1);
           ++x) {
        // A disc's centre is a quarter pixel above and left of its pixel's.
        if (std::hypot(y - centre.y + 0.25, x - centre.x + 0.25) >= radius) continue;
        brightness[static_cast<std::size_t>(y * setting.size + x)] = kHidden;
      }
    }
  }
  return brightness;
}

// Looks for chains in one picture under one margin.
class Search {
 public:
  Search(const Setting& setting, const MarginTables& tables, std::span<const double> brightness)
      : setting_(setting), tables_(tables), brightness_(brightness) {}

  // The least cost of a chain that starts in one disc and ends in the other.
  double run(const Place& start, const Place& end) {
    next_.clear();
    plant({start.y, start.x});
    for (int bars = 2; bars < setting_.contour_length && !next_.empty(); ++bars) {
      layer_.clear();
      std::swap(layer_, next_);
      for (const auto& [key, cost] : layer_) {
        const auto [pivot, candidate] = state_of(key);
        extend(pivot, MarginTables::kSeedDegrees + candidate, cost);
      }
    }
    double best = kNoGrowth;
    for (const auto& [key, cost] : next_) {
      const auto [pivot, candidate] = state_of(key);
      const Point head = head_of(pivot, candidate);
      if (head.y == end.y && head.x == end.x) best = std::min(best, cost);
    }
    return best;
  }

 private:
  // A state: the pivot around which a bar's head was chosen, and the candidate that it is.
  using Layer = std::unordered_map<std::size_t, double>;

  [[nodiscard]] std::size_t key_of(Point at, std::size_t candidate) const {
    return (static_cast<std::size_t>(at.y) * static_cast<std::size_t>(setting_.size) +
            static_cast<std::size_t>(at.x)) *
               tables_.candidates.size() +
           candidate;
  }
  [[nodiscard]] std::pair<Point, std::size_t> state_of(std::size_t key) const {
    const std::size_t candidates = tables_.candidates.size();
    const auto size = static_cast<std::size_t>(setting_.size);
    return {{static_cast<int>(key / candidates / size), static_cast<int>(key / candidates % size)},
            key % candidates};
  }
  [[nodiscard]] Point head_of(Point pivot, std::size_t candidate) const {
    const Point& offset = tables_.candidates[candidate];
    return {pivot.y + offset.y, pivot.x + offset.x};
  }
  [[nodiscard]] bool inside(Point p) const {
    return p.y >= 0 && p.x >= 0 && p.y < setting_.size && p.x < setting_.size;
  }
  static Point moved(Point from, double sine, double cosine, double distance) {
    return {static_cast<int>(std::ceil(from.y + distance * sine)),
            static_cast<int>(std::ceil(from.x + distance * cosine))};
  }
  // Cost of a bar in the picture; pixels under discs are ignored.
  [[nodiscard]] double misfit(std::size_t paddle, Point at) const {
    constexpr int kFaint = 20;
    const Patch& patch = tables_.paddles[paddle].picture;
    double cost = 0;
    for (int py = 0; py < patch.grey.height; ++py) {
      for (int px = 0; px < patch.grey.width; ++px) {
        const int grey = patch.grey.at(py, px);
        const Point p{at.y + patch.top + py, at.x + patch.left + px};
        if (grey < kFaint || !inside(p)) continue;
        const double found = brightness_[static_cast<std::size_t>(p.y * setting_.size + p.x)];
        if (found == kHidden) continue;
        const double brighter = found - grey / 255.0 * setting_.target_contrast;
        if (brighter < -kTolerance) cost -= brighter;
        if (brighter > kTolerance) cost += kBrighter * brighter;
      }
    }
    return cost;
  }

  // First bars in every whole degree, and what can grow from them.
  void plant(Point tail) {
    std::unordered_map<std::size_t, double> misfits;  // by paddle
    for (std::size_t degree = 0; degree < MarginTables::kSeedDegrees; ++degree) {
      const Direction& along = tables_.directions[degree];
      auto [known, fresh] = misfits.try_emplace(along.along, 0);
      if (fresh) known->second = misfit(along.along, tail);
      if (known->second > kMissing) continue;
      const double back = opposite(along.angle);
      const Point head = moved(tail, along.sine, along.cosine, setting_.paddle_length);
      const Point pivot =
          moved(head, std::sin(back), std::cos(back), setting_.paddle_length + tables_.margin);
      if (inside(head) && inside(pivot)) extend(pivot, degree, known->second);
    }
  }

  // All bars that can follow a bar around `pivot` in a direction.
  void extend(Point pivot, std::size_t direction, double cost) {
    const Direction& last = tables_.directions[direction];
    const Point next_pivot =
        moved(pivot, last.sine, last.cosine, setting_.paddle_length + 2 * tables_.margin);
    if (!inside(next_pivot)) return;
    for (const auto& [candidate, weight] : last.next) {
      const Point head = head_of(next_pivot, candidate);
      if (!inside(head)) continue;
      auto [known, fresh] = misfits_.try_emplace(key_of(head, candidate), 0);
      if (fresh) {
        const Direction& along = tables_.directions[MarginTables::kSeedDegrees + candidate];
        known->second = misfit(along.against, head);
      }
      if (known->second > kMissing) continue;
      const double total = cost + known->second - kImprobable * std::log(weight);
      auto [best, first] = next_.try_emplace(key_of(next_pivot, candidate), total);
      if (!first) best->second = std::min(best->second, total);
    }
  }

  const Setting& setting_;
  const MarginTables& tables_;
  std::span<const double> brightness_;
  Layer layer_, next_;
  std::unordered_map<std::size_t, double> misfits_;  // of bars by head and candidate
};

}  // namespace

GrowthRule::GrowthRule(Setting setting) : setting_(std::move(setting)) {
  for (const int margin : setting_.margins) tables_.emplace_back(setting_, margin);
}

double GrowthRule::cost(std::span<const std::uint8_t> pixels, const Discs& discs) const {
  if (discs.level == 0) return kNoGrowth;
  const auto brightness = brightness_of(pixels, setting_, discs);
  double best = kNoGrowth;
  for (const MarginTables& tables : tables_) {
    Search search(setting_, tables, brightness);
    best = std::min({best, search.run(discs.centre[0], discs.centre[1]),
                     search.run(discs.centre[1], discs.centre[0])});
  }
  return best;
}

}  // namespace lra::tasks::pathfinder
