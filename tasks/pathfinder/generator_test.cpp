#include "tasks/pathfinder/generator.h"

#include <tbb/global_control.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <sstream>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/random.h"
#include "tasks/pathfinder/grey_png.h"
#include "tasks/pathfinder/reference.h"
#include "tasks/pathfinder/snakes.h"
#include "tests/catch.h"

using namespace lra::tasks::pathfinder;
using lra::testing::ContainsSubstring;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

struct Sample {
  int size, contour_length;
  std::uint64_t pictures;  // of ours
};
constexpr std::array<Sample, 4> kSamples{
    {{32, 6, 2000}, {32, 9, 2000}, {32, 14, 2000}, {128, 14, 200}}};

const fs::path kFixture =
    fs::path(lra::testing::source_dir()) / "tasks" / "pathfinder" / "testdata" / "reference.json";

std::string sample_name(const Setting& setting) {
  return setting.set_name() + "/" + setting.difficulty_name();
}

PictureStatistics statistics_of(const Setting& setting, std::uint64_t seed,
                                std::uint64_t pictures) {
  PictureStatistics statistics(setting.size, setting.marker_radius);
  Generator(setting, seed).draw_all(0, pictures, [&](auto, const Facts& facts, auto pixels) {
    statistics.add(pixels, facts.label);
  });
  return statistics;
}

std::string digest_of(const Generator& generator, std::uint64_t pictures) {
  lra::Sha256 digest;
  generator.draw_all(0, pictures, [&](auto, const Facts& facts, auto pixels) {
    digest.update(std::as_bytes(pixels)).update(facts.label == 1 ? "1" : "0");
  });
  return digest.hex();
}

// Chance that a picture of label 1 has more of something than one of label 0.
double area_under_curve(const std::vector<double>& zero, const std::vector<double>& one) {
  double wins = 0;
  for (const double a : one) {
    for (const double b : zero) wins += a > b ? 1 : a == b ? 0.5 : 0;
  }
  return wins / static_cast<double>(zero.size() * one.size());
}

}  // namespace

TEST_CASE("pathfinder: a seed's pictures do not depend on the number of threads", "[unit]") {
  const Generator generator(arena_setting(32, 14), 5);
  std::vector<std::string> digests;
  for (const std::size_t threads : {1U, 2U, 4U}) {
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
    digests.push_back(digest_of(generator, 1100));
  }
  CHECK(digests[0] == digests[1]);
  CHECK(digests[0] == digests[2]);
  std::vector<std::uint8_t> pixels(std::size_t{32} * 32);
  lra::Sha256 one_by_one;
  for (std::uint64_t i = 0; i < 1100; ++i) {
    const Facts facts = generator.draw(i, pixels);
    one_by_one.update(std::as_bytes(std::span(pixels))).update(facts.label == 1 ? "1" : "0");
  }
  CHECK(one_by_one.hex() == digests[0]);
}

TEST_CASE("pathfinder: pictures of a generator version are pinned", "[golden]") {
  REQUIRE(kGeneratorVersion == 1);
  const auto pinned = [](int size, int length) {
    return digest_of(Generator(arena_setting(size, length), 1), 20).substr(0, 16);
  };
  CHECK(pinned(32, 6) == "43516781a76471a6");
  CHECK(pinned(32, 14) == "9173be40f9d9f02b");
  CHECK(pinned(128, 14) == "17db53d5ad73f6c9");
  CHECK(pinned(256, 9) == "af4b289bed8dca31");
}

TEST_CASE("pathfinder: seed, size, difficulty and number each give other pictures", "[unit]") {
  std::vector<std::uint8_t> pixels(std::size_t{32} * 32);
  std::set<std::vector<std::uint8_t>> seen;
  for (const int length : {6, 14}) {
    for (const std::uint64_t seed : {0U, 1U}) {
      const Generator generator(arena_setting(32, length), seed);
      for (const std::uint64_t i : {0U, 1U, 1000000U}) {
        static_cast<void>(generator.draw(i, pixels));
        seen.insert(pixels);
      }
    }
  }
  CHECK(seen.size() == 12);
  CHECK_THROWS_WITH(Generator(arena_setting(64, 6), 0).draw(0, pixels),
                    ContainsSubstring("got 1024 pixels, expected 4096"));
}

