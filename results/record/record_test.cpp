#include "results/record/record.h"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>

#include "results/record/metrics.h"
#include "results/record/testing.h"
#include "tests/catch.h"

using lra::results::Record;
using lra::results::Status;
using lra::results::testing::failed_record;
using lra::results::testing::sample_record;
using lra::testing::Approx;
using lra::testing::ContainsSubstring;
using nlohmann::json;
namespace results = lra::results;

namespace {

// Every path at which an object of `value` has a member, and every path the schema names.
void collect_paths(const json& value, const std::string& path, std::set<std::string>& out) {
  if (value.is_array()) {
    for (const auto& item : value) collect_paths(item, path + "/*", out);
  }
  if (!value.is_object() || path.ends_with("/options") || path.ends_with("/settings")) return;
  if (path.starts_with("/diagnostics/mean") || path.starts_with("/diagnostics/layers")) return;
  for (const auto& [key, child] : value.items()) {
    out.insert(path + "/" + key);
    collect_paths(child, path + "/" + key, out);
  }
}

void schema_paths(const json& root, json schema, const std::string& path,
                  std::set<std::string>& out) {
  if (schema.contains("$ref")) {
    schema = root.at(json::json_pointer(schema["$ref"].get<std::string>().substr(1)));
  }
  if (schema.contains("items")) schema_paths(root, schema["items"], path + "/*", out);
  if (!schema.contains("properties")) return;
  for (const auto& [key, child] : schema["properties"].items()) {
    out.insert(path + "/" + key);
    schema_paths(root, child, path + "/" + key, out);
  }
}

// The sample as JSON, changed at one place, must be refused with this message.
void refused(const char* pointer, const json& value, const std::string& message) {
  json changed = results::to_json(sample_record());
  changed[json::json_pointer(pointer)] = value;
  INFO(pointer);
  CHECK_THROWS_WITH(results::from_json(changed, "f.json"), ContainsSubstring(message));
}

}  // namespace

TEST_CASE("record: reach and area of accuracies over lengths", "[unit]") {
  const auto judged = [](const std::vector<std::pair<std::int64_t, results::Real>>& points) {
    results::LengthPart part;
    for (const auto& [length, accuracy] : points) {
      auto& point = part.points.emplace_back();
      point.length = length;
      point.accuracy = accuracy;
    }
    results::judge_lengths(part);
    return part;
  };
  const auto falling = judged({{64, 1.0}, {128, 0.9}, {512, 0.5}});
  CHECK(falling.reach == 128);
  CHECK(*falling.area == Approx((1 * 0.95 + 2 * 0.7) / 3));  // octaves times their means
  CHECK(judged({{64, 0.95}, {128, 0.2}, {256, 0.91}}).reach == 256);
  CHECK_FALSE(judged({{64, 0.5}, {128, 0.2}}).reach);
  CHECK_FALSE(judged({{64, 1.0}}).area);
  // What is not applicable is no zero.
  const auto table = judged({{64, 1.0}, {128, std::nullopt}});
  CHECK(table.reach == 64);
  CHECK_FALSE(table.area);
  // Nothing of an earlier judgement remains.
  results::LengthPart again;
  again.reach = 64;
  again.area = 0.9;
  results::judge_lengths(again);
  CHECK_FALSE(again.reach);
  CHECK_FALSE(again.area);
}

TEST_CASE("record: points of other lengths stay, one of the same length is replaced", "[unit]") {
  const auto part = [](const std::vector<std::pair<std::int64_t, results::Real>>& points) {
    results::LengthPart made;
    for (const auto& [factor, accuracy] : points) {
      auto& point = made.points.emplace_back();
      point.factor = factor;
      if (!accuracy) point.reason = "not defined";
      if (accuracy) point.length = 64 * factor;
      point.accuracy = accuracy;
    }
    return made;
  };
  const auto shown = [](const results::LengthPart& lengths) {
    std::vector<std::pair<std::int64_t, results::Real>> points;
    for (const auto& point : lengths.points) points.emplace_back(point.factor, point.accuracy);
    return points;
  };
  using Points = std::vector<std::pair<std::int64_t, results::Real>>;
  results::LengthPart saved;
  results::merge_lengths(saved, part({{1, 0.95}, {4, 0.5}}));
  CHECK(shown(saved) == Points{{1, 0.95}, {4, 0.5}});
  CHECK(saved.reach == 64);
  results::merge_lengths(saved, part({{2, 0.92}}));
  CHECK(shown(saved) == Points{{1, 0.95}, {2, 0.92}, {4, 0.5}});
  CHECK(saved.reach == 128);
  CHECK(saved.area);
  results::merge_lengths(saved, part({{1, std::nullopt}, {3, std::nullopt}, {4, 0.25}}));
  CHECK(shown(saved) == Points{{1, 0.95}, {2, 0.92}, {3, std::nullopt}, {4, 0.25}});
  CHECK(saved.points[0].length == 64);
  CHECK_FALSE(saved.area);
  results::merge_lengths(saved, part({{3, 0.3}}));
  CHECK(shown(saved)[2].second == 0.3);
  CHECK(saved.area);
}

