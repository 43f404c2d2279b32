#include "harness/suite/suite.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "attention/attention.h"
#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/json_schema.h"
#include "harness/suite/bench.h"
#include "harness/suite/estimate.h"
#include "harness/suite/lengths.h"
#include "tasks/test_support.h"
#include "tests/catch.h"

using lra::harness::load_suite;
using lra::testing::ContainsSubstring;
using nlohmann::json;

namespace {

// What load_suite says of a suite file.
std::string fault_of(const json& suite) {
  const auto file =
      std::filesystem::temp_directory_path() / fmt::format("lra-suite-test-{}.json", ::getpid());
  lra::write_json(file, suite);
  std::string message;
  try {
    static_cast<void>(load_suite(file, {}));
  } catch (const lra::Error& error) {
    CHECK((error.kind() == lra::ErrorKind::config || error.kind() == lra::ErrorKind::usage));
    message = error.what();
  }
  std::filesystem::remove(file);
  return message;
}

json small_suite() {
  return {{"schema", "lra-suite/1"},
          {"tasks", {"listops"}},
          {"attentions", {"linear", {{"name", "cosformer"}, {"options", {{"act", "relu"}}}}}},
          {"preset", "tiny"},
          {"seeds", {1, 2}}};
}

json with(json suite, const char* pointer, const json& value) {
  suite[json::json_pointer(pointer)] = value;
  return suite;
}

}  // namespace

TEST_CASE("suite: the example of harness/README.md resolves", "[unit]") {
  const std::string page =
      lra::read_file(std::filesystem::path(lra::testing::source_dir()) / "harness/README.md");
  const std::string begin = "```json\n";
  const std::size_t at = page.find(begin, page.find("## A suite by example"));
  REQUIRE(at != std::string::npos);
  const std::size_t from = at + begin.size();
  CHECK(fault_of(json::parse(page.substr(from, page.find("```", from) - from))).empty());
}

TEST_CASE("suite: every shipped suite fits the schema and resolves", "[unit]") {
  const lra::JsonSchema schema(lra::harness::suite_schema(), "suite.schema.json");
  const auto names = lra::harness::suite_names();
  for (const char* name : {"quick", "skyformer", "google", "efficiency", "ablation-cosformer"}) {
    CHECK(std::find(names.begin(), names.end(), name) != names.end());
  }
  for (const auto& name : names) {
    INFO(name);
    CHECK(schema.check(lra::harness::suite_file(name)).empty());
    const auto suite = load_suite(name, {});
    CHECK((!suite.runs.empty() || suite.bench));
    CHECK(suite.name == name);
  }
}

TEST_CASE("suite: efficiency has the lengths of both papers, softmax among the variants",
          "[unit]") {
  const auto bench = load_suite("efficiency", {}).bench;
  REQUIRE(bench);
  for (const std::int64_t n : {1024, 2048, 3072, 4096, 5120}) {
    CHECK(std::count(bench->lengths.begin(), bench->lengths.end(), n) == 1);
  }
  CHECK(bench->lengths.back() > 5120);
  CHECK(bench->modes ==
        std::vector{lra::results::BenchMode::train, lra::results::BenchMode::infer});
  CHECK(std::count_if(bench->variants.begin(), bench->variants.end(),
                      [](const auto& v) { return v.attention == "softmax"; }) == 1);
  CHECK(bench->variants.front().model.layers == 4);
}

