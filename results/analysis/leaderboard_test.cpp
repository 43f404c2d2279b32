#include "results/analysis/leaderboard.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/base/error.h"
#include "engine/base/random.h"
#include "results/record/testing.h"
#include "tests/catch.h"

using lra::results::build_leaderboard;
using lra::results::Leaderboard;
using lra::results::Origin;
using lra::results::Record;
using lra::results::Status;
using lra::results::testing::failed_record;
using lra::results::testing::sample_record;
using lra::testing::Approx;
using lra::testing::ContainsSubstring;
namespace results = lra::results;

namespace {

Record scored(const char* task, const char* attention, std::int64_t seed, double accuracy) {
  Record record = sample_record(task, attention, seed);
  record.accuracy.value.test = accuracy;
  record.accuracy.test_wilson95 = results::wilson(accuracy, 2000);
  return record;
}

std::vector<Record> three_seeds() {
  return {scored("listops", "softmax", 0, 0.36), scored("listops", "softmax", 1, 0.37),
          scored("listops", "softmax", 2, 0.38), scored("listops", "linear", 0, 0.37),
          scored("listops", "linear", 1, 0.39),  scored("listops", "linear", 2, 0.41)};
}

const results::Cell& only_cell(const Leaderboard& board, std::size_t entry) {
  return board.entries.at(entry).cells.at("listops");
}

}  // namespace

TEST_CASE("leaderboard: seeds are aggregated and paired with the baseline", "[unit]") {
  const auto board = build_leaderboard(three_seeds());
  REQUIRE(board.entries.size() == 2);
  CHECK(board.entries[0].attention.name == "linear");
  const auto& linear = only_cell(board, 0);
  const auto* accuracy = linear.metric("accuracy");
  REQUIRE(accuracy != nullptr);
  CHECK(accuracy->n == 3);
  CHECK(accuracy->mean == Approx(0.39));
  CHECK(accuracy->sd.value() == Approx(0.02));
  CHECK(accuracy->interval95->low == Approx(0.37));
  REQUIRE(linear.versus);
  CHECK(linear.versus->test.mean_difference == Approx(0.02));
  CHECK(linear.versus->seeds == std::vector<std::int64_t>{0, 1, 2});
  CHECK(linear.versus->test.p_sign_flip == 0.25);
  CHECK_FALSE(only_cell(board, 1).versus.has_value());
  CHECK_FALSE(linear.wilson95.has_value());
  CHECK(linear.agreement.at("root_operator") == Approx(0.92));
}

TEST_CASE("leaderboard: the same records give the same bytes in any order", "[unit]") {
  auto records = three_seeds();
  records.push_back(failed_record(sample_record("text", "linear", 0), Status::diverged, "NaN"));
  const std::string expected = results::to_json(build_leaderboard(records)).dump(2);
  lra::RandomStream random{lra::RandomKey(1)};
  for (int trial = 0; trial < 20; ++trial) {
    for (std::size_t i = records.size() - 1; i > 0; --i) {
      std::swap(records[i], records[random.below(static_cast<std::uint32_t>(i + 1))]);
    }
    CHECK(results::to_json(build_leaderboard(records)).dump(2) == expected);
  }
}

TEST_CASE("leaderboard: without timings only reproducible numbers remain", "[unit]") {
  auto records = three_seeds();
  const auto before = results::to_json(build_leaderboard(records), false).dump();
  for (auto& record : records) {
    record.speed.train_steps_per_second = 3.5;
    record.speed.measured = "shared";
    record.memory.peak_rss_bytes = 1;
    record.time.seconds = 7;
  }
  CHECK(results::to_json(build_leaderboard(records), false).dump() == before);
  CHECK(results::to_json(build_leaderboard(records)).dump() != before);
}

TEST_CASE("leaderboard: a run that did not complete is listed and adds nothing", "[unit]") {
  auto records = three_seeds();
  records[0] = failed_record(records[0], Status::diverged, "loss is NaN at step 17");
  records[3] = failed_record(records[3], Status::interrupted, "SIGINT at step 100");
  records.push_back(failed_record(sample_record("text", "softmax", 0), Status::failed, "no data"));
  records.back().task.origin.reset();
  records.back().task.data_sha256.reset();
  const auto board = build_leaderboard(records);
  REQUIRE(board.entries.size() == 2);
  const auto& softmax = only_cell(board, 1);
  CHECK(softmax.metric("accuracy")->n == 2);
  CHECK(softmax.metric("accuracy")->mean == Approx(0.375));
  CHECK(softmax.runs.size() == 3);
  CHECK(softmax.runs[0].failure == "loss is NaN at step 17");
  // Common seeds of completed runs: 1 and 2.
  CHECK(only_cell(board, 0).versus->seeds == std::vector<std::int64_t>{1, 2});
  CHECK(board.entries[1].cells.at("text").metric("accuracy") == nullptr);
  CHECK(board.runs.at(Status::completed) == 4);
  const auto json = results::to_json(board);
  CHECK(json["runs"]["failed"] == 1);
  CHECK(json["entries"][1]["tasks"]["text"]["metrics"] == nlohmann::json::object());
}