TEST_CASE("record: a file without lengths is whole", "[unit]") {
  Record record = sample_record();
  record.lengths = {};
  const json once = results::to_json(record);
  CHECK_FALSE(once.contains("lengths"));
  CHECK(results::to_json(results::from_json(once, "once")) == once);
}

TEST_CASE("record: JSON and back is the same record", "[unit]") {
  const json once = results::to_json(sample_record());
  CHECK(results::to_json(results::from_json(once, "once")) == once);
  CHECK(once["schema"] == "lra-result/1");
  CHECK(once["accuracy"]["test"] == 0.37);
  CHECK(once["cost"]["energy_joules"] == "unavailable");
  CHECK(once["task"]["data"]["origin"] == "generated");
  CHECK(once["task"]["data"]["counts"]["train"] == 96000);
  CHECK(once["attention"]["options"]["eps"] == 1e-6);
  CHECK(once["division"]["name"] == "apples-to-apples");
  CHECK(once["baselines"][1]["agreement"] == 0.92);

  const json none =
      results::to_json(failed_record(sample_record(), Status::diverged, "loss is NaN at step 17"));
  CHECK(results::to_json(results::from_json(none, "none")) == none);
  CHECK(none["accuracy"]["test"].is_null());
  CHECK(none["speed"]["train_step_ms"].is_null());
}

TEST_CASE("record: the schema names exactly the fields that are written", "[unit]") {
  std::set<std::string> written;
  std::set<std::string> named;
  Record full = sample_record();
  full.search = results::testing::sample_search();
  full.search->further = {2, 500000};
  full.time.stretches = {{2, 3000}, {1, 2000}};
  full.speed.measured_by = "0.1.0 (0123456789ab)";
  full.time.measured = lra::results::Timing::shared;
  full.attention.changed = {"eps"};
  full.accuracy.test_independent = 900;
  full.training.stopped = "no better validation accuracy in 3 evaluations (train.patience)";
  full.training.init.text =
      fmt::format(R"({{"file":"a.safetensors","sha256":"{}","taken":["head.weight"],"left":[]}})",
                  std::string(64, 'b'));
  CHECK(results::to_json(results::from_json(results::to_json(full), "full")) ==
        results::to_json(full));
  collect_paths(results::to_json(full), "", written);
  written.insert("/evaluated");  // of trials, which lack other fields
  const json schema = json::parse(results::schema_text("result"));
  schema_paths(schema, schema, "", named);
  CHECK(written == named);
}

TEST_CASE("record: a search and a trial survive, a trial never has a test accuracy", "[unit]") {
  Record searched = sample_record();
  searched.search = results::testing::sample_search();
  const json written = results::to_json(searched);
  const Record read = results::from_json(written, "f");
  CHECK(results::to_json(read) == written);
  REQUIRE(read.search);
  CHECK(read.search->trials[1].first == 0.31);
  CHECK_FALSE(read.search->trials[2].last);
  CHECK(results::describe(*read.search) ==
        "best validation of 3 trials of 100 and 200 steps, 1.5 M tokens");
  CHECK(results::search_from_json(written.at("search"), "f").rungs[1].trials == 2);
  CHECK_FALSE(written.at("search").contains("further"));
  searched.search->further = {1, 500000};
  CHECK(results::describe(*results::from_json(results::to_json(searched), "f").search) ==
        "best validation of 3 trials of 100 and 200 steps, 1.5 M tokens, beside 1 further run of "
        "trials, 0.5 M tokens");
  CHECK(results::find_metric("search_tokens")->of(searched) == 2e6);
  CHECK_THROWS_WITH(results::search_from_json({{"seed", 1}}, "f"), ContainsSubstring("f: "));
  // Runs without a search have the bytes that they had before there were any.
  CHECK_FALSE(results::to_json(sample_record()).contains("search"));
  CHECK_FALSE(results::to_json(sample_record()).contains("evaluated"));

  const Record trial = results::testing::trial_record(sample_record());
  CHECK(results::from_json(results::to_json(trial), "f").evaluated == "validation");
  Record seen = sample_record();
  seen.evaluated = "validation";
  CHECK_THROWS_WITH(results::from_json(results::to_json(seen), "f"),
                    ContainsSubstring("/accuracy/test: got a number, expected null in a trial"));
  Record blind = trial;
  blind.accuracy.value.val.reset();
  CHECK_THROWS_WITH(results::from_json(results::to_json(blind), "f"),
                    ContainsSubstring("/accuracy/val: got null"));
}

