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
#include "tests/archive_builder.h"

using lra::ErrorKind;
using lra::testing::build_archive;
using lra::testing::BuiltEntry;
using lra::testing::ContainsSubstring;
using lra::testing::EntryKind;
using lra::testing::Packing;
using nlohmann::json;
using namespace lra::tasks;
using namespace lra::tasks::pathfinder;
using lra::tasks::testing::error_of;
using lra::tasks::testing::MemorySink;
using lra::tasks::testing::options_for;
using lra::tasks::testing::TempFolder;
namespace fs = std::filesystem;

namespace {

const std::string kRoot = "pathfinder32/curv_contour_length_14";

// Without the synchronisation of TempFolder::write, which is slow for hundreds of files.
fs::path put(const TempFolder& folder, const std::string& name, const std::string& content) {
  fs::path path = folder.path() / name;
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

void write_layout(const TempFolder& folder, const std::string& root = kRoot, int batches = 2,
                  int each = 50) {
  for (const auto& [name, content] : layout_files(root, batches, each)) {
    put(folder, name, content);
  }
}

std::vector<BuiltEntry> layout_entries(const std::string& root, int batches = 2, int each = 50) {
  std::vector<BuiltEntry> entries;
  for (const auto& [name, content] : layout_files(root, batches, each)) {
    entries.push_back({name, content});
  }
  return entries;
}

// What a task reads from a place; faults are collected.
MemorySink& read_into(MemorySink& sink, const fs::path& data, Reading* reading = nullptr,
                      const json& options = json::object(),
                      const std::string& name = "pathfinder") {
  const auto task = create_task(name, options);
  OpenOptions open = options_for(data, "");
  const Reading result = task->read(task->find(open), open, sink);
  if (reading != nullptr) *reading = result;
  return sink;
}

std::vector<std::string> faults_of(const TempFolder& folder) {
  MemorySink sink;
  return read_into(sink, folder.path()).faults;
}

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

TEST_CASE("pathfinder: archives hold the same data as folders", "[unit]") {
  const TempFolder folder;
  write_layout(folder);
  MemorySink unpacked;
  read_into(unpacked, folder.path());
  const std::vector<std::string> roots{kRoot, "a/b/" + kRoot, "curv_contour_length_14"};
  for (const Packing packing : {Packing::tar, Packing::tar_gz, Packing::tar_xz}) {
    for (const auto& root : roots) {
      const TempFolder place;
      const char* name = packing == Packing::tar      ? "x.tar"
                         : packing == Packing::tar_gz ? "x.tar.gz"
                                                      : "x.tar.xz";
      put(place, name, build_archive(layout_entries(root), packing));
      MemorySink sink;
      read_into(sink, place.path() / name);
      CHECK(sink.faults.empty());
      CHECK(sink.splits == unpacked.splits);
    }
  }
  // Found by name in a data folder, too.
  const TempFolder data;
  put(data, "pathfinder32.tar.gz", build_archive(layout_entries(kRoot), Packing::tar_gz));
  MemorySink sink;
  read_into(sink, data.path());
  CHECK(sink.splits == unpacked.splits);
}

TEST_CASE("pathfinder: of two copies in a release the inner one is read", "[unit]") {
  const std::string inner = "lra_release/lra_release/" + kRoot;
  const std::string outer = "lra_release/" + kRoot;
  auto entries = layout_entries(outer, 1, 20);
  const auto second = layout_entries(inner, 2, 50);
  entries.insert(entries.end(), second.begin(), second.end());
  // Another set of the same difficulty is none of ours.
  const auto other = layout_entries("lra_release/lra_release/pathfinder64/curv_contour_length_14");
  entries.insert(entries.end(), other.begin(), other.end());
  const TempFolder folder;
  put(folder, "lra_release.gz", build_archive(entries, Packing::tar_gz));
  MemorySink sink;
  Reading reading;
  read_into(sink, folder.path(), &reading);
  CHECK(sink[Split::train].size() == 80);
  CHECK_THAT(reading.description, ContainsSubstring("lra_release/" + kRoot));
  const TempFolder unpacked;
  write_layout(unpacked, outer, 1, 20);
  write_layout(unpacked, inner);
  MemorySink from_folder;
  read_into(from_folder, unpacked.path(), &reading);
  CHECK(from_folder[Split::train].size() == 80);
  CHECK_THAT(reading.description, ContainsSubstring("lra_release/lra_release/" + kRoot));
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

TEST_CASE("pathfinder: every fault of a picture names file and record", "[unit]") {
  const TempFolder folder;
  write_layout(folder);
  const std::string images = kRoot + "/imgs/0/";
  put(folder, images + "sample_1.png", numbered_png(1).substr(0, 60));
  put(folder, images + "sample_2.png", numbered_png(2, 64));
  put(folder, images + "sample_3.png", "not a picture");
  fs::remove(folder.path() / images / "sample_4.png");
  fs::remove(folder.path() / images / "sample_5.png");
  const TempFolder store;
  fs::create_symlink(store.path() / "none.png", folder.path() / images / "sample_5.png");
  fs::remove(folder.path() / images / "sample_6.png");
  fs::create_symlink(put(store, "6.png", numbered_png(6)), folder.path() / images / "sample_6.png");
  fs::remove(folder.path() / images / "sample_8.png");
  fs::create_directory(folder.path() / images / "sample_8.png");
  auto faults = faults_of(folder);
  std::sort(faults.begin(), faults.end());
  REQUIRE(faults.size() == 6);
  for (std::size_t i = 0; i < 6; ++i) {
    const std::vector<int> records{1, 2, 3, 4, 5, 8};
    CHECK_THAT(faults[i], ContainsSubstring(fmt::format("sample_{}.png", records[i])));
    CHECK_THAT(faults[i], ContainsSubstring(fmt::format("metadata/0.npy:{}", records[i] + 1)));
  }
  CHECK_THAT(faults[0], ContainsSubstring("truncated"));
  CHECK_THAT(faults[1], ContainsSubstring("got 64 x 64, expected 32 x 32"));
  CHECK_THAT(faults[2], ContainsSubstring("not a readable PNG"));
  CHECK_THAT(faults[3], ContainsSubstring("cannot read"));
  CHECK_THAT(faults[4], ContainsSubstring("cannot read"));
  CHECK_THAT(faults[5], ContainsSubstring("not a regular file"));
  // Opening stops at the first of them and leaves no cache.
  const TempFolder cache;
  const auto task = create_task("pathfinder", nullptr);
  CHECK_THAT(error_of([&] { (void)task->open(options_for(folder.path(), cache.path())); }),
             ContainsSubstring("metadata/0.npy:"));
  for (const auto& entry : fs::directory_iterator(cache.path())) {
    CHECK(entry.path().extension() == ".lock");
  }
}

TEST_CASE("pathfinder: faults of the metadata", "[unit]") {
  const TempFolder folder;
  write_layout(folder);
  const std::string file = kRoot + "/metadata/0.npy";
  const std::string good = lra::read_file(folder.path() / file);
  put(folder, file, good + "imgs/0 sample_0.png 0 1 1.0 14 4 2 0.5 1 1\n");
  CHECK_THAT(faults_of(folder).at(0), ContainsSubstring("0.npy:51: picture imgs/0/sample_0.png is "
                                                        "named a second time; first by"));
  put(folder, file, good + "imgs/0 sample_99.png 0 2 1.0 14 4 2 0.5 1 1\n");
  CHECK_THAT(faults_of(folder).at(0), ContainsSubstring("0.npy:51: label; got '2'"));
  put(folder, file, "");
  CHECK_THAT(error_of([&] { faults_of(folder); }), ContainsSubstring("0.npy: the file is empty"));
  fs::remove_all(folder.path() / kRoot / "metadata");
  fs::create_directory(folder.path() / kRoot / "metadata");
  CHECK_THAT(error_of([&] { faults_of(folder); }), ContainsSubstring("contains no .npy files"));
}

TEST_CASE("pathfinder: links into a store are followed, names in the data stay inside", "[unit]") {
  const TempFolder store;
  write_layout(store);
  const TempFolder folder;
  fs::create_directories(folder.path() / kRoot);
  for (const char* part : {"imgs", "metadata"}) {
    fs::create_symlink(store.path() / kRoot / part, folder.path() / kRoot / part);
  }
  CHECK(faults_of(folder).empty());
  const TempFolder link;
  fs::create_symlink(store.path() / "pathfinder32", link.path() / "pathfinder32");
  CHECK(faults_of(link).empty());
  put(store, kRoot + "/metadata/7.npy", "imgs/../../../0 secret.png 0 1 1.0 14 4 2 0.5 1 1\n");
  CHECK_THAT(faults_of(link).at(0), ContainsSubstring("expected a path inside the data folder"));
}

TEST_CASE("pathfinder: damaged and hostile archives are refused", "[unit]") {
  const TempFolder folder;
  const auto fault = [&](const std::string& bytes) {
    put(folder, "pathfinder32.tar", bytes);
    return error_of([&] {
      MemorySink sink;
      read_into(sink, folder.path());
    });
  };
  const auto entries = layout_entries(kRoot, 1, 20);
  const std::string whole = build_archive(entries);
  CHECK_THAT(fault(whole.substr(0, whole.size() / 2)), ContainsSubstring("pathfinder32.tar"));
  CHECK_THAT(fault(""), ContainsSubstring("pathfinder32.tar"));
  auto hostile = entries;
  hostile.push_back({"../" + kRoot + "/metadata/1.npy", "x"});
  CHECK_THAT(fault(build_archive(hostile)), ContainsSubstring("unsafe name"));
  auto linked = entries;
  linked.push_back({kRoot + "/imgs/0/sample_99.png", "sample_1.png", EntryKind::symbolic_link});
  CHECK_THAT(fault(build_archive(linked)), ContainsSubstring("got a link"));
  CHECK_THAT(fault(build_archive({{"other/file", "x"}})),
             ContainsSubstring("contains no pathfinder32/curv_contour_length_14/metadata"));
  auto missing = entries;
  missing.erase(missing.begin());
  put(folder, "pathfinder32.tar", build_archive(missing));
  CHECK_THAT(faults_of(folder).at(0), ContainsSubstring("sample_0.png: not in the archive"));
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
