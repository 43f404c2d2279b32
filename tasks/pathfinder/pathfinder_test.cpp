#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tasks/check.h"
#include "tasks/pathfinder/pictures.h"
#include "tasks/pathfinder/testing.h"
#include "tasks/test_support.h"

using lra::ErrorKind;
using lra::testing::ContainsSubstring;
using nlohmann::json;
using namespace lra::tasks;
using namespace lra::tasks::pathfinder;
using lra::tasks::testing::error_of;
using lra::tasks::testing::MemorySink;
using lra::tasks::testing::options_for;
using lra::tasks::testing::TempFolder;
namespace fs = std::filesystem;

namespace {

int number_of(const MemorySink::Kept& example, int offset = 1) {
  return example.tokens[1] - offset + 256 * (example.tokens[2] - offset);
}

}  // namespace

TEST_CASE("pathfinder: the official folder gives every picture once, split 80/10/10", "[unit]") {
  const TempFolder folder;
  write_layout(folder);
  MemorySink sink;
  Reading reading;
  read_into(sink, folder.path(), &reading);
  CHECK(sink.faults.empty());
  CHECK(sink[Split::train].size() == 80);
  CHECK(sink[Split::val].size() == 10);
  CHECK(sink[Split::test].size() == 10);
  std::set<int> seen;
  for (const auto& split : sink.splits) {
    for (const auto& example : split) {
      seen.insert(number_of(example));
      CHECK(example.label == number_of(example) % 2);
      CHECK(example.tokens.size() == 1024);
      CHECK(example.tokens[0] == 256);
      CHECK(std::count(example.tokens.begin(), example.tokens.end(), Token{0}) == 0);
    }
  }
  CHECK(seen.size() == 100);
  CHECK(reading.origin == Origin::stand_in);  // 100 pictures are not the official 200,000
  CHECK_THAT(reading.description, ContainsSubstring("Pathfinder: pictures in the official form"));
  CHECK_THAT(reading.description, ContainsSubstring(kRoot + " (--data)"));
  CHECK((*reading.extra)["empty_pictures_skipped"] == 0);
}

TEST_CASE("pathfinder: the split depends on paths and seed alone", "[unit]") {
  const TempFolder folder;
  write_layout(folder);
  MemorySink first;
  Reading reading;
  read_into(first, folder.path(), &reading);
  // The order of the rows and the batches does not matter, nor does the content.
  const TempFolder other;
  auto files = layout_files(kRoot, 2, 50);
  for (auto& [name, content] : files) {
    if (name.ends_with(".npy")) {
      std::vector<std::string> lines;
      for (std::size_t at = 0; at < content.size();) {
        const std::size_t end = content.find('\n', at);
        lines.push_back(content.substr(at, end + 1 - at));
        at = end + 1;
      }
      std::reverse(lines.begin(), lines.end());
      content.clear();
      for (const auto& line : lines) content += line;
    }
    put(other, name, content);
  }
  MemorySink second;
  Reading again;
  read_into(second, other.path(), &again);
  CHECK(first.splits == second.splits);
  CHECK((*reading.extra)["split"] == (*again.extra)["split"]);
  // Pinned: the digests of the splits' lists of paths.
  const json split = (*reading.extra)["split"];
  CHECK(split["sha256"]["val"].get<std::string>().substr(0, 12) == "4d61c4755b63");
  MemorySink seeded;
  read_into(seeded, folder.path(), &again, {{"split_seed", 1}});
  CHECK(first[Split::test] != seeded[Split::test]);
  CHECK((*again.extra)["split"]["sha256"]["test"] != split["sha256"]["test"]);
}

