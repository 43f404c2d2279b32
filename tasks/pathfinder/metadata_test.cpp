#include "tasks/pathfinder/metadata.h"

#include <vector>

#include "tasks/pathfinder/testing.h"
#include "tasks/test_support.h"

using lra::testing::ContainsSubstring;
using namespace lra::tasks;
using namespace lra::tasks::pathfinder;
using lra::tasks::testing::error_of;

namespace {

struct Result {
  std::vector<MetadataRow> rows;
  std::vector<std::string> faults;
};

Result read(const std::string& content) {
  Result result;
  read_metadata(
      content, "0.npy", [&](MetadataRow&& row) { result.rows.push_back(std::move(row)); },
      [&](const std::string& message) { result.faults.push_back(message); });
  return result;
}

std::string fault_of(const std::string& line) {
  const Result result =
      read("imgs/0 sample_0.png 0 1 1.0 14 4 2 0.5 1 1\n" + line + "\nimgs/0 c.png 2 0\n");
  CHECK(result.rows.size() == 2);
  REQUIRE(result.faults.size() == 1);
  return result.faults[0];
}

}  // namespace

TEST_CASE("pathfinder metadata: text rows as in the release", "[unit]") {
  const Result result = read(
      "imgs/7 sample_0.png 0 1 1.0 14 4 2 0.5 1 1\r\n"
      "imgs/7 sample_1.png 1 0 1.0 14 4 2 0.5 1 1");
  CHECK(result.faults.empty());
  REQUIRE(result.rows.size() == 2);
  CHECK(result.rows[0].picture == "imgs/7/sample_0.png");
  CHECK(result.rows[0].label == 1);
  CHECK(result.rows[1].label == 0);
  CHECK(result.rows[1].place == "0.npy:2");
}

TEST_CASE("pathfinder metadata: faults name file and line", "[unit]") {
  CHECK_THAT(fault_of("imgs/0 sample_1.png 1"), ContainsSubstring("0.npy:2: columns; got 3"));
  CHECK_THAT(fault_of(""), ContainsSubstring("0.npy:2: columns; got 0, expected 11"));
  for (const std::string label : {"2", "-1", "01", "1.0", "x", ""}) {
    CHECK_THAT(fault_of("imgs/0 sample_1.png 1 " + label + " 1.0"),
               ContainsSubstring("0.npy:2: label; got '" + label + "', expected 0 or 1"));
  }
  for (const std::string path :
       {"/etc passwd", "../x a.png", "imgs/0 ../../../x", " a.png", "imgs "}) {
    CHECK_THAT(fault_of(path + " 1 1 1.0"), ContainsSubstring("0.npy:2: picture; got"));
  }
  CHECK_THAT(fault_of(std::string("imgs/0 a\0b.png 1 1", 18)), ContainsSubstring("not text"));
  CHECK_THAT(fault_of("imgs/0 \xC3\xA9.png 1 1"), ContainsSubstring("not text"));
  const Result cut = read("imgs/0 a.png 0 1 1.0 14 4 2 0.5 1 1\nimgs/0 b.png 1 1");
  CHECK(cut.rows.size() == 1);
  CHECK_THAT(cut.faults.at(0),
             ContainsSubstring("0.npy:2: the last line is truncated; got 4 columns"));
  CHECK_THAT(error_of([] { read(""); }), ContainsSubstring("0.npy: the file is empty"));
}

TEST_CASE("pathfinder metadata: NumPy arrays hold the same rows", "[unit]") {
  const std::vector<std::vector<std::string>> table{
      {"imgs/0", "sample_0.png", "0", "1", "1.0", "14", "4", "2", "0.5", "1", "1"},
      {"imgs/0", "sample_1.png", "1", "0", "1.0", "14", "4", "2", "0.5", "1", "1"}};
  for (const char* type : {"<U32", "<U12", "|S16"}) {
    for (const int version : {1, 2}) {
      const Result result = read(numpy_strings(table, type, version));
      CHECK(result.faults.empty());
      REQUIRE(result.rows.size() == 2);
      CHECK(result.rows[0].picture == "imgs/0/sample_0.png");
      CHECK(result.rows[0].label == 1);
      CHECK(result.rows[1].picture == "imgs/0/sample_1.png");
      CHECK(result.rows[1].place == "0.npy:2");
    }
  }
}

TEST_CASE("pathfinder metadata: malformed arrays are refused", "[unit]") {
  const std::vector<std::vector<std::string>> table{{"imgs/0", "a.png", "0", "1"},
                                                    {"imgs/0", "b.png", "1", "7"}};
  const std::string good = numpy_strings(table, "<U32", 1);
  const Result labels = read(good);
  CHECK(labels.rows.size() == 1);
  CHECK_THAT(labels.faults.at(0), ContainsSubstring("0.npy:2: label; got '7'"));
  for (std::size_t size = 6; size < good.size(); size += 7) {
    CHECK_THAT(error_of([&] { read(good.substr(0, size)); }), ContainsSubstring("0.npy: "));
  }
  CHECK_THAT(error_of([&] { read(good + "x"); }), ContainsSubstring("got 1025 bytes of data"));
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = good;
    changed.replace(changed.find(from), from.size(), to);
    return error_of([&] { read(changed); });
  };
  CHECK_THAT(with("<U32", "<f32"), ContainsSubstring("NumPy header"));
  CHECK_THAT(with("<U32", ">U32"), ContainsSubstring("NumPy header"));
  CHECK_THAT(with("False", "True "), ContainsSubstring("NumPy header"));
  CHECK_THAT(with("(2, 4)", "(2, )"), ContainsSubstring("NumPy array"));
  CHECK_THAT(with("(2, 4)", "(-2,4)"), ContainsSubstring("NumPy header"));
  CHECK_THAT(with("(2, 4)", "(9, 4)"), ContainsSubstring("expected those of shape (9, 4)"));
  std::string wide = good;
  wide[wide.size() - std::size_t{32} * 4 * 3] = '\xE9';  // in the last row's second column
  CHECK_THAT(read(wide).faults.at(0), ContainsSubstring("0.npy:2: not ASCII text"));
}

TEST_CASE("pathfinder metadata: lines are written as the release has them", "[unit]") {
  Facts facts;
  facts.label = 1;
  facts.margin = 1;
  CHECK(metadata_line(arena_setting(32, 14), 3, 17, facts) ==
        "imgs/3 sample_17.png 17 1 1.0 14 4 2 0.5 1 1\n");
  facts.margin = 2;
  CHECK(metadata_line(arena_setting(128, 14), 0, 0, facts) ==
        "imgs/0 sample_0.png 0 1 1.8 14 4 5 1.5 2 1\n");
  CHECK(metadata_line(arena_setting(64, 6), 0, 0, facts) ==
        "imgs/0 sample_0.png 0 1 1.8 6 2 5 1 2 1\n");
}
