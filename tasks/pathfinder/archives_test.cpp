#include <string>
#include <vector>

#include "tasks/pathfinder/testing.h"
#include "tasks/test_support.h"
#include "tests/archive_builder.h"

using lra::testing::build_archive;
using lra::testing::BuiltEntry;
using lra::testing::ContainsSubstring;
using lra::testing::EntryKind;
using lra::testing::Packing;
using namespace lra::tasks;
using namespace lra::tasks::pathfinder;
using lra::tasks::testing::error_of;
using lra::tasks::testing::MemorySink;
using lra::tasks::testing::TempFolder;

namespace {

std::vector<BuiltEntry> layout_entries(const std::string& root, int batches = 2, int each = 50) {
  std::vector<BuiltEntry> entries;
  for (const auto& [name, content] : layout_files(root, batches, each)) {
    entries.push_back({name, content});
  }
  return entries;
}

}  // namespace

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