TEST_CASE("pathfinder: a black pixel is padding only as a named quirk", "[unit]") {
  const TempFolder folder;
  write_layout(folder);
  const auto task = create_task("pathfinder", nullptr);
  CHECK(task->info().vocabulary == 257);
  CHECK_FALSE(task->info().zero_is_padding);
  const auto quirk = create_task("pathfinder", {{"pixel_mask", "google"}});
  CHECK(quirk->info().vocabulary == 256);
  CHECK(quirk->info().zero_is_padding);
  CHECK(quirk->info().pixel_offset == 0);
  MemorySink plain;
  MemorySink google;
  read_into(plain, folder.path());
  read_into(google, folder.path(), nullptr, {{"pixel_mask", "google"}});
  for (std::size_t i = 0; i < plain[Split::train].size(); ++i) {
    const auto& ids = plain[Split::train][i].tokens;
    const auto& raw = google[Split::train][i].tokens;
    CHECK(raw[0] == 255);
    CHECK(std::count(raw.begin(), raw.end(), Token{0}) > 1000);
    for (std::size_t k = 0; k < ids.size(); ++k) CHECK(ids[k] == raw[k] + 1);
  }
}

TEST_CASE("pathfinder: metadata as NumPy arrays is read, and the difficulties", "[unit]") {
  const TempFolder folder;
  write_layout(folder, "pathfinder32/curv_baseline", 1, 20);
  std::vector<std::vector<std::string>> table;
  table.reserve(20);
  for (int i = 0; i < 20; ++i) {
    table.push_back({"imgs/0", "sample_" + std::to_string(i) + ".png", std::to_string(i),
                     std::to_string(i % 2), "1.0", "6", "2", "2", "0.5", "1", "1"});
  }
  MemorySink text;
  read_into(text, folder.path(), nullptr, {{"difficulty", "curv_baseline"}});
  put(folder, "pathfinder32/curv_baseline/metadata/0.npy", numpy_strings(table, "<U32", 1));
  MemorySink numpy;
  read_into(numpy, folder.path() / "pathfinder32", nullptr, {{"difficulty", "curv_baseline"}});
  CHECK(text[Split::train].size() == 16);
  CHECK(text.splits == numpy.splits);
  MemorySink itself;
  read_into(itself, folder.path() / "pathfinder32" / "curv_baseline", nullptr,
            {{"difficulty", "curv_baseline"}});
  CHECK(text.splits == itself.splits);
  CHECK_THAT(error_of([&] { read_into(itself, folder.path()); }),
             ContainsSubstring("expected pathfinder32/curv_contour_length_14"));
}

TEST_CASE("pathfinder: empty pictures are skipped and counted", "[unit]") {
  const TempFolder folder;
  write_layout(folder);
  put(folder, kRoot + "/imgs/0/sample_17.png", "");
  MemorySink sink;
  Reading reading;
  read_into(sink, folder.path(), &reading);
  CHECK(sink.faults.empty());
  CHECK(sink[Split::train].size() + sink[Split::val].size() + sink[Split::test].size() == 99);
  CHECK((*reading.extra)["empty_pictures_skipped"] == 1);
}

TEST_CASE("pathfinder: generated data are the pictures that make() writes", "[run]") {
  const TempFolder folder;
  const auto task = create_task("pathfinder", {{"difficulty", "curv_baseline"}});
  OpenOptions options = options_for("", folder.path() / "cache");
  options.counts = {960, 120, 120};
  options.seed = 11;
  const testing::Variable cache("XDG_CACHE_HOME", (folder.path() / "home").string());
  const testing::Variable data("LRA_DATA", "");
  const TaskData generated = task->open(options);
  CHECK(generated.origin == Origin::generated);
  CHECK(generated.split(Split::train).size() == 960);
  CHECK(generated.details()["plan"]["generator"] == kGeneratorVersion);

  std::vector<std::int64_t> progress;
  options.progress = [&](auto, std::int64_t done, std::int64_t total) {
    CHECK(total == 1200);
    progress.push_back(done);
  };
  const json card = task->make(options, folder.path() / "made");
  CHECK(progress == std::vector<std::int64_t>{1000, 1200});
  CHECK(card["plan"] == generated.details()["plan"]);
  const fs::path made = folder.path() / "made" / "pathfinder32" / "curv_baseline";
  CHECK(fs::exists(made / "imgs" / "1" / "sample_199.png"));
  CHECK_FALSE(fs::exists(made / "imgs" / "1" / "sample_200.png"));
  CHECK_THAT(lra::read_file(made / "metadata" / "1.npy"),
             ContainsSubstring("imgs/1 sample_199.png 199 "));
  CHECK_THAT(error_of([&] { (void)task->make(options, folder.path() / "made"); }, ErrorKind::usage),
             ContainsSubstring("exists already"));

  const TaskData loaded = task->open(options_for(folder.path() / "made", folder.path() / "cache"));
  CHECK(loaded.origin == Origin::generated);
  CHECK(loaded.sha256 == generated.sha256);
  CHECK(loaded.details()["split"] == generated.details()["split"]);
  // A card beside other files is a fault, not an origin.
  std::string metadata = lra::read_file(made / "metadata" / "0.npy");
  metadata.erase(0, metadata.find('\n') + 1);
  std::ofstream(made / "metadata" / "0.npy", std::ios::binary) << metadata;
  CHECK_THAT(error_of([&] {
               (void)task->open(options_for(folder.path() / "made", folder.path() / "cache"));
             }),
             ContainsSubstring("data card does not belong"));
}

