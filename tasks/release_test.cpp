// The benchmark's archive in each form in which people have it, for its three tasks.

#include "tasks/release.h"

#include <nlohmann/json.hpp>

#include "tasks/check.h"
#include "tasks/pathfinder/testing.h"
#include "tasks/test_support.h"
#include "tests/archive_builder.h"

namespace lra::tasks::testing {
namespace {

using lra::testing::build_archive;
using lra::testing::BuiltEntry;
using lra::testing::ContainsSubstring;
using lra::testing::Packing;

// Files of the three tasks as the release has them: ListOps in the outer folder, too.
std::vector<BuiltEntry> release_entries() {
  std::vector<BuiltEntry> entries;
  for (const char* split : {"test", "train", "val"}) {  // the archive's order
    const std::string name = fmt::format("listops-1000/basic_{}.tsv", split);
    const std::string value = split == std::string("train") ? "[MAX 3 ) 7" : "[MIN 3 ) 7";
    const char* label = split == std::string("train") ? "7" : "3";
    entries.push_back({"lra_release/" + name, "Source\tTarget\n( ( ( [MAX 1 ) 2 ) ] )\t2\n"});
    entries.push_back({"lra_release/lra_release/" + name,
                       fmt::format("Source\tTarget\n( ( ( {} ) ] )\t{}\n", value, label)});
  }
  for (const char* split : {"eval", "test", "train"}) {
    std::string rows = "1.0\tA\tB\ttext a\t\"text b\n";
    if (split == std::string("train")) rows += "0.0\tA\tC\ttext a\ttext c\n";
    entries.push_back(
        {fmt::format("lra_release/lra_release/tsv_data/new_aan_pairs.{}.tsv", split), rows});
  }
  for (const auto& [name, content] : pathfinder::layout_files(
           "lra_release/lra_release/pathfinder32/curv_contour_length_14", 2, 10)) {
    entries.push_back({name, content});
  }
  return entries;
}

TEST_CASE("release: every form is read by all of its tasks, and gives the same data", "[unit]") {
  const TempFolder folder;
  const auto entries = release_entries();
  for (const BuiltEntry& entry : entries) folder.write("tree/" + entry.name, entry.content);
  folder.write("gz/lra_release.gz", build_archive(entries, Packing::tar_gz));
  const std::string tar = build_archive(entries);
  folder.write("tar/lra_release.tar", tar);
  folder.write("plain/lra_release", tar);  // gunzipped by a browser
  folder.write("own/any name", tar);
  for (const char* name : {"listops", "retrieval", "pathfinder"}) {
    INFO(name);
    const auto task = create_task(name, nullptr);
    const auto open = [&](const char* place) {
      INFO(place);
      const auto options = options_for(folder.path() / place, folder.path() / "cache");
      const DataCheck report = check(*task, options);
      CHECK(report.fault_count == 0);
      const TaskData data = task->open(options);
      CHECK(data.sha256 == report.sha256);
      return data;
    };
    const TaskData tree = open("tree");
    CHECK(tree.origin == Origin::stand_in);  // not the official counts
    CHECK(tree.split(Split::train).size() == (name == std::string("listops")     ? 1
                                              : name == std::string("retrieval") ? 2
                                                                                 : 16));
    for (const char* place : {"gz", "tar", "plain", "gz/lra_release.gz", "own/any name"}) {
      CHECK(open(place).sha256 == tree.sha256);
    }
  }
}

TEST_CASE("release: the inner folder is preferred, an archive without the task is refused",
          "[unit]") {
  const TempFolder folder;
  folder.write("lra_release.gz", build_archive(release_entries(), Packing::tar_gz));
  const auto options = options_for(folder.path(), folder.path() / "cache");
  const TaskData listops = create_task("listops", nullptr)->open(options);
  CHECK(listops.split(Split::train)[0].label == 7);  // 2 in the outer folder
  CHECK(listops.split(Split::val)[0].label == 3);
  const TempFolder other;
  other.write("lra_release.tar", build_archive({{"lra_release/other", "x"}}));
  for (const char* name : {"listops", "retrieval", "pathfinder"}) {
    INFO(name);
    CHECK_THAT(
        error_of([&] {
          static_cast<void>(
              create_task(name, nullptr)->open(options_for(other.path(), other.path() / "cache")));
        }),
        ContainsSubstring("lra_release.tar: contains no"));
  }
}

TEST_CASE("release: faults in an archive name its entry and line, across blocks", "[unit]") {
  const TempFolder folder;
  std::string rows;
  for (int i = 0; i < 3000; ++i) {
    rows +=
        i == 2900 ? "2\tA\tB\ta\tb\n" : fmt::format("1\tA\tB\t{}\t{}\n", std::string(500, 'x'), i);
  }
  const std::string place = "tsv_data/new_aan_pairs.";
  folder.write("pairs.tar", build_archive({{place + "train.tsv", rows},
                                           {place + "eval.tsv", "1\tA\tB\ta\tb\n"},
                                           {place + "test.tsv", "1\tA\tB\ta\tb\n0\tA"}}));
  const DataCheck report = check(*create_task("retrieval", nullptr),
                                 options_for(folder.path() / "pairs.tar", folder.path() / "cache"));
  CHECK(report.splits[0].examples == 2999);
  CHECK(report.splits[2].examples == 1);
  REQUIRE(report.faults.size() == 2);
  CHECK_THAT(report.faults[0],
             ContainsSubstring("pairs.tar:tsv_data/new_aan_pairs.train.tsv:2901: label; got '2'"));
  CHECK_THAT(report.faults[1], ContainsSubstring("test.tsv:2: the last line is truncated"));
}

}  // namespace
}  // namespace lra::tasks::testing
