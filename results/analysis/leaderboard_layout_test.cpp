// Runs with other settings than the preset's: which are rows, which are said of a column or of all.

#include <fmt/format.h>

#include <set>
#include <string>

#include "results/analysis/leaderboard.h"
#include "results/analysis/testing.h"
#include "tests/catch.h"

using lra::results::build_leaderboard;
using lra::results::Record;
using lra::results::testing::kFive;
using lra::results::testing::scored;
namespace results = lra::results;

namespace {

// A run of a user's suite: a setting that it changes from the preset's `standard`.
template <class Value, class Standard>
Record changed(Record record, const std::string& key, const Value& value,
               const Standard& standard) {
  record.deviations.push_back(fmt::format("{}: {} instead of {}", key, value, standard));
  results::set_run_id(record, fmt::format("{} {} {} {} {}", record.task.name, record.attention.name,
                                          record.seed, key, value));
  results::judge_division(record, 200000);
  return record;
}

}  // namespace

TEST_CASE("leaderboard: a setting that every run changes makes no rows", "[unit]") {
  std::vector<Record> records;
  double standard = 1000;
  for (const char* task : kFive) {
    standard += 1000;  // each task has its own default
    for (const char* attention : {"softmax", "linear", "cosformer"}) {
      records.push_back(changed(scored(task, attention, 0, 0.4), "train.steps", 20, standard));
    }
  }
  const auto board = build_leaderboard(records);
  CHECK(board.entries.size() == 3);
  CHECK(board.columns.size() == 5);
  CHECK(board.settings == std::vector<std::string>{"train.steps=20"});
  for (const auto& entry : board.entries) {
    CHECK(entry.settings.empty());
    CHECK(entry.cells.size() == 5);
    CHECK(board.average(entry, 5).has_value());
  }
  for (const auto& column : board.columns) CHECK(column.deviations.empty());
}

TEST_CASE("leaderboard: what a column shares is the column's, what tells rows apart is the row's",
          "[unit]") {
  std::vector<Record> records;
  for (const double rate : {0.1, 0.2}) {
    for (const char* attention : {"softmax", "linear"}) {
      records.push_back(
          changed(changed(scored("listops", attention, 0, 0.4), "train.steps", 20, 50), "train.lr",
                  rate, 0.3));
      // For Text the preset has the rate 0.1, which is no deviation there.
      records.push_back(rate == 0.1
                            ? scored("text", attention, 0, 0.5)
                            : changed(scored("text", attention, 0, 0.5), "train.lr", rate, 0.1));
    }
  }
  const auto board = build_leaderboard(records);
  REQUIRE(board.entries.size() == 4);
  CHECK(board.settings.empty());
  CHECK(board.columns[0].deviations == std::vector<std::string>{"train.steps: 20 instead of 50"});
  CHECK(board.columns[1].deviations.empty());
  std::vector<std::string> rows;
  for (const auto& entry : board.entries) {
    CHECK(entry.cells.size() == 2);
    REQUIRE(entry.settings.size() == 1);
    rows.push_back(entry.attention.name + " " + entry.settings[0]);
  }
  CHECK(rows == std::vector<std::string>{"linear train.lr=0.1", "linear train.lr=0.2",
                                         "softmax train.lr=0.1", "softmax train.lr=0.2"});
  // The paired difference is to the baseline of the same rate.
  REQUIRE(board.entries[1].cells.at(0).versus);
  CHECK(board.entries[1].cells.at(0).versus->against == 3);
}

TEST_CASE("leaderboard: a word among a row's settings stands without its quotes", "[unit]") {
  const std::string key = "model.positions";
  const std::vector<Record> records{
      changed(scored("listops", "softmax", 0, 0.4), key, "\"none\"", "\"learned\""),
      changed(scored("listops", "softmax", 0, 0.5), key, "\"rotary\"", "\"learned\"")};
  const auto board = build_leaderboard(records);
  REQUIRE(board.entries.size() == 2);
  std::vector<std::string> rows;
  for (const auto& entry : board.entries) {
    REQUIRE(entry.settings.size() == 1);
    rows.push_back(entry.settings[0]);
  }
  CHECK(rows == std::vector<std::string>{"model.positions=none", "model.positions=rotary"});
  const auto short_words =
      build_leaderboard({changed(scored("listops", "softmax", 0, 0.4), key, "\"x\"", "\"y\""),
                         changed(scored("listops", "softmax", 0, 0.5), key, "\"\"", "\"y\"")});
  REQUIRE(short_words.entries.size() == 2);
  std::set<std::string> found;
  for (const auto& entry : short_words.entries) found.insert(entry.settings.at(0));
  CHECK(found == std::set<std::string>{"model.positions=x", "model.positions=\"\""});
}

TEST_CASE("leaderboard: settings tuned for each attention are one row each", "[unit]") {
  const std::vector<Record> records{
      changed(scored("listops", "softmax", 0, 0.4), "train.lr", 0.1, 0.3),
      changed(scored("listops", "linear", 0, 0.4), "train.lr", 0.2, 0.3),
      changed(scored("text", "softmax", 0, 0.5), "train.lr", 0.4, 0.3),
      scored("text", "linear", 0, 0.5)};
  const auto board = build_leaderboard(records);
  REQUIRE(board.entries.size() == 2);
  for (const auto& entry : board.entries) {
    CHECK(entry.settings.empty());
    CHECK(entry.cells.size() == 2);
  }
  CHECK(board.entries[0].cells.at(0).deviations ==
        std::vector<std::string>{"train.lr: 0.2 instead of 0.3"});
}

TEST_CASE("leaderboard: one run beside a changed one keeps its other tasks", "[unit]") {
  const std::vector<Record> records{
      scored("listops", "softmax", 0, 0.4), scored("text", "softmax", 0, 0.5),
      changed(scored("listops", "softmax", 0, 0.2), "train.steps", 300, 5000)};
  const auto board = build_leaderboard(records);
  REQUIRE(board.entries.size() == 2);
  CHECK(board.entries[0].settings.empty());
  CHECK(board.entries[0].cells.size() == 2);
  CHECK(board.entries[1].settings == std::vector<std::string>{"train.steps=300"});
}

TEST_CASE("leaderboard: runs whose presets differ under equal values are not merged", "[unit]") {
  auto other = changed(scored("listops", "softmax", 1, 0.4), "train.steps", 20, 60);
  const auto board = build_leaderboard(
      {changed(scored("listops", "softmax", 0, 0.4), "train.steps", 20, 50), other});
  CHECK(board.entries.size() == 2);
}
