#include "tasks/image/baselines.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/base/random.h"
#include "tasks/shortcuts.h"
#include "tasks/test_support.h"

namespace lra::tasks::image {
namespace {

using testing::TempFolder;
constexpr std::size_t kArea = NearestPictures::kArea;

std::vector<std::uint8_t> smooth_pictures(std::size_t count, std::uint64_t seed) {
  std::vector<std::uint8_t> pictures;
  for (std::size_t i = 0; i < count; ++i) {
    RandomStream random(RandomKey(seed).of(i));
    const double tilt = random.uniform() * 4;
    const double level = 255 * random.uniform();
    for (std::size_t p = 0; p < kArea; ++p) {
      const double value = level + tilt * static_cast<double>(p % 32) + 20 * random.normal();
      pictures.push_back(static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0)));
    }
  }
  return pictures;
}

TEST_CASE("image baselines: nearest pictures are those of a full search", "[unit]") {
  auto train = smooth_pictures(300, 1);
  std::copy_n(train.begin(), kArea, train.begin() + 7 * kArea);  // two equal pictures
  const auto test = smooth_pictures(20, 2);
  const NearestPictures nearest(train);
  for (std::size_t t = 0; t < 21; ++t) {
    const auto* picture = t < 20 ? &test[t * kArea] : train.data();
    std::vector<std::pair<std::int64_t, std::size_t>> all;
    for (std::size_t i = 0; i < 300; ++i) {
      std::int64_t sum = 0;
      for (std::size_t p = 0; p < kArea; ++p) {
        const std::int64_t d = std::int64_t{picture[p]} - train[i * kArea + p];
        sum += d * d;
      }
      all.emplace_back(sum, i);
    }
    std::sort(all.begin(), all.end());
    for (const std::size_t k : {1U, 5U, 300U, 1000U}) {
      const auto found = nearest.find(std::span(picture, kArea), k);
      REQUIRE(found.size() == std::min<std::size_t>(k, 300));
      for (std::size_t i = 0; i < found.size(); ++i) REQUIRE(found[i] == all[i].second);
    }
  }
  CHECK(nearest.find(std::span(test.data(), kArea), 0).empty());
}

TEST_CASE("image baselines: each is computed as it says, on made-up drawings", "[unit]") {
  const TempFolder folder;
  const testing::Variable no_data("LRA_DATA", "");
  const testing::Variable no_cache("XDG_CACHE_HOME", folder.path() / "none");
  OpenOptions options = testing::options_for("", folder.path() / "cache");
  options.counts = {400, 1, 100};
  const auto task = create_task("image", nullptr);
  const TaskData data = task->open(options);
  std::map<std::string, Shortcut> named;
  for (const auto& s : shortcuts(*task, data)) named[s.name] = s;
  REQUIRE(named.size() == 5);
  // The mean pictures, by hand.
  std::map<std::int32_t, std::vector<double>> means;
  std::map<std::int32_t, double> counts;
  const auto& train = data.split(Split::train);
  for (std::size_t i = 0; i < train.size(); ++i) {
    const Example e = train[i];
    auto& mean = means[e.label];
    mean.resize(kArea);
    for (std::size_t p = 0; p < kArea; ++p) mean[p] += e.tokens[p] - 1;
    ++counts[e.label];
  }
  const auto& test = data.split(Split::test);
  for (std::size_t i = 0; i < test.size(); ++i) {
    std::pair<double, std::int32_t> best{1e300, -1};
    for (const auto& [label, mean] : means) {
      double sum = 0;
      for (std::size_t p = 0; p < kArea; ++p) {
        sum += std::pow(mean[p] / counts[label] - (test[i].tokens[p] - 1), 2);
      }
      best = std::min(best, {sum, label});
    }
    CHECK(named["nearest_mean_picture"].predictions[i] == best.second);
  }
  for (const auto& [name, s] : named) {
    INFO(name << " " << s.accuracy);
    // Brightness alone is uninformative in the stand-in drawings.
    if (name == "majority" || name == "histogram_logistic") continue;
    CHECK(s.accuracy > 0.15);
  }
}

}  // namespace
}  // namespace lra::tasks::image
