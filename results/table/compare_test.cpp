#include "results/table/compare.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "engine/base/error.h"
#include "results/record/testing.h"
#include "tests/catch.h"

using lra::results::compare_results;
using lra::results::Record;
using lra::results::Status;
using lra::results::SummaryFormat;
using lra::results::testing::failed_record;
using lra::results::testing::sample_record;
using lra::testing::ContainsSubstring;
namespace results = lra::results;

namespace {

std::vector<Record> seeds(const std::vector<double>& accuracies) {
  std::vector<Record> records;
  for (const double accuracy : accuracies) {
    records.push_back(
        sample_record("listops", "softmax", static_cast<std::int64_t>(records.size())));
    records.back().accuracy.value.test = accuracy;
    records.back().accuracy.test_right.clear();  // a file of earlier versions
  }
  return records;
}

const results::Change& change_of(const results::Comparison& comparison, std::string_view metric) {
  const auto found = std::find_if(comparison.changes.begin(), comparison.changes.end(),
                                  [&](const auto& change) { return change.metric == metric; });
  REQUIRE(found != comparison.changes.end());
  return *found;
}

}  // namespace

TEST_CASE("compare: equal sets have no difference beyond noise", "[unit]") {
  const auto same = compare_results(seeds({0.36, 0.37}), seeds({0.36, 0.37}));
  CHECK_FALSE(same.any_beyond_noise());
  CHECK(change_of(same, "accuracy").test == "equal");
  CHECK(same.changes.size() == 6);
  CHECK(same.environment.empty());
  CHECK_THAT(results::format_comparison(same, SummaryFormat::md),
             ContainsSubstring("0 of 6 numbers differ"));
}

TEST_CASE("compare: a run on other data is no repetition", "[unit]") {
  auto before = seeds({0.36, 0.37});
  auto other = seeds({0.90, 0.91});
  for (Record& record : other) record.task.data_sha256 = std::string(64, 'b');
  before.insert(before.end(), other.begin(), other.end());
  const auto comparison = compare_results(before, before);
  std::set<std::string> configurations;
  for (const auto& change : comparison.changes) configurations.insert(change.configuration);
  CHECK(configurations.size() == 2);
  CHECK(comparison.only_before.empty());
  const auto one_side = compare_results(before, seeds({0.36, 0.37}));
  REQUIRE(one_side.only_before.size() == 1);
  CHECK_THAT(one_side.only_before[0], ContainsSubstring("data bbbbbbbbbbbb"));
}

TEST_CASE("compare: common seeds are paired", "[unit]") {
  const auto better =
      compare_results(seeds({0.360, 0.370, 0.365, 0.5}), seeds({0.382, 0.390, 0.386}));
  const auto& accuracy = change_of(better, "accuracy");
  CHECK(accuracy.seeds == 3);
  CHECK(accuracy.test == "paired t");
  CHECK(accuracy.beyond_noise);
  CHECK(accuracy.after > accuracy.before);
  const auto noisy = compare_results(seeds({0.36, 0.37, 0.38}), seeds({0.39, 0.36, 0.37}));
  CHECK_FALSE(change_of(noisy, "accuracy").beyond_noise);
}

TEST_CASE("compare: a single seed is judged by the size of the test set", "[unit]") {
  CHECK_FALSE(change_of(compare_results(seeds({0.37}), seeds({0.39})), "accuracy").beyond_noise);
  const auto clear = compare_results(seeds({0.37}), seeds({0.42}));
  CHECK(change_of(clear, "accuracy").beyond_noise);
  CHECK(change_of(clear, "accuracy").test == "two shares of 2000 test examples");
}

TEST_CASE("compare: a single seed with stored answers is judged by the examples that differ",
          "[unit]") {
  auto before = seeds({0.5});
  auto after = seeds({0.25});
  for (auto* records : {&before, &after}) records->front().accuracy.counts.test = 40;
  // 20 and 10 of 40 right: 10 answers lost, none gained.
  before[0].accuracy.test_right = "fffff00000";
  after[0].accuracy.test_right = "ffc0000000";
  const auto comparison = compare_results(before, after);
  const auto& lost = change_of(comparison, "accuracy");
  CHECK(lost.test == "McNemar, the same 40 test examples");
  CHECK(*lost.p == lra::testing::Approx(2 * std::pow(0.5, 10)));
  CHECK(lost.beyond_noise);
  // The same accuracies, but most answers to other examples: 16 lost, 6 gained, p = 0.052.
  after[0].accuracy.test_right = "f0000fc000";
  CHECK_FALSE(change_of(compare_results(before, after), "accuracy").beyond_noise);
}