TEST_CASE("record: faults name file, path and what was expected", "[unit]") {
  refused("/schema", "lra-result/9",
          "f.json: /schema: unknown schema version; got \"lra-result/9\", expected "
          "\"lra-result/1\"");
  refused("/accuracy/test", 37.0,
          "f.json: /accuracy/test: out of range; got 37, expected at most 1");
  refused("/accuracy/tset", 0.3, "/accuracy/tset: unknown field 'tset'; did you mean test");
  refused("/status", "done", "/status: got \"done\", expected one of \"completed\"");
  refused("/task/data/origin", "standin", "expected one of \"official\", \"generated\"");
  refused("/speed/train_steps_per_second", 0, "expected more than 0");
  refused("/accuracy/test", nullptr, "/accuracy/test: got null, expected a number in a completed");
  refused("/failure", "why", "/failure: got a reason in a completed run");
  refused("/run_id", "0123456789abcdef", "/run_id: got 0123456789abcdef, expected the first 16");
  refused("/accuracy/test_wilson95/low", 0.38, "/accuracy/test_wilson95: got [0.38, 0.391]");
  refused("/speed/train_step_ms/p10", 130, "p10 130, median 125, p90 140, expected ascending");
  refused("/task/data/sha256", nullptr, "/task/data: got null origin or digest");
  refused("/cost/energy_joules", "none", "/cost/energy_joules: fits no alternative");
  json missing = results::to_json(sample_record());
  missing.erase("memory");
  CHECK_THROWS_WITH(results::from_json(missing, "f.json"),
                    ContainsSubstring("f.json: /memory: is missing"));
  CHECK_THROWS_WITH(results::from_json(json::array(), "f.json"), ContainsSubstring("wrong type"));
}

TEST_CASE("record: cut, NaN, infinite and malformed texts are told apart", "[unit]") {
  const std::string good = results::to_json(sample_record()).dump(2);
  CHECK_THROWS_WITH(results::parse_record(good.substr(0, good.size() / 2), "f.json"),
                    ContainsSubstring("the text is truncated"));
  CHECK_THROWS_WITH(results::parse_record("", "f.json"),
                    ContainsSubstring("f.json:1:1: the text is truncated"));
  const auto with = [&](const std::string& number) {
    std::string text = good;
    return text.replace(text.find("0.37"), 4, number);
  };
  CHECK_THROWS_WITH(results::parse_record(with("NaN"), "f.json"),
                    ContainsSubstring("got NaN, expected a finite number or null"));
  CHECK_THROWS_WITH(results::parse_record(with("-Infinity"), "f.json"),
                    ContainsSubstring("got Infinity"));
  CHECK_THROWS_WITH(results::parse_record(with("1e999"), "f.json"),
                    ContainsSubstring("out of range"));
  CHECK_THROWS_WITH(results::parse_record(with("0,37"), "f.json"),
                    ContainsSubstring("not valid JSON"));
}

TEST_CASE("record: a NaN is refused when writing, not turned into null", "[unit]") {
  Record record = sample_record();
  record.loss.val = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(results::to_json(record), ContainsSubstring("/loss/val: got nan"));
  record = sample_record();
  record.baselines[0].accuracy = std::numeric_limits<double>::infinity();
  CHECK_THROWS_WITH(results::to_json(record), ContainsSubstring("/baselines/accuracy: got inf"));
  record = sample_record();
  record.parameters = -1;
  CHECK_THROWS_WITH(results::to_json(record), ContainsSubstring("/parameters"));
  json wrong = results::to_json(sample_record());
  wrong["precision"] = "f16";
  CHECK_THROWS_WITH(results::from_json(wrong, "r.json"), ContainsSubstring("r.json: /precision"));
}

TEST_CASE("record: the division follows parameters and deviations", "[unit]") {
  Record record = sample_record();
  record.parameters = 219999;
  results::judge_division(record, 200000);
  CHECK(record.division.name == results::Division::apples_to_apples);
  record.parameters = 220200;
  results::judge_division(record, 200000);
  CHECK(record.division.name == results::Division::free_for_all);
  CHECK(record.division.reasons == std::vector<std::string>{"+10.1 % parameters"});
  record.parameters = 200000;
  record.deviations = {"steps: 300 instead of 5000"};
  results::judge_division(record, 200000);
  CHECK(record.division.name == results::Division::free_for_all);
  results::judge_division(record, std::nullopt);
  CHECK(record.division.reasons.size() == 2);
}

TEST_CASE("record: stored answers must be those of the accuracy", "[unit]") {
  refused("/accuracy/test_right", std::string(500, 'f'),
          "/accuracy/test_right: got 2000 right answers of 2000, expected the test accuracy");
  refused("/accuracy/test_right", "ff", "got 2 digits, expected the answers to 2000 examples");
  json older = results::to_json(sample_record());
  older["accuracy"].erase("test_right");
  CHECK(results::from_json(older, "older").accuracy.test_right.empty());
  CHECK(results::to_json(results::from_json(older, "older")) == older);
}

TEST_CASE("record: files of a run lie in its folder", "[unit]") {
  for (const char* path : {"../../../../etc/passwd", "/etc/passwd", "a/../../b", ".."}) {
    for (const char* field : {"/files/curve", "/files/model", "/files/spec"}) {
      INFO(path);
      json changed = results::to_json(sample_record());
      changed[json::json_pointer(field)] = path;
      CHECK_THROWS_WITH(results::from_json(changed, "f.json"),
                        ContainsSubstring("expected a file of the run's own folder"));
    }
  }
  json inside = results::to_json(sample_record());
  inside["files"]["curve"] = "a/../metrics.jsonl";
  CHECK_NOTHROW(results::from_json(inside, "f.json"));
}