TEST_CASE("estimate: a run evaluates while it trains and every split at its end", "[unit]") {
  for (const auto& name : lra::tasks::task_registry().names()) {
    INFO(name);
    if (name == "file") continue;  // one's own data have no official set
    const auto counts = lra::tasks::create_task(name, nullptr)->info().source.counts;
    CHECK((counts[0] > 0 && counts[1] >= 0 && counts[2] > 0));
  }
  const auto image = lra::tasks::create_task("image", nullptr)->info();
  CHECK(image.source.counts == lra::harness::ExampleCounts{45000, 5000, 10000});
  const auto text = lra::tasks::create_task("text", nullptr)->info();
  CHECK(text.source.counts == lra::harness::ExampleCounts{25000, 0, 25000});
  lra::harness::RunSpec spec;
  spec.task = "image";
  spec.train.steps = 25;
  spec.train.eval_every = 10;
  spec.train.eval_examples = 7;
  CHECK(lra::harness::evaluated_examples(spec, {100, 50, 30}) == 3 * 7 + 30 + 50 + 30);
  CHECK(lra::harness::evaluated_examples(spec, {20, 5, 30}) == 3 * 5 + 20 + 5 + 30);
  spec.validation_only = true;
  CHECK(lra::harness::evaluated_examples(spec, {100, 50, 30}) == 3 * 7 + 50);
  spec.validation_only = false;
  spec.train.eval_examples = 0;  // all of them
  CHECK(lra::harness::evaluated_examples(spec, {-1, -1, 30}) == 3 * 5000 + 30 + 5000 + 30);
}

TEST_CASE("suite: an estimate counts the rows that the model computes", "[unit]") {
  lra::harness::RunSpec spec;
  spec.task = "pathfinder";
  spec.task_options = {{"difficulty", "curv_baseline"}, {"distractors", 0}};
  spec.model.pooling = lra::models::Pooling::mean;
  const auto longest = [&spec] {
    const auto rows = lra::harness::sampled_lengths(spec, {}, nullptr);
    REQUIRE(!rows.empty());
    return *std::max_element(rows.begin(), rows.end());
  };
  CHECK(longest() == 1024);
  spec.task_options["pixel_mask"] = "google";  // black pixels are left out
  CHECK(longest() < 400);
  spec.model.pooling = lra::models::Pooling::mean_all;  // as LRA's code: all positions are computed
  CHECK(longest() == 1024);
  spec.model.pooling = lra::models::Pooling::mean;
  spec.model.positions =
      lra::models::Positions::sinusoidal_2d;  // of a square image, which the mean length is not
  CHECK(lra::harness::Estimator(1, {}, nullptr).of(spec, {64, 1, 1}).known);
}

TEST_CASE("suite: an estimate reads the data that the run will", "[unit]") {
  const lra::tasks::testing::TempFolder folder;
  std::string rows = "label,text\n";
  for (int i = 0; i < 40; ++i) rows += std::to_string(i % 2) + ",word " + std::to_string(i) + "\n";
  const auto own = folder.write("own.csv", rows);
  lra::harness::Request request;
  request.task = "file";
  request.preset = "tiny";
  request.settings = {"data.path=" + own.string(), "task.max_length=500"};
  const auto spec = lra::harness::resolve(request);
  const auto lengths = lra::harness::sampled_lengths(spec, {}, nullptr);
  REQUIRE(!lengths.empty());
  CHECK(*std::max_element(lengths.begin(), lengths.end()) < 20);
}

TEST_CASE("suite: files that it names are beside it", "[unit]") {
  const lra::tasks::testing::TempFolder folder;
  const auto protocol =
      folder.write("p.json", R"({"schema": "lra-protocol/1", "common": {"train": {"steps": 7}}})");
  const std::string file = (protocol.parent_path() / "suite.json").string();
  json suite = small_suite();
  suite["protocol"] = "p.json";
  const auto made = lra::harness::make_suite(suite, file, {"train.warmup_steps=1"});
  CHECK(made.runs.front().spec.protocol == "p");
  const json placed = lra::harness::with_absolute_paths(suite, file);
  CHECK(placed["protocol"] == protocol.string());
}

