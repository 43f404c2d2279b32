#include "tasks/pathfinder/tracing.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tasks/pathfinder/generator.h"
#include "tasks/pathfinder/growth.h"
#include "tasks/shortcuts.h"
#include "tasks/test_support.h"

namespace lra::tasks::pathfinder {
namespace {

using testing::TempFolder;

TEST_CASE("pathfinder baselines: the discs are found where they were drawn", "[unit]") {
  struct Case {
    int size, count, least;
  };
  for (const auto& [size, count, least] : {Case{32, 300, 285}, Case{128, 10, 9}}) {
    const Generator generator(arena_setting(size, 14), 3);
    const double radius = generator.setting().marker_radius;
    int found = 0;
    double distances = 0;
    for (int i = 0; i < count; ++i) {
      std::vector<std::uint8_t> pixels(static_cast<std::size_t>(size * size));
      const Facts facts = generator.draw(static_cast<std::uint64_t>(i), pixels);
      const Discs discs = find_discs(pixels, size, radius);
      const auto near = [&](std::size_t a, std::size_t b) {
        return std::hypot(discs.centre[a].y - facts.marker[b][0],
                          discs.centre[a].x - facts.marker[b][1]) <= 1.5;
      };
      if ((near(0, 0) && near(1, 1)) || (near(0, 1) && near(1, 0))) ++found;
      distances += std::abs(discs.distance() - std::hypot(facts.marker[0][0] - facts.marker[1][0],
                                                          facts.marker[0][1] - facts.marker[1][1]));
    }
    INFO("size " << size);
    CHECK(found >= least);
    CHECK(distances / count < 1);
  }
}

// A picture with two discs of brightness 200 at row 16, columns 4 and 28, and dots at the given
// places.
std::vector<std::uint8_t> picture(const std::vector<Place>& dots) {
  std::vector<std::uint8_t> pixels(1024);
  const auto set = [&pixels](int y, int x, int grey) {
    pixels[static_cast<std::size_t>(y * 32 + x)] = static_cast<std::uint8_t>(grey);
  };
  for (const auto& [y, x] : dots) set(y, x, 150);
  for (const int x : {4, 28}) {
    for (int dy = -1; dy <= 1; ++dy) {
      for (int dx = -1; dx <= 1; ++dx) set(16 + dy, x + dx, 200);
    }
  }
  return pixels;
}

TEST_CASE("pathfinder baselines: a dashed line is traced, broken and angled ones are not",
          "[unit]") {
  std::vector<Place> straight;
  for (int x = 7; x <= 25; ++x) {
    if (x % 4 != 0) straight.push_back({16, x});
  }
  const auto cost = [](const std::vector<Place>& dots) {
    const auto pixels = picture(dots);
    return trace_cost(pixels, 32, find_discs(pixels, 32, 1.5), 1.5);
  };
  const double dashed = cost(straight);
  // 24 pixels at 0.1 each, and the gaps: 1 pixel squared for each, and the two at the discs.
  CHECK(dashed > 2.4);
  CHECK(dashed < 12);
  auto broken = straight;
  std::erase_if(broken, [](const Place& p) { return p.x > 12 && p.x < 19; });
  CHECK(cost(broken) == kNoPath);
  std::vector<Place> bent;  // a line that turns by a right angle twice
  for (int x = 7; x <= 25; ++x) bent.push_back({x < 16 ? 16 : 24, x});
  for (int y = 17; y < 24; ++y) bent.push_back({y, 15});
  CHECK(cost(bent) > dashed);
  const auto pixels = picture(straight);
  const Discs discs = find_discs(pixels, 32, 1.5);
  CHECK(discs.level == 200);
  CHECK(discs.distance() == 24);
  CHECK(line_brightness(pixels, 32, discs, 1.5) > 90);
  const auto empty = picture({});
  CHECK(line_brightness(empty, 32, find_discs(empty, 32, 1.5), 1.5) == 0);
  // A picture without discs has answers, too.
  const std::vector<std::uint8_t> black(1024);
  CHECK(trace_cost(black, 32, find_discs(black, 32, 1.5), 1.5) == kNoPath);
}

TEST_CASE("pathfinder baselines: the generator's own chains are found", "[unit]") {
  struct Case {
    int size, contour, count;
  };
  for (const auto& [size, contour, count] :
       {Case{32, 14, 300}, Case{32, 6, 200}, Case{128, 14, 6}}) {
    const Setting setting = arena_setting(size, contour);
    const Generator generator(setting, 4);
    const GrowthRule rule(setting);
    int right = 0;
    for (int i = 0; i < count; ++i) {
      std::vector<std::uint8_t> pixels(static_cast<std::size_t>(size * size));
      const Facts facts = generator.draw(static_cast<std::uint64_t>(i), pixels);
      const double cost = rule.cost(pixels, find_discs(pixels, size, setting.marker_radius));
      right += (cost < kNoGrowth) == (facts.label == 1) ? 1 : 0;
    }
    INFO("size " << size << ", " << contour << " bars: " << right << " of " << count);
    CHECK(right >= (92 * count + 50) / 100);
  }
  const std::vector<std::uint8_t> black(1024);
  CHECK(GrowthRule(arena_setting(32, 14)).cost(black, find_discs(black, 32, 1.5)) == kNoGrowth);
}

TEST_CASE("pathfinder baselines: tracing is ahead of what looks at less", "[unit]") {
  const TempFolder folder;
  const testing::Variable no_data("LRA_DATA", "");
  const testing::Variable no_cache("XDG_CACHE_HOME", folder.path() / "none");
  OpenOptions options = testing::options_for("", folder.path() / "cache");
  options.counts = {800, 10, 400};
  for (const char* mask : {"none", "google"}) {
    const auto task = create_task(
        "pathfinder", {{"difficulty", "curv_baseline"}, {"distractors", 0}, {"pixel_mask", mask}});
    const TaskData data = task->open(options);
    std::map<std::string, double> accuracy;
    for (const auto& s : shortcuts(*task, data)) accuracy[s.name] = s.accuracy;
    REQUIRE(accuracy.size() == 6);
    INFO(mask << " " << accuracy["traced_line"]);
    CHECK(accuracy["traced_line"] > 0.7);
    CHECK(accuracy["traced_line"] > accuracy["disc_distance"]);
    CHECK(accuracy["lit_pixels"] < 0.6);
  }
}

}  // namespace
}  // namespace lra::tasks::pathfinder
