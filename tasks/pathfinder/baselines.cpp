#include "tasks/pathfinder/baselines.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <span>
#include <utility>

#include "tasks/pathfinder/growth.h"
#include "tasks/pathfinder/tracing.h"
#include "tasks/shortcuts.h"

namespace lra::tasks::pathfinder {
namespace {

constexpr std::size_t kGroups = 32;
constexpr std::size_t kFitted =
    20000;  // pictures of train: there are few parameters, one label per group

using Pixels = std::vector<std::uint8_t>;

}  // namespace

std::vector<Predictor> predictors(const Setting& setting, std::int64_t offset) {
  const int size = setting.size;
  const double radius = setting.marker_radius;
  // A feature of a picture from its grey values.
  const auto number = [size, offset](std::function<double(const Pixels&)> of) {
    return [size, offset, of = std::move(of)](const Example& example) {
      Pixels pixels(static_cast<std::size_t>(size * size));
      const auto tokens = example.tokens.first(std::min(example.tokens.size(), pixels.size()));
      std::transform(tokens.begin(), tokens.end(), pixels.begin(),
                     [offset](Token token) { return static_cast<std::uint8_t>(token - offset); });
      return of(pixels);
    };
  };
  std::vector<Predictor> all;
  all.push_back(majority_class());
  all.push_back(majority_given_number(
      "disc_distance", "the most frequent label of train for the distance between the discs",
      kGroups, kFitted, number([size, radius](const Pixels& pixels) {
        return find_discs(pixels, size, radius).distance();
      })));
  all.push_back(majority_given_number(
      "lit_pixels", "the most frequent label of train for the number of pixels that are not black",
      kGroups, kFitted, number([](const Pixels& pixels) {
        return static_cast<double>(pixels.size()) -
               static_cast<double>(std::count(pixels.begin(), pixels.end(), std::uint8_t{0}));
      })));
  all.push_back(majority_given_number(
      "straight_line",
      "the most frequent label of train for the brightness of the line between the discs", kGroups,
      kFitted, number([size, radius](const Pixels& pixels) {
        return line_brightness(pixels, size, find_discs(pixels, size, radius), radius);
      })));
  all.push_back(majority_given_number(
      "traced_line",
      "the most frequent label of train for the cost of the cheapest smooth dashed line from one "
      "disc to the other",
      kGroups, kFitted, number([size, radius](const Pixels& pixels) {
        return trace_cost(pixels, size, find_discs(pixels, size, radius), radius);
      })));
  const auto rule = std::make_shared<const GrowthRule>(setting);
  all.push_back(majority_given_number(
      "grown_line",
      "the most frequent label of train for how well bars placed as the generator places them lead "
      "from one disc to the other",
      kGroups, kFitted, number([size, radius, rule](const Pixels& pixels) {
        return rule->cost(pixels, find_discs(pixels, size, radius));
      })));
  return all;
}

}  // namespace lra::tasks::pathfinder