TEST_CASE("suite: a fault is named with its path", "[unit]") {
  CHECK(fault_of(small_suite()).empty());
  CHECK_THAT(fault_of(with(small_suite(), "/schema", "lra-suite/9")),
             ContainsSubstring("/schema: "));
  CHECK_THAT(fault_of(with(small_suite(), "/attention", "linear")),
             ContainsSubstring("/attention: "));
  CHECK_THAT(fault_of(with(small_suite(), "/attentions/1/option", 3)),
             ContainsSubstring("/attentions/1/option: "));
  CHECK_THAT(fault_of(with(small_suite(), "/attentions/0", 7)),
             ContainsSubstring("/attentions/0: "));
  CHECK_THAT(fault_of(with(small_suite(), "/attentions/1/options", "act")),
             ContainsSubstring("/attentions/1/options: "));
  CHECK_THAT(fault_of(with(small_suite(), "/seeds/1", -1)), ContainsSubstring("/seeds/1: "));
  CHECK_THAT(fault_of(with(small_suite(), "/seeds", json::array())), ContainsSubstring("/seeds: "));
  CHECK_THAT(fault_of(with(small_suite(), "/tasks", json::array())), ContainsSubstring("/tasks: "));
  CHECK_THAT(fault_of(with(small_suite(), "/precision", "f16")), ContainsSubstring("/precision: "));
  CHECK_THAT(fault_of(with(small_suite(), "/bench", {{"n", {0}}})),
             ContainsSubstring("/bench/n/0: "));
  CHECK_THAT(fault_of(with(small_suite(), "/name", "../up")), ContainsSubstring("/name: "));
  json empty = small_suite();
  empty.erase("tasks");
  CHECK_THAT(fault_of(empty), ContainsSubstring("tasks"));
  CHECK_THAT(fault_of(json::array()), ContainsSubstring("/: "));
  CHECK_THAT(fault_of(with(small_suite(), "/attentions/0", "linnear")),
             ContainsSubstring("did you mean"));
}

TEST_CASE("suite: two entries that make one run are refused, both named", "[unit]") {
  json suite = small_suite();
  suite["attentions"].push_back({{"name", "linear"}, {"options", {{"causal", false}}}});
  CHECK_THAT(fault_of(suite), ContainsSubstring("/attentions/0 (linear)") &&
                                  ContainsSubstring("/attentions/2 (linear)"));
  CHECK_THAT(fault_of(with(small_suite(), "/seeds", {3, 4, 3})),
             ContainsSubstring("/seeds/0 (3)") && ContainsSubstring("/seeds/2 (3)"));
  CHECK_THAT(fault_of(with(small_suite(), "/tasks", {"listops", "listops"})),
             ContainsSubstring("/tasks/0 (listops)") && ContainsSubstring("/tasks/1 (listops)"));
  json bench = small_suite();
  bench["attentions"] = {"linear", "linear_transformer"};
  bench.erase("tasks");
  bench["bench"] = {{"n", {64}}};
  CHECK_THAT(fault_of(bench), ContainsSubstring("the same variant"));
}

TEST_CASE("suite: runs are tasks x attentions x seeds, settings from the general to the command",
          "[unit]") {
  const auto file =
      std::filesystem::temp_directory_path() / fmt::format("lra-suite-test-{}.json", ::getpid());
  json suite = small_suite();
  suite["settings"] = {{"train.steps", 7}, {"train.batch_size", 2}};
  suite["tasks"].push_back({{"name", "image"}, {"settings", {{"train.steps", 9}}}});
  lra::write_json(file, suite);
  const auto loaded = load_suite(file, {"train.batch_size=3"});
  std::filesystem::remove(file);
  REQUIRE(loaded.runs.size() == 8);
  CHECK(loaded.runs[0].spec.train.steps == 7);
  CHECK(loaded.runs[2].spec.task == "image");
  CHECK(loaded.runs[2].spec.train.steps == 9);
  CHECK(loaded.runs[7].spec.seed == 2);
  CHECK(loaded.runs[7].spec.attention_options.at("act") == "relu");
  for (const auto& run : loaded.runs) CHECK(run.spec.train.batch_size == 3);
  const auto all = load_suite("quick", {});
  CHECK(all.runs.size() == 15);
}
