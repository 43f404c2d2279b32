#pragma once
// Near-optimal rule for Pathfinder: searches for a chain of bars from one disc to the other that
// the generator could have grown, using its drawing and placement rules.

#include <cstdint>
#include <span>
#include <vector>

#include "tasks/pathfinder/setting.h"
#include "tasks/pathfinder/tables.h"
#include "tasks/pathfinder/tracing.h"

namespace lra::tasks::pathfinder {

inline constexpr double kNoGrowth = 1e6;

// Immutable after construction; safe to use from many threads.
class GrowthRule {
 public:
  explicit GrowthRule(Setting setting);
  // The least cost of contour_length bars that start in one disc and end in the other: by how much
  // the picture is darker (in full) or brighter (in part) than each bar, in units of the discs'
  // brightness, and the turns' improbability. Dynamic programming over pivots and directions; a bar
  // that is missing from the picture ends a chain. kNoGrowth if there is none.
  [[nodiscard]] double cost(std::span<const std::uint8_t> pixels, const Discs& discs) const;

 private:
  Setting setting_;
  std::vector<MarginTables> tables_;  // one per margin that a picture may have
};

}  // namespace lra::tasks::pathfinder
