#include "tasks/pathfinder/generator.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/random.h"
#include "tasks/pathfinder/snakes.h"

namespace lra::tasks::pathfinder {
namespace {

// The picture in light, before it is stretched to 0..255. Paddles are single precision in the
// original and markers double; both round as there.
class Light {
 public:
  explicit Light(int size)
      : size_(size), light_(static_cast<std::size_t>(size) * static_cast<std::size_t>(size)) {}

  void add_paddles(std::span<const Placement> placed, const std::vector<Paddle>& paddles,
                   double contrast) {
    std::array<double, 256> value{};
    for (std::size_t k = 0; k < value.size(); ++k) {
      value[k] = static_cast<double>(static_cast<float>(static_cast<double>(k) / 255 * contrast));
    }
    for (const Placement& one : placed) add(paddles[one.paddle].picture, one.at, value);
  }

  void add_marker(Point at, double radius, const LanczosAxis& axis) {
    std::array<double, 256> value{};
    for (std::size_t k = 0; k < value.size(); ++k) value[k] = static_cast<double>(k) / 255;
    const int fine_radius = static_cast<int>(std::lround(radius * kAntialias));
    add(resized_disc(axis, at.y * kAntialias, at.x * kAntialias, fine_radius), {0, 0}, value);
  }

  void stretch(std::span<std::uint8_t> pixels) const {
    const double scale = 255.0 / *std::max_element(light_.begin(), light_.end());
    for (std::size_t i = 0; i < light_.size(); ++i) {
      pixels[i] = static_cast<std::uint8_t>(std::lround(light_[i] * scale));
    }
  }

 private:
  void add(const Patch& patch, Point at, const std::array<double, 256>& value) {
    for (int row = 0; row < patch.grey.height; ++row) {
      const int y = at.y + patch.top + row;
      if (y < 0 || y >= size_) continue;
      for (int column = 0; column < patch.grey.width; ++column) {
        const int x = at.x + patch.left + column;
        if (x < 0 || x >= size_) continue;
        double& pixel = light_[static_cast<std::size_t>(y) * static_cast<std::size_t>(size_) +
                               static_cast<std::size_t>(x)];
        pixel = std::max(pixel, value[patch.grey.at(row, column)]);
      }
    }
  }

  int size_;
  std::vector<double> light_;
};

}  // namespace

struct Generator::Tables {
  Setting setting;
  RandomKey key;
  std::vector<MarginTables> margins;
  std::vector<Occupancy> blanks;  // by margin: the rim alone
  LanczosAxis marker_axis;

  Tables(Setting of, std::uint64_t seed)
      : setting(std::move(of)),
        key(RandomKey(seed)
                .of("pathfinder")
                .of(static_cast<std::uint64_t>(setting.size))
                .of(static_cast<std::uint64_t>(setting.contour_length))),
        marker_axis(setting.size * kAntialias, setting.size) {
    for (const int margin : setting.margins) {
      margins.emplace_back(setting, margin);
      blanks.emplace_back(setting, margins.back());
    }
  }
};

Generator::Generator(Setting setting, std::uint64_t seed)
    : tables_(std::make_unique<const Tables>(std::move(setting), seed)) {}

Generator::~Generator() = default;

const Setting& Generator::setting() const { return tables_->setting; }

Facts Generator::draw(std::uint64_t index, std::span<std::uint8_t> pixels) const {
  const Setting& set = tables_->setting;
  const auto expected = static_cast<std::size_t>(set.size) * static_cast<std::size_t>(set.size);
  if (pixels.size() != expected) {
    fail(ErrorKind::shape, "tasks/pathfinder: room for a picture; got {} pixels, expected {}",
         pixels.size(), expected);
  }
  RandomStream random(tables_->key.of(index));
  Facts facts;
  facts.label = static_cast<int>(random.below(2));
  const std::size_t which = random.below(static_cast<std::uint32_t>(set.margins.size()));
  const MarginTables& tables = tables_->margins[which];
  facts.margin = tables.margin;
  SnakePainter painter(set, tables, tables_->blanks[which], random);
  facts.distractors = painter.paint();
  const std::size_t origin = random.below(2);
  const std::array<Point, 2> markers{painter.targets()[origin].origin,
                                     painter.targets()[facts.label == 1 ? origin : 1 - origin].tip};
  Light light(set.size);
  light.add_paddles(painter.target_paddles(), tables.paddles, set.target_contrast);
  light.add_paddles(painter.distractor_paddles(), tables.paddles, set.distractor_contrast);
  for (std::size_t i = 0; i < 2; ++i) {
    facts.marker[i] = {markers[i].y, markers[i].x};
    light.add_marker(markers[i], set.marker_radius, tables_->marker_axis);
  }
  light.stretch(pixels);
  return facts;
}

void Generator::draw_all(std::uint64_t first, std::uint64_t count, const Consumer& consume) const {
  const auto side = static_cast<std::size_t>(setting().size);
  constexpr std::uint64_t kBlock = 1024;
  std::vector<std::uint8_t> pixels(std::min(count, kBlock) * side * side);
  const auto picture = [&](std::uint64_t i) {
    return std::span(pixels).subspan(i * side * side, side * side);
  };
  std::vector<Facts> facts(std::min(count, kBlock));
  for (std::uint64_t done = 0; done < count; done += kBlock) {
    const std::uint64_t now = std::min(kBlock, count - done);
    tbb::parallel_for(std::uint64_t{0}, now,
                      [&](std::uint64_t i) { facts[i] = draw(first + done + i, picture(i)); });
    for (std::uint64_t i = 0; i < now; ++i) consume(first + done + i, facts[i], picture(i));
  }
}

}  // namespace lra::tasks::pathfinder
