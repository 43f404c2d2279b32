#include "tasks/image/stand_in.h"

#include <algorithm>
#include <cmath>

#include "engine/base/random.h"

namespace lra::tasks::image {
namespace {

// A drawing's free choices; lengths in pixels.
struct Drawing {
  std::int32_t kind = 0;
  double period = 0, phase = 0;     // stripes and chessboard
  double x = 0, y = 0, radius = 0;  // the rest
};

bool inside(const Drawing& d, double x, double y) {
  const auto stripe = [&d](double along) {
    return std::fmod(along + d.phase + 100 * d.period, d.period) < d.period / 2;
  };
  const double dx = std::abs(x - d.x);
  const double dy = std::abs(y - d.y);
  const double distance = std::hypot(dx, dy);
  const double line = std::max(1.0, 0.2 * d.radius);  // half a line's width
  switch (d.kind) {
    case 0:
      return stripe(y);
    case 1:
      return stripe(x);
    case 2:
      return stripe((x + y) / std::sqrt(2.0));
    case 3:
      return stripe((x - y) / std::sqrt(2.0));
    case 4:
      return stripe(x) != stripe(y);
    case 5:
      return distance < d.radius;
    case 6:
      return std::abs(distance - d.radius) < line;
    case 7:
      return std::abs(std::max(dx, dy) - d.radius) < line;
    case 8:
      return std::min(dx, dy) < line && std::max(dx, dy) < d.radius;
    default:
      return std::abs(dx - dy) < line * std::sqrt(2.0) && std::max(dx, dy) < d.radius;
  }
}

}  // namespace

Picture stand_in_picture(std::uint64_t seed, Split split, std::uint64_t index) {
  RandomStream random(
      RandomKey(seed).of("image stand-in").of(kStandInVersion).of(split_name(split)).of(index));
  Drawing drawing;
  drawing.kind = static_cast<std::int32_t>(random.below(10));
  drawing.period = 5 + 7 * random.uniform();
  drawing.phase = drawing.period * random.uniform();
  drawing.radius = 5 + 6 * random.uniform();
  drawing.x = 11 + 9 * random.uniform();
  drawing.y = 11 + 9 * random.uniform();
  // Background and drawing differ by 60 to 120, in either direction.
  const double difference = 60 + 60 * random.uniform();
  const double dark = 20 + (215 - difference) * random.uniform();
  const bool lighter = random.below(2) == 1;
  Picture picture;
  picture.label = drawing.kind;
  for (std::size_t i = 0; i < kPixels; ++i) {
    const bool drawn = inside(drawing, static_cast<double>(i % 32), static_cast<double>(i / 32));
    const double value = dark + (drawn == lighter ? difference : 0.0) + 20 * random.normal();
    picture.grey[i] = static_cast<std::uint8_t>(std::clamp(std::lround(value), 0L, 255L));
  }
  return picture;
}

}  // namespace lra::tasks::image
