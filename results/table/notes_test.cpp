// What is said about the numbers of a table: marks of cells and rows, notes, head and legend.

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "results/record/testing.h"
#include "results/table/table.h"
#include "results/table/test_fixture.h"
#include "tests/catch.h"

using lra::results::Record;
using lra::results::TableFormat;
using lra::results::TableOptions;
using lra::results::testing::kFormats;
using lra::results::testing::sample_record;
using lra::testing::ContainsSubstring;
namespace results = lra::results;

TEST_CASE("table: timings taken beside other runs are marked", "[unit]") {
  Record record = sample_record();
  record.speed.measured = lra::results::Timing::shared;
  TableOptions options;
  options.columns = {"listops", "speed"};
  const auto table = results::build_table({record}, options);
  CHECK(table.rows[0].cells[0].marks.empty());
  REQUIRE(table.rows[0].cells[1].marks.size() == 1);
  CHECK(table.notes[table.rows[0].cells[1].marks[0]] == "measured while other runs ran beside");
}

TEST_CASE("table: times of a run that was continued with other threads are marked", "[unit]") {
  Record record = sample_record();
  record.time.stretches = {{2, 3000}, {1, 2000}};
  TableOptions options;
  options.columns = {"accuracy", "seconds"};
  const auto table = results::build_table({record}, options);
  CHECK(table.rows[0].cells[0].marks.empty());
  REQUIRE(table.rows[0].cells[1].marks.size() == 1);
  CHECK(table.notes[table.rows[0].cells[1].marks[0]] ==
        "ListOps, seed 0: continued with another number of threads: 2, then 1");
}

TEST_CASE("table: a suite that changes a setting everywhere says so once", "[unit]") {
  std::vector<Record> records;
  int standard = 1000;
  for (const char* task : {"listops", "text", "retrieval", "image", "pathfinder"}) {
    standard += 1000;
    for (const char* attention : {"softmax", "linear_transformer", "cosformer"}) {
      Record record = sample_record(task, attention);
      record.deviations = {fmt::format("train.steps: 20 instead of {}", standard),
                           fmt::format("train.batch_size: {} instead of 8", standard / 1000)};
      results::judge_division(record, 200000);
      records.push_back(record);
    }
  }
  TableOptions options;
  options.ladder = false;
  const auto table = results::build_table(records, options);
  REQUIRE(table.rows.size() == 3);
  REQUIRE(table.columns.size() == 6);
  for (const auto& row : table.rows) {
    CHECK(row.marks.empty());
    CHECK_THAT(row.label, !ContainsSubstring("="));
    for (const auto& cell : row.cells) {
      CHECK(cell.value.has_value());
      CHECK(cell.marks.empty());
    }
  }
  CHECK(table.head.at(1) == "Every run is free-for-all, changed alike: train.steps=20.");
  CHECK_THAT(table.legend.at(1),
             ContainsSubstring("every run free-for-all: train.batch_size: 2 instead of 8."));
  for (const TableFormat format : kFormats) {
    const std::string text = results::format_table(table, format);
    INFO(text);
    if (format != TableFormat::csv) CHECK_THAT(text, ContainsSubstring("train.steps=20"));
    CHECK_THAT(text, !ContainsSubstring("[a]"));
  }
}

TEST_CASE("table: a setting of one attention alone is a footnote, not a row", "[unit]") {
  std::vector<Record> records{sample_record("listops", "softmax"), sample_record("text", "softmax"),
                              sample_record("listops", "linear_transformer"),
                              sample_record("text", "linear_transformer")};
  records[2].deviations = {"train.lr: 0.1 instead of 0.2"};
  records[3].deviations = {"train.lr: 0.1 instead of 0.3", "train.steps: 7 instead of 9"};
  for (auto& record : records) results::judge_division(record, 200000);
  const auto table = results::build_table(records, {});
  const auto& row = table.rows.at(0);
  CHECK(row.label == "linear_transformer");
  REQUIRE(row.marks.size() == 1);
  CHECK_THAT(table.notes[row.marks[0]],
             ContainsSubstring("deviates") && ContainsSubstring("train.lr=0.1"));
  CHECK(row.cells[0].marks.empty());
  REQUIRE(row.cells[1].marks.size() == 1);
  CHECK(table.notes[row.cells[1].marks[0]] == "free-for-all: train.steps: 7 instead of 9");
}

TEST_CASE("table: an accuracy whose settings were searched for names the search's price",
          "[unit]") {
  Record searched = sample_record("listops", "softmax");
  searched.search = results::testing::sample_search();
  const std::vector<Record> records{searched, sample_record("listops", "linear_transformer"),
                                    sample_record("text", "softmax")};
  TableOptions options;
  options.columns = {"listops", "text", "trials:listops"};
  const auto table = results::build_table(records, options);
  const std::string text = results::format_table(table, TableFormat::md);
  const std::string note =
      "settings chosen by a search: best validation of 3 trials of 100 and 200 steps, 1.5 M tokens";
  REQUIRE(std::count(table.notes.begin(), table.notes.end(), note) == 1);
  CHECK_THAT(text, ContainsSubstring("where none is noted, settings were not searched for"));
  const auto mark = static_cast<std::size_t>(
      std::find(table.notes.begin(), table.notes.end(), note) - table.notes.begin());
  for (const auto& row : table.rows) {
    if (row.kind != results::TableRow::Kind::measured) continue;
    const auto marked = [mark](const results::TableCell& cell) {
      return std::find(cell.marks.begin(), cell.marks.end(), mark) != cell.marks.end();
    };
    CHECK(marked(row.cells[0]) == (row.label.starts_with("softmax")));
    CHECK_FALSE(marked(row.cells[1]));
    CHECK(row.cells[2].value.has_value() == row.label.starts_with("softmax"));
  }
  const std::vector<Record> plain{sample_record("listops", "softmax")};
  CHECK_THAT(results::render_table(plain, TableOptions{}), !ContainsSubstring("search"));
}

TEST_CASE("table: metrics have the decimals of their list, runs of several versions a note",
          "[unit]") {
  std::vector<Record> records{sample_record("listops", "softmax", 0),
                              sample_record("listops", "softmax", 1)};
  TableOptions options;
  options.columns = {"listops", "loss"};
  CHECK_THAT(results::render_table(records, options), !ContainsSubstring("runs of versions"));
  for (Record& record : records) record.loss.test = 1.23456;
  records[1].environment.version = "9.8.7";
  const std::string table = results::render_table(records, options);
  CHECK_THAT(table, ContainsSubstring("1.2346"));
  CHECK_THAT(table, !ContainsSubstring("1.23456"));
  CHECK_THAT(table, ContainsSubstring(
                        fmt::format("runs of versions {}, 9.8.7", records[0].environment.version)));
}
