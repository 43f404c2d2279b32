#include "tasks/pathfinder/snakes.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lra::tasks::pathfinder {
namespace {

constexpr int kPaddleRetries = 2;
constexpr int kDistractorRetries = 4;
constexpr double kLeastFree = 0.01;     // share of free cells below which no distractor is seeded
constexpr std::uint8_t kFreeMask = 76;  // greatest grey value of a free cell: 0.3 of 255
constexpr double kOverlap = 1.8;        // masks that add up to this collide
constexpr double kDeadEnd = 1e-4;       // sum of weights below which a snake cannot grow

// A mask value in the original's representation: an 8-bit value over 255 in single precision.
double mask_value(int grey) { return static_cast<double>(static_cast<float>(grey / 255.0)); }

// 1 - mask value, by grey value: how free a cell is.
const std::array<double, 256> kOpen = [] {
  std::array<double, 256> open{};
  for (std::size_t k = 0; k < open.size(); ++k) open[k] = 1 - mask_value(static_cast<int>(k));
  return open;
}();

Point moved(Point from, double sine, double cosine, double distance) {
  return {static_cast<int>(std::ceil(from.y + distance * sine)),
          static_cast<int>(std::ceil(from.x + distance * cosine))};
}

}  // namespace

// Calls visit(row of the map, row of the patch, cells) until it returns false. Returns whether all
// calls returned true.
template <class Self, class Visit>
bool Map::over_rows(Self& self, const Patch& patch, Point at, Visit visit) {
  const int left = std::max(at.x + patch.left, 0);
  const int right = std::min(at.x + patch.left + patch.grey.width, self.size_);
  const int bottom = std::min(at.y + patch.top + patch.grey.height, self.size_);
  if (left >= right) return true;
  for (int y = std::max(at.y + patch.top, 0); y < bottom; ++y) {
    auto* map = &self.grey_.pixels[self.grey_.index(y, left)];
    const auto* row =
        &patch.grey.pixels[patch.grey.index(y - at.y - patch.top, left - at.x - patch.left)];
    if (!visit(map, row, right - left)) return false;
  }
  return true;
}

void Map::merge(const Patch& patch, Point at) {
  over_rows(*this, patch, at, [](std::uint8_t* map, const std::uint8_t* row, int n) {
    for (int i = 0; i < n; ++i) map[i] = std::max(map[i], row[i]);
    return true;
  });
}

bool Map::clear_of(const Patch& patch, Point at) const {
  constexpr int kBorderline = 459;  // kOverlap * 255: there single precision decides
  return over_rows(*this, patch, at, [](const std::uint8_t* map, const std::uint8_t* row, int n) {
    int most = 0;
    for (int i = 0; i < n; ++i) most = std::max(most, map[i] + row[i]);
    if (most != kBorderline) return most < kBorderline;
    for (int i = 0; i < n; ++i) {
      if (mask_value(map[i]) + mask_value(row[i]) >= kOverlap) return false;
    }
    return true;
  });
}

Occupancy::Occupancy(const Setting& setting, const MarginTables& tables)
    : mask(setting.size), dilated(setting.size) {
  const auto fill_rim = [&](Map& map, int width) {
    for (int y = 0; y < setting.size; ++y) {
      for (int x = 0; x < setting.size; ++x) {
        const int depth = std::min({y, x, setting.size - 1 - y, setting.size - 1 - x});
        if (depth < width) map.set({y, x}, 255);
      }
    }
  };
  fill_rim(mask, setting.padding);
  fill_rim(dilated, setting.padding + tables.margin);
}

void Occupancy::add(const Paddle& paddle, Point at) {
  mask.merge(paddle.mask, at);
  dilated.merge(paddle.dilated, at);
}

SnakePainter::SnakePainter(const Setting& setting, const MarginTables& tables,
                           const Occupancy& blank, RandomStream& random)
    : setting_(setting),
      tables_(tables),
      blank_(blank),
      random_(random),
      taken_(blank),
      before_(blank) {}