TEST_CASE("pathfinder: the arena's settings", "[unit]") {
  const std::map<int, std::vector<int>> distractors{
      {6, {10, 11, 17, 15}}, {9, {6, 7, 11, 10}}, {14, {5, 5, 8, 7}}};
  for (const auto& [length, counts] : distractors) {
    std::vector<int> snakes;
    for (const int size : {32, 64, 128, 256}) {
      const Setting setting = arena_setting(size, length);
      snakes.push_back(setting.distractor_snakes);
      CHECK(setting.distractor_length == length / 3);
    }
    CHECK(snakes == counts);
  }
  CHECK(arena_setting(32, 14, 10).distractor_snakes == 10);
  CHECK(arena_setting(128, 14).set_name() == "pathfinder128");
  for (const Difficulty difficulty : {Difficulty::curv_baseline, Difficulty::curv_contour_length_9,
                                      Difficulty::curv_contour_length_14}) {
    const Setting setting = arena_setting(32, contour_length_of(difficulty));
    CHECK(setting.difficulty_name() == lra::name_of(difficulty));
  }
  CHECK_THROWS_WITH(arena_setting(48, 14), ContainsSubstring("got 48"));
  CHECK_THROWS_WITH(arena_setting(32, 15), ContainsSubstring("got 15"));
}

TEST_CASE("pathfinder: both target snakes have the stated number of paddles", "[unit]") {
  for (const int size : {32, 64, 128, 256}) {
    const Setting setting = arena_setting(size, 9);
    const MarginTables tables(setting, setting.margins.front());
    const Occupancy blank(setting, tables);
    for (std::uint64_t i = 0; i < 20; ++i) {
      lra::RandomStream random(lra::RandomKey(3).of(i));
      SnakePainter painter(setting, tables, blank, random);
      const int distractors = painter.paint();
      CHECK(painter.target_paddles().size() == 18);
      CHECK(painter.distractor_paddles().size() == static_cast<std::size_t>(3 * distractors));
      CHECK(distractors <= setting.distractor_snakes);
      // The tips are where the last paddles, drawn back from their heads, start.
      const auto last = painter.target_paddles().last(2);
      for (std::size_t s = 0; s < 2; ++s) {
        CHECK(last[s].at.y == painter.targets()[s].tip.y);
        CHECK(last[s].at.x == painter.targets()[s].tip.x);
      }
    }
  }
}

TEST_CASE("pathfinder: facts agree with the picture", "[unit]") {
  for (const int size : {32, 64, 128, 256}) {
    const Setting setting = arena_setting(size, 6);
    const int count = size > 128 ? 60 : 200;
    int ones = 0;
    std::set<int> margins;
    Generator(setting, 9)
        .draw_all(0, static_cast<std::uint64_t>(count), [&](auto, const Facts& facts, auto pixels) {
          ones += facts.label;
          margins.insert(facts.margin);
          CHECK(*std::max_element(pixels.begin(), pixels.end()) == 255);
          CHECK(*std::min_element(pixels.begin(), pixels.end()) == 0);
          // A marker is drawn at full contrast 1: at 32 that is 1 of 2, or of 1.5 where no
          // distractor found a place. (A known fault of a later version of the original drew it 255
          // times darker.)
          const double brightest = size > 32 ? 1.0 : facts.distractors > 0 ? 2.0 : 1.5;
          for (const auto& [y, x] : facts.marker) {
            const double grey =
                pixels[static_cast<std::size_t>(y) * static_cast<std::size_t>(size) +
                       static_cast<std::size_t>(x)];
            CHECK(grey >= 0.95 * 255 / brightest);  // the resized disc rings a little
          }
        });
    CHECK(std::abs(ones - count / 2) < 4 * std::sqrt(count) / 2);
    CHECK(margins == std::set<int>(setting.margins.begin(), setting.margins.end()));
  }
}

TEST_CASE("pathfinder: labels show in nothing but the path", "[unit]") {
  // In the original's pictures the areas under the curve are 0.45 to 0.55 for grey and lit pixels.
  const Setting setting = arena_setting(32, 14);
  std::array<std::vector<double>, 2> grey;
  std::array<std::vector<double>, 2> lit;
  Generator(setting, 2).draw_all(0, 3000, [&](auto, const Facts& facts, auto pixels) {
    const PictureFeatures picture(pixels, 32);
    grey[static_cast<std::size_t>(facts.label)].push_back(picture.mean());
    lit[static_cast<std::size_t>(facts.label)].push_back(picture.count_from(1));
  });
  // Standard error of the area at 1,500 pictures a label: sqrt(1 / (6 * 1500)) = 0.0105.
  CHECK(std::abs(area_under_curve(grey[0], grey[1]) - 0.5) < 0.042);
  CHECK(std::abs(area_under_curve(lit[0], lit[1]) - 0.5) < 0.042);
}

