#include "tasks/pathfinder/tracing.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <queue>
#include <utility>
#include <vector>

namespace lra::tasks::pathfinder {
namespace {

constexpr double kQuarter =
    0.25;  // a disc's centre is so much above and left of its pixel's centre

std::size_t index_of(int size, int y, int x) {
  return static_cast<std::size_t>(y) * static_cast<std::size_t>(size) + static_cast<std::size_t>(x);
}

// The pixels of a disc around its centre and those of the rim around it, as offsets.
struct Footprint {
  std::vector<Place> inside, rim;

  explicit Footprint(double radius) {
    const int reach = static_cast<int>(radius) + 2;
    for (int dy = -reach; dy <= reach; ++dy) {
      for (int dx = -reach; dx <= reach; ++dx) {
        const double distance = std::hypot(dy + kQuarter, dx + kQuarter);
        if (distance <= radius - 0.3) inside.push_back({dy, dx});
        if (distance > radius + 0.5 && distance <= radius + 1.5) rim.push_back({dy, dx});
      }
    }
  }
};

struct DiscFit {
  Place centre;
  int darkest = 0;   // of its own pixels
  double score = 0;  // that minus the mean of the rim
};

DiscFit fit_disc(std::span<const std::uint8_t> pixels, int size, Place centre,
                 const Footprint& footprint) {
  const auto grey = [&](const Place& offset) {
    const int y = centre.y + offset.y;
    const int x = centre.x + offset.x;
    return y >= 0 && x >= 0 && y < size && x < size ? int{pixels[index_of(size, y, x)]} : 0;
  };
  DiscFit fit{centre, 255, 0};
  for (const Place& offset : footprint.inside) fit.darkest = std::min(fit.darkest, grey(offset));
  int rim = 0;
  for (const Place& offset : footprint.rim) rim += grey(offset);
  fit.score = fit.darkest - static_cast<double>(rim) / static_cast<double>(footprint.rim.size());
  return fit;
}

// A point of the traced picture: the discs' centres first, then every lit pixel outside them.
struct Dot {
  double y = 0, x = 0;
};

struct Hop {
  std::size_t to = 0;
  double cost = 0;
  double angle = 0;
};

// A picture of 32 x 32 with values in units of the discs' brightness.
struct Reduced {
  static constexpr int kSide = 32;
  std::vector<double> value = std::vector<double>(kSide * kSide);
  std::array<Dot, 2> disc;
  double radius = 0;