TEST_CASE("compare: many comparisons are adjusted", "[unit]") {
  std::vector<Record> before;
  std::vector<Record> after;
  for (const char* task : {"listops", "text", "retrieval", "image", "pathfinder"}) {
    before.push_back(sample_record(task));
    after.push_back(sample_record(task));
  }
  after[0].accuracy.value.test = 0.402;  // alone p = 0.037
  after[0].accuracy.test_right.clear();
  CHECK_FALSE(compare_results(before, after).any_beyond_noise());
  CHECK(compare_results({before[0]}, {after[0]}).any_beyond_noise());
}

TEST_CASE("compare: timings need exclusive measurements and ranges apart", "[unit]") {
  auto before = seeds({0.37});
  auto after = before;
  after[0].speed.train_step_ms = results::Quantiles{138, 130, 150, 500};
  CHECK_FALSE(change_of(compare_results(before, after), "train_step_ms").beyond_noise);
  after[0].speed.train_step_ms = results::Quantiles{150, 141, 160, 500};
  CHECK(change_of(compare_results(before, after), "train_step_ms").beyond_noise);
  after[0].memory.peak_tensor_bytes = 85 << 20;
  CHECK(change_of(compare_results(before, after), "peak_tensor_bytes").beyond_noise);
  after[0].speed.measured = lra::results::Timing::shared;
  const auto shared = compare_results(before, after);
  CHECK(shared.changes.size() == 3);  // accuracy and memory
  CHECK_THAT(shared.not_compared.at(0), ContainsSubstring("not measured exclusively"));
  after[0].environment.cpu = "Other CPU";
  const auto moved = compare_results(before, after);
  CHECK(moved.changes.size() == 1);
  CHECK_THAT(moved.not_compared.at(0), ContainsSubstring("another machine"));
  CHECK_THAT(moved.environment.at(0), ContainsSubstring("machine: Test CPU"));
}

TEST_CASE("compare: what came, went, failed or changed data is listed", "[unit]") {
  auto before = seeds({0.37, 0.38});
  before.push_back(sample_record("text"));
  auto after = seeds({0.37, 0.38});
  after[1] = failed_record(after[1], Status::diverged, "NaN at step 5");
  after.push_back(sample_record("image"));
  const auto comparison = compare_results(before, after);
  CHECK(comparison.only_before ==
        std::vector<std::string>{"softmax {\"eps\":1e-06}, nystromformer, f32 on text"});
  CHECK(comparison.only_after.size() == 1);
  CHECK_THAT(comparison.status.at(0), ContainsSubstring("completed -> diverged (NaN at step 5)"));
  after = seeds({0.37});
  after[0].task.data_sha256 = std::string(64, 'f');
  const auto other = compare_results(seeds({0.37}), after);
  CHECK_THAT(other.not_compared.at(0), ContainsSubstring("other data"));
  CHECK_THAT(other.not_compared.at(1), ContainsSubstring("no common completed seed"));
  CHECK_THAT(other.not_compared.at(2),
             ContainsSubstring("speed and memory, measured on other data"));
  CHECK(other.changes.empty());
}

TEST_CASE("compare: as text and as JSON", "[unit]") {
  const auto comparison = compare_results(seeds({0.37}), seeds({0.42}));
  CHECK_THAT(results::format_comparison(comparison, SummaryFormat::md),
             ContainsSubstring("| test accuracy (%) | 37.00 | 42.00 | +5.00 points | **beyond**"));
  const auto json =
      nlohmann::json::parse(results::format_comparison(comparison, SummaryFormat::json, true));
  CHECK(json["compared"] == 6);
  CHECK(json["changes"].size() == 6);
  CHECK(json["changes"][0]["beyond_noise"] == true);
}

TEST_CASE("compare: runs on several data are compared with those on the same data", "[unit]") {
  auto before = seeds({0.30});
  auto after = seeds({0.40});
  Record other = before[0];
  other.task.data_sha256 = std::string(64, 'b');
  other.accuracy.value.test = 0.40;
  before.insert(before.begin(), other);
  other.accuracy.value.test = 0.41;
  after.push_back(other);
  const auto comparison = compare_results(before, after);
  CHECK(comparison.not_compared.empty());
  CHECK(comparison.only_before.empty());
  CHECK(std::count_if(comparison.changes.begin(), comparison.changes.end(), [](const auto& change) {
          return change.metric == "accuracy" && change.beyond_noise;
        }) == 1);
  // A run that failed before its data were open is one of the others.
  auto failed = seeds({0.3, 0.3});
  failed[1].status = results::Status::failed;
  failed[1].failure = "no data";
  failed[1].task.data_sha256.reset();
  const auto mended = compare_results(failed, seeds({0.3, 0.3}));
  CHECK(mended.status.size() == 1);
  CHECK(mended.only_before.empty());
  // Data of only one side are named, not ignored.
  after.pop_back();
  const auto one = compare_results(before, after);
  REQUIRE(one.only_before.size() == 1);
  CHECK_THAT(one.only_before[0], ContainsSubstring("data bbbbbbbb"));
}
