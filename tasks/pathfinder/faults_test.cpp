#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tasks/pathfinder/testing.h"
#include "tasks/test_support.h"

using lra::testing::ContainsSubstring;
using namespace lra::tasks;
using namespace lra::tasks::pathfinder;
using lra::tasks::testing::error_of;
using lra::tasks::testing::options_for;
using lra::tasks::testing::TempFolder;
namespace fs = std::filesystem;

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