int SnakePainter::paint() {
  while (!draw_targets()) {
  }
  target_paddles_ = placed_.size();
  int drawn = 0;
  for (int i = 0; i < setting_.distractor_snakes; ++i) {
    bool success = false;
    for (int attempt = 0; attempt <= kDistractorRetries && !success; ++attempt) {
      success = draw_distractor();
    }
    drawn += success ? 1 : 0;
  }
  return drawn;
}

bool SnakePainter::inside(Point p) const {
  return p.y >= 0 && p.x >= 0 && p.y < setting_.size && p.x < setting_.size;
}
std::size_t SnakePainter::random_degree() {
  return random_.below(static_cast<std::uint32_t>(MarginTables::kSeedDegrees));
}

// Lays the first paddle of a snake; false if its head or the pivot behind it is outside.
bool SnakePainter::lay_seed(Snake& snake, Point tail, std::size_t degree) const {
  const Direction& along = tables_.directions[degree];
  const double back = opposite(along.angle);
  const Point head = moved(tail, along.sine, along.cosine, setting_.paddle_length);
  const Point pivot =
      moved(head, std::sin(back), std::cos(back), setting_.paddle_length + tables_.margin);
  snake = {pivot, degree, {along.along, tail}, tail, tail};
  return inside(head) && inside(pivot);
}

// A uniform cell for which the kernel stays within the inner square; false if there is none.
bool SnakePainter::seed_in_centre(const SeedKernel& kernel, Point& tail) {
  const int edge = 2 * setting_.seed_distance;
  const int height = setting_.size - 2 * edge + kernel.low.y - kernel.high.y;
  const int width = setting_.size - 2 * edge + kernel.low.x - kernel.high.x;
  if (!kernel.usable || height <= 0 || width <= 0) return false;
  const auto draw = static_cast<int>(random_.below(static_cast<std::uint32_t>(height * width)));
  tail = {edge - kernel.low.y + draw / width, edge - kernel.low.x + draw % width};
  return true;
}

bool SnakePainter::first_target_seed(Snake& snake) {
  for (int trial = 0; trial <= kPaddleRetries; ++trial) {
    const std::size_t degree = random_degree();
    Point tail;
    if (!seed_in_centre(tables_.kernels[degree], tail)) return false;
    if (lay_seed(snake, tail, degree)) return true;
  }
  return false;
}

bool SnakePainter::second_target_seed(Snake& snake, Point first_tail) {
  for (int trial = 0; trial <= kPaddleRetries; ++trial) {
    const std::size_t degree = random_degree();
    const double around = random_.below(360) * std::numbers::pi / 180;
    const int distance = setting_.seed_distance;
    const double y = first_tail.y + distance * std::sin(around);
    const double x = first_tail.x + distance * std::cos(around);
    // nearbyint rounds halves to even, as NumPy does.
    const Point tail{static_cast<int>(std::nearbyint(y)), static_cast<int>(std::nearbyint(x))};
    if (lay_seed(snake, tail, degree)) return true;
  }
  return false;
}

bool SnakePainter::free_under(const SeedKernel& kernel, Point at) const {
  return std::none_of(kernel.cells.begin(), kernel.cells.end(), [&](const Point& o) {
    const Point cell{at.y + o.y, at.x + o.x};
    return inside(cell) && taken_.mask.at(cell) > kFreeMask;
  });
}

// A uniform cell whose kernel touches no taken cell; false if there is none. Tries random
// cells first and lists all of them only when these fail: both give the same distribution.
bool SnakePainter::seed_anywhere(const SeedKernel& kernel, Point& tail) {
  if (!kernel.usable) return false;
  const auto size = static_cast<std::uint32_t>(setting_.size);
  for (int attempt = 0; attempt < 64; ++attempt) {
    const std::uint32_t draw = random_.below(size * size);
    tail = {static_cast<int>(draw / size), static_cast<int>(draw % size)};
    if (free_under(kernel, tail)) return true;
  }
  std::vector<Point> free;
  for (int y = 0; y < setting_.size; ++y) {
    for (int x = 0; x < setting_.size; ++x) {
      if (free_under(kernel, {y, x})) free.push_back({y, x});
    }
  }
  if (free.empty()) return false;
  tail = free[random_.below(static_cast<std::uint32_t>(free.size()))];
  return true;
}