// The fixture contains statistics of pictures of the original generator. Means of 117 features
// (grey values, their histogram, rows, columns, correlations at distances up to 12, areas, distance
// of the markers) are compared in standard errors and 8 distributions by Kolmogorov-Smirnov at
// 0.001.
TEST_CASE("pathfinder: pictures are distributed as the original's", "[golden]") {
  const json reference = lra::read_json(kFixture);
  for (const Sample& sample : kSamples) {
    const Setting setting = arena_setting(sample.size, sample.contour_length);
    const json& official = reference["samples"][sample_name(setting)];
    const PictureStatistics ours = statistics_of(setting, 7, sample.pictures);
    const Comparison found = compare(official, ours.summary());
    INFO(sample_name(setting) << ": " << found.worst_mean << " " << found.largest_distance << ", "
                              << found.worst_bins << " " << found.largest_ks);
    // One of 4 x 117 normal deviates exceeds 4.5 with probability 0.003.
    CHECK(found.largest_distance < 4.5);
    CHECK(found.mean_square < 2.0);
    CHECK(found.largest_ks < 1.0);
    // Single paddles of the original, grey value for grey value.
    for (const auto& shape : official["shapes"]) {
      INFO(shape);
      CHECK(ours.shapes().count(shape.get<std::string>()) == 1);
    }
  }
}

TEST_CASE("pathfinder: the comparison with the original notices other generators", "[golden]") {
  const json reference = lra::read_json(kFixture);
  const Setting right = arena_setting(32, 14);
  const json& official = reference["samples"][sample_name(right)];
  std::map<std::string, Setting> wrong;
  wrong.emplace("continuity", right).first->second.continuity = 1.2;
  wrong.emplace("distractor contrast", right).first->second.distractor_contrast = 1.5;
  wrong.emplace("marker radius", right).first->second.marker_radius = 2;
  wrong.emplace("seed distance", right).first->second.seed_distance = 6;
  wrong.emplace("one distractor more", right).first->second.distractor_snakes = 7;
  for (const auto& [name, setting] : wrong) {
    const Comparison found = compare(official, statistics_of(setting, 7, 1500).summary());
    INFO(name << ": " << found.largest_distance << ", " << found.largest_ks);
    CHECK(std::max(found.largest_distance / 4.5, found.largest_ks) > 1.0);
  }
}

// With LRA_TEST_DATA: the fixture is what the official pictures give. LRA_WRITE_FIXTURE=1 writes
// it.
TEST_CASE("pathfinder: the reference fixture restates the official pictures", "[slow]") {
  const char* folder = std::getenv("LRA_TEST_DATA");
  if (folder == nullptr || !fs::exists(fs::path(folder) / "pathfinder32")) {
    WARN("skipped: no official data (set LRA_TEST_DATA to a folder that holds pathfinder32)");
    return;
  }
  json fixture = {{"source",
                   "Pictures of the original generator (drewlinsley/pathfinder, ab9c130, settings "
                   "of google-research/long-range-arena); written by tasks_test with "
                   "LRA_WRITE_FIXTURE=1"}};
  for (const Sample& sample : kSamples) {
    const Setting setting = arena_setting(sample.size, sample.contour_length);
    const fs::path root = fs::path(folder) / setting.set_name() / setting.difficulty_name();
    PictureStatistics statistics(setting.size, setting.marker_radius);
    for (const auto& metadata : fs::directory_iterator(root / "metadata")) {
      std::istringstream rows(lra::read_file(metadata.path()));
      for (std::string row; std::getline(rows, row);) {
        std::istringstream fields(row);
        std::string subfolder;
        std::string file;
        int number = 0;
        int label = 0;
        fields >> subfolder >> file >> number >> label;
        const fs::path path = root / subfolder / file;
        statistics.add(
            decode_grey_png(lra::read_file(path), setting.size, setting.size, path.string()),
            label);
      }
    }
    fixture["samples"][sample_name(setting)] = statistics.summary();
  }
  if (std::getenv("LRA_WRITE_FIXTURE") != nullptr) lra::write_file_atomic(kFixture, fixture.dump());
  CHECK(fixture == lra::read_json(kFixture));
}
