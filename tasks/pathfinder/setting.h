#pragma once
// The parameters of the Pathfinder generator and their values in the Long-Range Arena.

#include <string>
#include <vector>

#include "engine/base/enum_text.h"

namespace lra::tasks::pathfinder {

// The parameters of one of the arena's data sets; lengths in pixels.
struct Setting {
  int size = 32;            // side of a picture
  int contour_length = 14;  // paddles of a target snake
  int distractor_length = 4;
  int distractor_snakes = 5;
  int padding = 1;
  int paddle_length = 2;
  double paddle_thickness = 0.5;
  std::vector<int> margins{1};  // one is drawn per picture
  int seed_distance = 7;
  double continuity = 1.0;
  double marker_radius = 1.5;
  double target_contrast = 1.5;      // base contrast times paddle contrast
  double distractor_contrast = 2.0;  // base contrast alone, as in the original

  // The release's folder names: "pathfinder32" and "curv_contour_length_14".
  [[nodiscard]] std::string set_name() const;
  [[nodiscard]] std::string difficulty_name() const;
};

// The arena's setting of a size (32, 64, 128 or 256) and a contour length (6, 9 or 14). The number
// of distractor snakes is budget / distractor_length unless `distractor_snakes` >= 0 overrides it.
// Throws Error(config) for other sizes and lengths.
[[nodiscard]] Setting arena_setting(int size, int contour_length, int distractor_snakes = -1);
// The difficulties by their folders, easiest first.
enum class Difficulty { curv_baseline, curv_contour_length_9, curv_contour_length_14 };
constexpr auto texts(Difficulty) {
  return enum_texts("curv_baseline", "curv_contour_length_9", "curv_contour_length_14");
}
[[nodiscard]] int contour_length_of(Difficulty difficulty);

}  // namespace lra::tasks::pathfinder