TEST_CASE("pathfinder: sizes, tasks and options", "[unit]") {
  CHECK(create_task("pathfinder", nullptr)->info().max_length == 1024);
  CHECK(create_task("pathx", nullptr)->info().max_length == 16384);
  CHECK(create_task("pathx", {{"size", 256}})->info().max_length == 65536);
  CHECK(create_task("pathfinder", {{"vocabulary_rows", 512}})->info().vocabulary == 512);
  const auto wrong = create_task("pathfinder", {{"size", 33}});
  CHECK_THAT(error_of([&] { (void)wrong->find(options_for("", "")); }, ErrorKind::config),
             ContainsSubstring("got 33, expected 32, 64, 128 or 256"));
  const auto misspelt = [] {
    static_cast<void>(create_task("pathfinder", {{"difficulty", "curv_basline"}}));
  };
  CHECK_THAT(error_of(misspelt, ErrorKind::config), ContainsSubstring("one of curv_baseline"));
  // Other options give another cache, the same options the same.
  const TempFolder folder;
  write_layout(folder);
  std::set<std::string> identities;
  const std::vector<json> variants{
      json::object(), json::object(), {{"pixel_mask", "google"}}, {{"split_seed", 3}}};
  for (const json& options : variants) {
    const auto task = create_task("pathfinder", options);
    identities.insert(task->find(options_for(folder.path(), "")).identity);
  }
  CHECK(identities.size() == 3);
}

TEST_CASE("pathfinder: the official pictures are read without a fault", "[run]") {
  const auto official = lra::tasks::testing::official_data("pathfinder32");
  if (!official) return;
  const auto data = official->parent_path();
  const std::vector<std::tuple<std::string, std::string, std::int64_t, std::int64_t>> sets{
      {"pathfinder", "curv_baseline", 2000, 995},
      {"pathfinder", "curv_contour_length_9", 2000, 1006},
      {"pathfinder", "curv_contour_length_14", 2200, 1109},
      {"pathx", "curv_contour_length_14", 160, 73}};
  for (const auto& [name, difficulty, pictures, ones] : sets) {
    const auto task = create_task(name, {{"difficulty", difficulty}});
    const DataCheck checked = check(*task, options_for(data, ""));
    CHECK(checked.fault_count == 0);
    std::int64_t total = 0;
    std::int64_t labelled = 0;
    for (const auto& split : checked.splits) {
      total += split.examples;
      labelled += split.labels[1];
    }
    CHECK(total == pictures);
    CHECK(labelled == ones);
    // The original generator's own NumPy metadata says the same.
    const fs::path folder =
        data / (name == "pathx" ? "pathfinder128" : "pathfinder32") / difficulty;
    std::map<std::string, int> labels;
    for (const char* metadata : {"metadata", "metadata_numpy"}) {
      for (const auto& entry : fs::directory_iterator(folder / metadata)) {
        read_metadata(
            lra::read_file(entry.path()), metadata,
            [&](MetadataRow&& row) {
              const auto [known, is_new] = labels.emplace(row.picture, row.label);
              CHECK(known->second == row.label);
            },
            [](const std::string& message) { FAIL(message); });
      }
    }
    CHECK(labels.size() == static_cast<std::size_t>(pictures));
  }
}
