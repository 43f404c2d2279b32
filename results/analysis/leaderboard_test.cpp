#include "results/analysis/leaderboard.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/base/error.h"
#include "engine/base/random.h"
#include "results/analysis/testing.h"
#include "results/record/answers.h"
#include "results/record/testing.h"
#include "tests/catch.h"

using lra::results::build_leaderboard;
using lra::results::Leaderboard;
using lra::results::Origin;
using lra::results::Record;
using lra::results::Status;
using lra::results::testing::failed_record;
using lra::results::testing::kFive;
using lra::results::testing::sample_record;
using lra::results::testing::scored;
using lra::testing::Approx;
using lra::testing::ContainsSubstring;
namespace results = lra::results;

namespace {

std::vector<Record> three_seeds() {
  return {scored("listops", "softmax", 0, 0.36), scored("listops", "softmax", 1, 0.37),
          scored("listops", "softmax", 2, 0.38), scored("listops", "linear", 0, 0.37),
          scored("listops", "linear", 1, 0.39),  scored("listops", "linear", 2, 0.41)};
}

const results::Cell& only_cell(const Leaderboard& board, std::size_t entry) {
  return board.entries.at(entry).cells.at(board.column_of("listops"));
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
  // Student's t of two degrees, 4.3027 standard errors to each side.
  CHECK(accuracy->interval95->low == Approx(0.39 - 4.302653 * 0.02 / std::sqrt(3.0)));
  REQUIRE(linear.versus);
  CHECK(linear.versus->test.mean_difference == Approx(0.02));
  CHECK(linear.versus->seeds == std::vector<std::int64_t>{0, 1, 2});
  CHECK(linear.versus->test.p_sign_flip == 0.25);
  CHECK_FALSE(only_cell(board, 1).versus.has_value());
  CHECK_FALSE(linear.wilson95.has_value());
  CHECK(linear.agreement.at("root_operator") == Approx(0.92));
}

TEST_CASE("leaderboard: other options of the baseline are compared with its default ones",
          "[unit]") {
  const auto with_options = [](Record record, const char* options) {
    record.attention.options = {options};
    record.attention.changed = {"reweight"};
    results::set_run_id(record, fmt::format("{} {}", options, record.seed));
    return record;
  };
  std::vector<Record> records;
  for (std::int64_t seed = 0; seed < 2; ++seed) {
    records.push_back(scored("listops", "cosformer", seed, 0.36));
    records.push_back(
        with_options(scored("listops", "cosformer", seed, 0.39), R"({"reweight": false})"));
    records.push_back(scored("listops", "linear", seed, 0.38));
  }
  const auto board = build_leaderboard(records, "cosformer");
  REQUIRE(board.entries.size() == 3);
  std::map<std::string, double> differences;
  for (std::size_t i = 0; i < board.entries.size(); ++i) {
    const auto& versus = only_cell(board, i).versus;
    if (!versus) continue;
    const auto& attention = board.entries[i].attention;
    differences[attention.name + (attention.changed.empty() ? "" : " changed")] =
        versus->test.mean_difference;
    CHECK(board.entries[versus->against].attention.changed.empty());
  }
  REQUIRE(differences.size() == 2);
  CHECK(differences.at("cosformer changed") == Approx(0.03));
  CHECK(differences.at("linear") == Approx(0.02));
  // Where only other options were run, these are the baseline.
  std::erase_if(records, [](const Record& record) {
    return record.attention.name == "cosformer" && record.attention.changed.empty();
  });
  const auto other = build_leaderboard(records, "cosformer");
  REQUIRE(other.entries.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(only_cell(other, i).versus.has_value() == (other.entries[i].attention.name == "linear"));
  }
}

TEST_CASE("leaderboard: runs of other budgets are not compared", "[unit]") {
  auto records = three_seeds();
  records[3].training.steps = *records[3].training.steps + 1;
  CHECK(only_cell(build_leaderboard(records), 0).versus->seeds == std::vector<std::int64_t>{1, 2});
  for (std::size_t i = 3; i < 6; ++i) records[i].deviations.emplace_back("data.train: 9 examples");
  const auto board = build_leaderboard(records);
  for (const auto& entry : board.entries) {
    for (const auto& [column, cell] : entry.cells) CHECK_FALSE(cell.versus.has_value());
  }
}

TEST_CASE("leaderboard: predictors that only some records have are shown all the same", "[unit]") {
  auto records = three_seeds();
  for (auto& record : records) {
    if (record.seed < 2) record.baselines.resize(1);
  }
  const auto board = build_leaderboard(records);
  REQUIRE(board.baselines.size() == 1);
  REQUIRE(board.baselines[0].baselines.size() == 2);
  CHECK(board.baselines[0].baselines[0].name == "majority");
  CHECK(board.baselines[0].baselines[1].name == "root_operator");
  CHECK(!board.baselines[0].baselines[1].agreement);
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
    record.speed.measured = lra::results::Timing::shared;
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
  CHECK(board.entries[1].cells.at(board.column_of("text")).metric("accuracy") == nullptr);
  CHECK(board.runs.at(Status::completed) == 4);
  const auto json = results::to_json(board);
  CHECK(json["runs"]["failed"] == 1);
  CHECK(json["entries"][1]["cells"]["text"]["metrics"] == nlohmann::json::object());
}

TEST_CASE("leaderboard: what is not comparable is never merged", "[unit]") {
  const auto split = [](auto change) {
    auto records = three_seeds();
    records.resize(2);
    change(records[1]);
    return build_leaderboard(records);
  };
  CHECK(split([](Record&) {}).entries.size() == 1);
  CHECK(split([](Record& r) { r.precision = lra::Precision::bf16; }).entries.size() == 2);
  CHECK(split([](Record& r) { r.environment.cpu = "Other"; }).entries.size() == 2);
  CHECK(split([](Record& r) { r.environment.threads = 1; }).entries.size() == 2);
  CHECK(split([](Record& r) { r.protocol = "google"; }).entries.size() == 2);
  CHECK(split([](Record& r) { r.deviations = {"steps: 3"}; }).entries.size() == 2);
  CHECK(split([](Record& r) { r.attention.options = {"{}"}; }).entries.size() == 2);
  // Other data: another column.
  const auto data = split([](Record& r) { r.task.origin = Origin::stand_in; });
  REQUIRE(data.entries.size() == 1);
  REQUIRE(data.columns.size() == 2);
  CHECK(data.columns[0].data.comparable());
  CHECK_FALSE(data.columns[1].data.comparable());
  CHECK(data.columns[1].title == "ListOps (stand-in data)");
  CHECK(data.columns[1].id == "listops@aaaaaaaa");
  CHECK(data.entries[0].cells.at(0).metric("accuracy")->n == 1);
  CHECK(data.entries[0].cells.at(1).metric("accuracy")->n == 1);
  const auto other = split([](Record& r) { r.task.data_sha256 = std::string(64, 'b'); });
  REQUIRE(other.columns.size() == 2);
  CHECK(other.columns[1].title == "ListOps (data bbbbbbbb)");
  CHECK(split([](Record& r) { r.task.version = 2; }).columns.size() == 2);
  const auto longer = split([](Record& r) { r.task.options = {R"({"max_length":4000})"}; });
  REQUIRE(longer.columns.size() == 2);
  CHECK(longer.columns[1].title == "ListOps (no max_length)");
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
  records[0].speed.measured = lra::results::Timing::shared;
  records[0].speed.train_steps_per_second = 1;
  const auto mixed = build_leaderboard(records);
  CHECK(only_cell(mixed, 1).measured == lra::results::Timing::exclusive);
  CHECK(only_cell(mixed, 1).metric("train_steps_per_second")->n == 2);
  CHECK(only_cell(mixed, 1).metric("train_steps_per_second")->mean == 8);
  CHECK(only_cell(mixed, 1).metric("accuracy")->n == 3);
  CHECK(only_cell(mixed, 1).shared.empty());
  for (auto& record : records) record.speed.measured = lra::results::Timing::shared;
  CHECK(only_cell(build_leaderboard(records), 1).measured == lra::results::Timing::shared);
  CHECK(only_cell(build_leaderboard(records), 1).shared.count("train_steps_per_second") == 1);
}

TEST_CASE("leaderboard: the time of a training beside others is marked whatever its speed",
          "[unit]") {
  auto records = three_seeds();
  for (auto& record : records) {
    record.time.seconds = 7;
    record.time.measured = lra::results::Timing::shared;
  }
  const auto board = build_leaderboard(records);
  CHECK(only_cell(board, 1).measured == lra::results::Timing::exclusive);
  CHECK(only_cell(board, 1).shared == std::set<std::string>{"seconds"});
  const auto cells = results::to_json(board)["entries"][1]["cells"];
  CHECK(cells.begin().value()["shared"] == nlohmann::json{"seconds"});
}

TEST_CASE("leaderboard: averages only where every task has a number", "[unit]") {
  std::vector<Record> records;
  for (const char* task : {"listops", "text", "retrieval", "image", "pathfinder"}) {
    if (!records.empty()) {
      const auto board = build_leaderboard(records);
      CHECK_FALSE(board.average(board.entries[0], 5).has_value());
    }
    records.push_back(scored(task, "softmax", 0, 0.1 * static_cast<double>(records.size() + 1)));
  }
  const auto average = [](const std::vector<Record>& list, std::size_t tasks) {
    const auto board = build_leaderboard(list);
    return board.average(board.entries[0], tasks);
  };
  const auto five = average(records, 5);
  REQUIRE(five);
  CHECK(five->mean == Approx(0.3));
  CHECK(five->seeds == 1);
  CHECK_FALSE(five->sd.has_value());
  // Five independent tasks of 2,000 examples: about the root of the summed squares over five.
  CHECK(five->interval95->high - five->mean == Approx(0.0089).epsilon(0.05));
  CHECK_FALSE(average(records, 6).has_value());
  records.push_back(failed_record(sample_record("pathx", "softmax"), Status::failed, "no"));
  CHECK_FALSE(average(records, 6).has_value());
  records.back() = scored("pathx", "softmax", 0, 0.9);
  CHECK(average(records, 6)->mean == Approx(0.4));
  // A second seed everywhere: the averages of the two seeds are what varies.
  for (const char* task : kFive) records.push_back(scored(task, "softmax", 1, 0.32));
  const auto two = average(records, 5);
  CHECK(two->seeds == 2);
  CHECK(two->sd.value() == Approx(0.02 / std::sqrt(2.0)));
  CHECK(two->interval95->low == Approx(0.31 - 12.706205 * 0.01));
  // A seed that one task lacks: no statement on the noise.
  records.pop_back();
  CHECK(average(records, 5)->seeds == 0);
  CHECK_FALSE(average(records, 5)->interval95.has_value());
}

TEST_CASE("leaderboard: a single seed is compared by the answers to the same examples", "[unit]") {
  auto softmax = scored("listops", "softmax", 0, 0.5);
  auto linear = scored("listops", "linear", 0, 0.25);
  for (Record* record : {&softmax, &linear}) record->accuracy.counts.test = 8;
  softmax.accuracy.test_right =
      results::encode_answers({true, true, true, true, false, false, false, false});
  linear.accuracy.test_right =
      results::encode_answers({false, false, false, true, true, false, false, false});
  const auto versus = only_cell(build_leaderboard({softmax, linear}), 0).versus;
  REQUIRE(versus);
  REQUIRE(versus->p_mcnemar);
  CHECK(*versus->p_mcnemar == Approx(results::mcnemar_p(1, 3)));
  linear.accuracy.test_right.clear();
  CHECK_FALSE(only_cell(build_leaderboard({softmax, linear}), 0).versus->p_mcnemar.has_value());
  // Other data: not the same examples.
  linear.accuracy.test_right = softmax.accuracy.test_right;
  linear.task.data_sha256 = std::string(64, 'b');
  CHECK_FALSE(results::same_examples_p(softmax, linear).has_value());
}

TEST_CASE("leaderboard: the same run on other data is no repetition", "[unit]") {
  auto records = three_seeds();
  records.push_back(records.front());
  records.back().task.data_sha256 = std::string(64, 'b');
  const auto board = build_leaderboard(records);
  REQUIRE(board.columns.size() == 2);
  CHECK(board.entries[1].cells.size() == 2);
}

TEST_CASE("leaderboard: every cell names its runs, data, commit and machine", "[unit]") {
  const auto json = results::to_json(build_leaderboard(three_seeds()));
  const auto& cell = json.at("entries").at(0).at("cells").at("listops");
  CHECK(cell.at("data_sha256") == std::string(64, 'a'));
  CHECK_THAT(cell.at("machine").get<std::string>(), ContainsSubstring("Test CPU"));
  REQUIRE(cell.at("runs").size() == 3);
  CHECK(cell.at("runs")[0].at("run_id").get<std::string>().size() == 16);
  CHECK(cell.at("runs")[0].at("commit") == "0123abcdef");
  CHECK(json.at("programs")[0] == "0.1.0 (0123abcdef)");
}

TEST_CASE("leaderboard: a run that stands twice is refused", "[unit]") {
  auto records = three_seeds();
  records.push_back(records.front());
  CHECK_THROWS_WITH(build_leaderboard(records), ContainsSubstring("occurs twice for one machine"));
}