  Reduced(std::span<const std::uint8_t> pixels, int size, const Discs& discs, double disc_radius) {
    const int cell = std::max(size / kSide, 1);
    const double unit = std::max(discs.level, 1) * cell * cell;
    for (int y = 0; y < std::min(size, kSide * cell); ++y) {
      for (int x = 0; x < std::min(size, kSide * cell); ++x) {
        value[index_of(kSide, y / cell, x / cell)] += pixels[index_of(size, y, x)] / unit;
      }
    }
    for (std::size_t i = 0; i < disc.size(); ++i) {
      const auto reduced = [cell](int at) { return (at - kQuarter + 0.5) / cell - 0.5; };
      disc[i] = {reduced(discs.centre[i].y), reduced(discs.centre[i].x)};
    }
    radius = disc_radius / cell + 0.4;  // its pixels are lit partly beyond the radius
  }
  [[nodiscard]] bool in_disc(int y, int x) const {
    return std::any_of(disc.begin(), disc.end(), [&](const Dot& centre) {
      return std::hypot(y - centre.y, x - centre.x) < radius;
    });
  }
};

// The hops from each point.
std::vector<std::vector<Hop>> hops_of(const std::vector<Dot>& points, double disc_radius) {
  constexpr double kReach = 3.3;     // pixels: over a bar's gap
  constexpr double kFirstReach = 3;  // beyond a disc's rim: the bar that starts at its centre is
                                     // mostly covered
  constexpr double kLength = 0.1;    // cost per pixel
  std::vector<std::vector<Hop>> hops(points.size());
  for (std::size_t a = 0; a < points.size(); ++a) {
    for (std::size_t b = 0; b < points.size(); ++b) {
      if (a == b || (a < 2 && b < 2)) continue;
      const bool disc = a < 2 || b < 2;
      const double dy = points[b].y - points[a].y;
      const double dx = points[b].x - points[a].x;
      const double distance = std::hypot(dy, dx);
      if (distance > (disc ? kFirstReach + disc_radius : kReach)) continue;
      const double gap = std::max(0.0, distance - (disc ? disc_radius : 1));
      hops[a].push_back({b, kLength * distance + gap * gap, std::atan2(dy, dx)});
    }
  }
  return hops;
}

// Cheapest path from point 0 to point 1, over hops: Dijkstra's algorithm.
double cheapest(const std::vector<std::vector<Hop>>& hops) {
  constexpr double kTurnCost = 2;  // per square of the angle in rad
  std::vector<std::size_t> first{0};
  for (const auto& from : hops) first.push_back(first.back() + from.size());
  std::vector<double> best(first.back(), std::numeric_limits<double>::infinity());
  struct State {
    double cost;
    std::size_t from, number;  // of the hop
    bool operator>(const State& other) const {
      return std::pair(cost, from) > std::pair(other.cost, other.from);
    }
  };
  std::priority_queue<State, std::vector<State>, std::greater<>> queue;
  const auto offer = [&](double cost, std::size_t from, std::size_t number) {
    double& known = best[first[from] + number];
    if (!(cost < known)) return;
    known = cost;
    queue.push({cost, from, number});
  };
  for (std::size_t h = 0; h < hops[0].size(); ++h) offer(hops[0][h].cost, 0, h);
  while (!queue.empty()) {
    const State state = queue.top();
    queue.pop();
    if (state.cost > best[first[state.from] + state.number]) continue;
    const Hop& hop = hops[state.from][state.number];
    if (hop.to == 1) return state.cost;
    for (std::size_t h = 0; h < hops[hop.to].size(); ++h) {
      const Hop& next = hops[hop.to][h];
      double turn = std::abs(next.angle - hop.angle);
      turn = std::min(turn, 2 * std::numbers::pi - turn);
      if (turn > kTurn) continue;
      offer(state.cost + next.cost + kTurnCost * turn * turn, hop.to, h);
    }
  }
  return kNoPath;
}

}  // namespace

double Discs::distance() const {
  return std::hypot(centre[0].y - centre[1].y, centre[0].x - centre[1].x);
}

Discs find_discs(std::span<const std::uint8_t> pixels, int size, double radius) {
  constexpr int kDarkest = 100;  // a disc has at least half of the greatest grey value
  const Footprint footprint(radius);
  std::vector<DiscFit> fits;
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      if (pixels[index_of(size, y, x)] < kDarkest) continue;
      fits.push_back(fit_disc(pixels, size, {y, x}, footprint));
    }
  }
  Discs discs;
  const auto take_best = [&](std::size_t number) {
    const auto best =
        std::max_element(fits.begin(), fits.end(),
                         [](const DiscFit& a, const DiscFit& b) { return a.score < b.score; });
    if (best == fits.end()) return;
    const Place centre = best->centre;
    discs.centre[number] = centre;
    discs.level = std::max(discs.level, best->darkest);
    std::erase_if(fits, [&](const DiscFit& fit) {
      return std::hypot(fit.centre.y - centre.y, fit.centre.x - centre.x) <= 2 * radius;
    });
  };
  take_best(0);
  take_best(1);
  return discs;
}

double line_brightness(std::span<const std::uint8_t> pixels, int size, const Discs& discs,
                       double radius) {
  const auto [from, to] = std::pair(discs.centre[0], discs.centre[1]);
  const double length = discs.distance();
  const double rim = radius + 1;
  double sum = 0;
  int steps = 0;
  for (double at = rim; at <= length - rim; at += 0.5) {
    const auto y = static_cast<int>(std::lround(from.y + at / length * (to.y - from.y)));
    const auto x = static_cast<int>(std::lround(from.x + at / length * (to.x - from.x)));
    sum += pixels[index_of(size, y, x)];
    ++steps;
  }
  return steps == 0 ? 0 : sum / steps;
}

double trace_cost(std::span<const std::uint8_t> pixels, int size, const Discs& discs,
                  double radius) {
  constexpr double kLit = 0.36;  // of a disc's brightness
  const Reduced picture(pixels, size, discs, radius);
  std::vector<Dot> points(picture.disc.begin(), picture.disc.end());
  for (int y = 0; y < Reduced::kSide; ++y) {
    for (int x = 0; x < Reduced::kSide; ++x) {
      if (picture.value[index_of(Reduced::kSide, y, x)] < kLit || picture.in_disc(y, x)) continue;
      points.push_back({static_cast<double>(y), static_cast<double>(x)});
    }
  }
  return cheapest(hops_of(points, picture.radius));
}

}  // namespace lra::tasks::pathfinder