bool SnakePainter::distractor_seed(Snake& snake) {
  const auto& cells = taken_.mask.cells();
  const auto free = std::count_if(cells.begin(), cells.end(),
                                  [](std::uint8_t grey) { return grey <= kFreeMask; });
  if (static_cast<double>(free) < kLeastFree * static_cast<double>(cells.size())) return false;
  for (int trial = 0; trial <= kPaddleRetries; ++trial) {
    const std::size_t degree = random_degree();
    Point tail;
    if (!seed_anywhere(tables_.kernels[degree], tail)) return false;
    if (lay_seed(snake, tail, degree)) return true;
  }
  return false;
}

// Fills heads_ with the candidates around a pivot and their cumulative weights; their sum.
double SnakePainter::weigh_heads(Point pivot, const Direction& last) {
  heads_.clear();
  double total = 0;
  for (const auto& [candidate, weight] : last.next) {
    const Point& offset = tables_.candidates[candidate];
    const Point head{pivot.y + offset.y, pivot.x + offset.x};
    if (!inside(head)) continue;
    total += kOpen[taken_.dilated.at(head)] * weight;
    heads_.emplace_back(candidate, total);
  }
  return total;
}

// Adds one paddle to a snake; false if it cannot grow.
bool SnakePainter::extend(Snake& snake) {
  const Direction& last = tables_.directions[snake.direction];
  const Point pivot =
      moved(snake.pivot, last.sine, last.cosine, setting_.paddle_length + 2 * tables_.margin);
  const double total = weigh_heads(pivot, last);
  if (total < kDeadEnd) return false;
  for (int trial = 0; trial <= kPaddleRetries; ++trial) {
    const double draw = random_.uniform() * total;
    const auto found = std::find_if(heads_.begin(), heads_.end() - 1,
                                    [&](const auto& head) { return head.second > draw; });
    const Point& offset = tables_.candidates[found->first];
    const Point head{pivot.y + offset.y, pivot.x + offset.x};
    const std::size_t direction = MarginTables::kSeedDegrees + found->first;
    const std::size_t paddle = tables_.directions[direction].against;  // from the head back
    if (!taken_.mask.clear_of(tables_.paddles[paddle].mask, head)) continue;
    settle(snake);
    snake = {pivot, direction, {paddle, head}, snake.origin, head};
    placed_.push_back(snake.pending);
    return true;
  }
  return false;
}

void SnakePainter::settle(const Snake& snake) {
  taken_.add(tables_.paddles[snake.pending.paddle], snake.pending.at);
}

bool SnakePainter::draw_targets() {
  if (!first_target_seed(targets_[0])) return false;
  if (!second_target_seed(targets_[1], targets_[0].origin)) return false;
  taken_ = blank_;
  placed_ = {targets_[0].pending, targets_[1].pending};
  for (int i = 1; i < setting_.contour_length; ++i) {
    if (!extend(targets_[0]) || !extend(targets_[1])) return false;
  }
  // The last paddle of snake 0 never enters the mask, as in the original.
  settle(targets_[1]);
  return true;
}

bool SnakePainter::draw_distractor() {
  const std::size_t placed_before = placed_.size();
  Snake snake;
  if (!distractor_seed(snake)) return false;
  before_ = taken_;
  placed_.push_back(snake.pending);
  for (int i = 1; i < setting_.distractor_length; ++i) {
    if (extend(snake)) continue;
    placed_.resize(placed_before);
    std::swap(taken_, before_);
    return false;
  }
  settle(snake);
  return true;
}

}  // namespace lra::tasks::pathfinder