TEST_CASE("leaderboard: what is not comparable is never merged", "[unit]") {
  const auto split = [](auto change) {
    auto records = three_seeds();
    records.resize(2);
    change(records[1]);
    return build_leaderboard(records);
  };
  CHECK(split([](Record&) {}).entries.size() == 1);
  CHECK(split([](Record& r) { r.precision = "bf16"; }).entries.size() == 2);
  CHECK(split([](Record& r) { r.environment.cpu = "Other"; }).entries.size() == 2);
  CHECK(split([](Record& r) { r.environment.threads = 1; }).entries.size() == 2);
  CHECK(split([](Record& r) { r.protocol = "google"; }).entries.size() == 2);
  CHECK(split([](Record& r) { r.deviations = {"steps: 3"}; }).entries.size() == 2);
  CHECK(split([](Record& r) { r.attention.options = {"{}"}; }).entries.size() == 2);
  const auto data = split([](Record& r) { r.task.origin = Origin::stand_in; });
  REQUIRE(data.entries.size() == 2);
  CHECK(data.entries[0].cells.at("listops").data.comparable());
  CHECK(data.entries[1].alternative == 1);
  CHECK_FALSE(data.entries[1].cells.at("listops").data.comparable());
  CHECK(split([](Record& r) { r.task.data_sha256 = std::string(64, 'b'); }).entries.size() == 2);
  CHECK(split([](Record& r) { r.task.version = 2; }).entries.size() == 2);
  const auto division = split([](Record& r) { results::judge_division(r, 100000); });
  REQUIRE(division.entries.size() == 1);
  CHECK(only_cell(division, 0).division == results::Division::free_for_all);
}

TEST_CASE("leaderboard: a run without data goes with the others of its task", "[unit]") {
  auto records = three_seeds();
  records[1] = failed_record(records[1], Status::failed, "cannot open the data");
  records[1].task.origin.reset();
  records[1].task.data_sha256.reset();
  const auto board = build_leaderboard(records);
  REQUIRE(board.entries.size() == 2);
  CHECK(only_cell(board, 1).runs.size() == 3);
  CHECK(only_cell(board, 1).runs[1].status == Status::failed);
}

TEST_CASE("leaderboard: timings come from exclusive measurements where there are any", "[unit]") {
  auto records = three_seeds();
  records[0].speed.measured = "shared";
  records[0].speed.train_steps_per_second = 1;
  const auto mixed = build_leaderboard(records);
  CHECK(only_cell(mixed, 1).measured == "exclusive");
  CHECK(only_cell(mixed, 1).metric("train_steps_per_second")->n == 2);
  CHECK(only_cell(mixed, 1).metric("train_steps_per_second")->mean == 8);
  CHECK(only_cell(mixed, 1).metric("accuracy")->n == 3);
  for (auto& record : records) record.speed.measured = "shared";
  CHECK(only_cell(build_leaderboard(records), 1).measured == "shared");
}

TEST_CASE("leaderboard: averages only where every task has a number", "[unit]") {
  std::vector<Record> records;
  for (const char* task : {"listops", "text", "retrieval", "image", "pathfinder"}) {
    if (!records.empty()) CHECK_FALSE(build_leaderboard(records).entries[0].average(5).has_value());
    records.push_back(scored(task, "softmax", 0, 0.1 * static_cast<double>(records.size() + 1)));
  }
  const auto five = build_leaderboard(records).entries[0];
  CHECK(five.average(5).value() == Approx(0.3));
  CHECK_FALSE(five.average(6).has_value());
  records.push_back(failed_record(sample_record("pathx", "softmax"), Status::failed, "no"));
  CHECK_FALSE(build_leaderboard(records).entries[0].average(6).has_value());
  records.back() = scored("pathx", "softmax", 0, 0.9);
  CHECK(build_leaderboard(records).entries[0].average(6).value() == Approx(0.4));
}

TEST_CASE("leaderboard: a run that stands twice is refused", "[unit]") {
  auto records = three_seeds();
  records.push_back(records.front());
  CHECK_THROWS_WITH(build_leaderboard(records), ContainsSubstring("stands twice for one machine"));
}
