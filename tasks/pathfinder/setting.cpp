#include "tasks/pathfinder/setting.h"

#include <algorithm>
#include <array>

#include "engine/base/error.h"

namespace lra::tasks::pathfinder {
namespace {

struct SizeSetting {
  int size, padding, paddle_length;
  double thickness;
  std::vector<int> margins;
  int seed_distance;
  double continuity, marker_radius, target_contrast, distractor_contrast;
  int distractor_budget;  // paddles of all distractors
};

constexpr std::array<int, 3> kContourLengths{6, 9, 14};  // by Difficulty

}  // namespace

std::string Setting::set_name() const { return fmt::format("pathfinder{}", size); }

std::string Setting::difficulty_name() const {
  const auto* found = std::find(kContourLengths.begin(), kContourLengths.end(), contour_length);
  if (found == kContourLengths.end()) return fmt::format("curv_contour_length_{}", contour_length);
  return std::string(name_of(static_cast<Difficulty>(found - kContourLengths.begin())));
}

int contour_length_of(Difficulty difficulty) {
  return kContourLengths.at(static_cast<std::size_t>(difficulty));
}

Setting arena_setting(int size, int contour_length, int distractor_snakes) {
  // google-research/long-range-arena, lra_benchmarks/data/pathfinder.py; padding and seed distance
  // of 256 and the paddle length 5 are the original generator's defaults. The contrasts of 32: base
  // 2, times the paddle contrast 0.75 for targets only.
  static const std::array<SizeSetting, 4> kSizes{{
      {32, 1, 2, 0.5, {1}, 7, 1.0, 1.5, 2 * 0.75, 2.0, 20},
      {64, 1, 5, 1.0, {1}, 12, 1.8, 2.5, 0.8, 0.8, 22},
      {128, 1, 5, 1.5, {2, 3}, 20, 1.8, 3.0, 0.9, 0.9, 35},
      {256, 22, 5, 2.0, {3}, 27, 1.8, 5.0, 1.0, 1.0, 30},
  }};
  const auto* found = std::find_if(kSizes.begin(), kSizes.end(),
                                   [&](const SizeSetting& s) { return s.size == size; });
  if (found == kSizes.end()) {
    fail(ErrorKind::config, "tasks/pathfinder: size; got {}, expected 32, 64, 128 or 256", size);
  }
  if (std::find(kContourLengths.begin(), kContourLengths.end(), contour_length) ==
      kContourLengths.end()) {
    fail(ErrorKind::config, "tasks/pathfinder: contour length; got {}, expected 6, 9 or 14",
         contour_length);
  }
  const int distractor_length = contour_length / 3;
  return {size,
          contour_length,
          distractor_length,
          distractor_snakes >= 0 ? distractor_snakes : found->distractor_budget / distractor_length,
          found->padding,
          found->paddle_length,
          found->thickness,
          found->margins,
          found->seed_distance,
          found->continuity,
          found->marker_radius,
          found->target_contrast,
          found->distractor_contrast};
}

}  // namespace lra::tasks::pathfinder
