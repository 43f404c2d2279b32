#include "harness/tune/search.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "engine/base/error.h"
#include "tests/catch.h"

using lra::harness::draw_trials;
using lra::harness::Grid;
using lra::harness::grid_of;
using lra::harness::plan_rungs;
using lra::harness::Search;
using lra::harness::SearchOptions;
using lra::testing::ContainsSubstring;
using nlohmann::json;
namespace results = lra::results;

namespace {

json small_suite() {
  return {{"schema", "lra-suite/1"},
          {"name", "small"},
          {"tasks", {"listops", {{"name", "listops"}, {"options", {{"max_length", 100}}}}}},
          {"attentions", {"softmax", {{"name", "linear"}, {"settings", {{"model.layers", 2}}}}}},
          {"preset", "tiny"},
          {"precision", "f32"},
          {"seeds", {3, 4}},
          {"settings", {{"train.steps", 400}, {"train.warmup_steps", 100}}},
          {"tune",
           {{"train.lr", {0.001, 0.01}},
            {"model.positions", {"learned", "sinusoidal"}},
            {"warmup_share", {0, 0.25}}}}};
}

// What a trial is, without its attention.
json point_of(const lra::harness::SuiteRun& run) {
  return {run.spec.train.lr, run.spec.model.positions, run.spec.train.warmup_steps};
}

results::Record record_with(double val, std::int64_t tokens) {
  results::Record record;
  record.accuracy.value.val = val;
  record.training.tokens = tokens;
  record.task.data_sha256 = std::string(64, 'a');
  return record;
}

}  // namespace

TEST_CASE("tune: the draw is without repetition, the same for a seed, another for another",
          "[unit]") {
  const Grid grid = grid_of(small_suite(), "s");
  const auto all = draw_trials(grid, "listops", {.trials = 8});
  CHECK(std::set<json>(all.begin(), all.end()).size() == 8);  // the whole grid
  const auto five = draw_trials(grid, "listops", {.trials = 5});
  CHECK(std::equal(five.begin(), five.end(), all.begin()));  // more trials begin alike
  CHECK(draw_trials(grid, "listops", {.trials = 8}) == all);
  CHECK(draw_trials(grid, "listops", {.trials = 8, .seed = 1}) != all);
  CHECK(draw_trials(grid, "text", {.trials = 8}) != all);
  CHECK_THROWS_WITH(draw_trials(grid, "listops", {.trials = 9}),
                    ContainsSubstring("got 9, expected 1 to 8"));
  // Each point comes first about as often as any other.
  std::map<json, int> first;
  for (std::int64_t seed = 0; seed < 800; ++seed) {
    ++first[draw_trials(grid, "listops", {.trials = 1, .seed = seed})[0]];
  }
  CHECK(first.size() == 8);
  for (const auto& [point, count] : first) CHECK(std::abs(count - 100) < 40);  // 4 deviations
}

TEST_CASE("tune: rungs double the steps and halve the trials, rounded up", "[unit]") {
  const auto plan = plan_rungs(4000, {.trials = 5, .rungs = 3, .share = 0.1});
  REQUIRE(plan.size() == 3);
  for (const auto& [at, steps, trials] : {std::tuple(0, 100, 5), {1, 200, 3}, {2, 400, 2}}) {
    CHECK(plan[static_cast<std::size_t>(at)].steps == steps);
    CHECK(plan[static_cast<std::size_t>(at)].trials == trials);
  }
  CHECK(plan_rungs(3, {.trials = 1, .rungs = 2, .share = 0.1})[0].steps == 1);
}

TEST_CASE("tune: every attention has the same trials, on validation alone, of the first seed",
          "[unit]") {
  const Search search(small_suite(), "s", {}, {.trials = 5, .rungs = 2, .share = 0.5});
  CHECK(search.price() == (5 * 100 + 3 * 200) / 400.0);
  const auto rung = search.rung(0);
  REQUIRE(rung.runs.size() == 20);
  std::map<std::pair<std::size_t, std::size_t>, std::vector<json>> points;
  for (const auto& run : rung.runs) {
    CHECK(run.spec.validation_only);
    CHECK(run.spec.seed == 3);
    CHECK(run.spec.train.steps == 100);
    CHECK((run.spec.train.warmup_steps == 0 || run.spec.train.warmup_steps == 25));
    CHECK(run.spec.model.layers == (run.spec.attention == "softmax" ? 1 : 2));
    points[{run.spec.task_options.at("max_length").get<std::size_t>(),
            run.spec.attention == "softmax" ? 0U : 1U}]
        .push_back(point_of(run));
  }
  REQUIRE(points.size() == 4);
  for (const auto& [key, list] : points) CHECK(list == points.begin()->second);
}

TEST_CASE("tune: the better half goes on, the best of the last rung is chosen", "[unit]") {
  Search search(small_suite(), "s", {"train.batch_size=2"},
                {.trials = 4, .rungs = 2, .share = 0.5});
  // Trial t has 0.1 t for softmax, 0.4 - 0.1 t for linear; the second rung turns the survivors
  // over; linear's first trial diverges there.
  std::map<std::string, std::size_t> number;
  std::map<std::string, std::string> attention;
  for (std::size_t r = 0; r < 2; ++r) {
    const auto rung = search.rung(r);
    CHECK(rung.runs.size() == (r == 0 ? 16U : 8U));
    for (std::size_t i = 0; i < rung.runs.size(); ++i) {
      CHECK(rung.runs[i].spec.train.batch_size == 2);
      if (r == 0) {
        number[point_of(rung.runs[i]).dump()] = i % 4;
        continue;
      }
      json point = point_of(rung.runs[i]);
      point[2] = point[2].get<std::int64_t>() / 2;  // of twice the steps
      const std::size_t t = number.at(point.dump());
      CHECK((rung.runs[i].spec.attention == "softmax" ? t >= 2 : t < 2));
    }
    std::map<std::string, std::pair<std::string, std::size_t>> who;
    for (const auto& run : rung.runs) {
      json point = point_of(run);
      if (r == 1) point[2] = point[2].get<std::int64_t>() / 2;
      who[run.name] = {run.spec.attention, number.at(point.dump())};
    }
    const auto failed = search.judge(r, [&](const std::string& name) {
      const auto& [of, t] = who.at(name);
      const double rising = 0.1 * static_cast<double>(t);
      results::Record record =
          record_with((of == "softmax") == (r == 0) ? rising : 0.4 - rising, r == 0 ? 10 : 100);
      if (r == 1 && of != "softmax" && t == 0) {
        record.status = results::Status::diverged;
        record.accuracy.value.val.reset();
      }
      return record;
    });
    CHECK(failed.empty());
  }
  // Of the runs of other calls those count that are trials of the same attention and data.
  results::Record other = record_with(0.9, 7);
  other.task.name = "listops";
  other.attention.name = "softmax";
  search.add_further(other);  // a run of a suite
  other.evaluated = "validation";
  search.add_further(other);
  other.status = results::Status::diverged;
  search.add_further(other);
  other.status = results::Status::failed;
  search.add_further(other);
  other.status = results::Status::completed;
  other.task.data_sha256 = std::string(64, 'b');
  search.add_further(other);
  const json tuned = search.tuned_suite();
  CHECK(tuned.at("name") == "small-tuned");
  REQUIRE(tuned.at("tuned").size() == 4);
  const auto trials = draw_trials(grid_of(small_suite(), "s"), "listops", {.trials = 4});
  for (const json& entry : tuned["tuned"]) {
    const bool softmax = entry.at("attention") == "softmax";
    // softmax: of trials 2 and 3 the second rung prefers 2; linear: of 0 and 1 only 1 is left.
    const json& chosen = trials[softmax ? 2 : 1];
    CHECK(entry.at("settings").at("train.lr") == chosen.at("train.lr"));
    CHECK(entry.at("settings").at("train.warmup_steps") ==
          400 * chosen.at("warmup_share").get<double>());
    CHECK(entry.at("settings").at("train.batch_size") == 2);
    const auto part = results::search_from_json(entry.at("search"), "here");
    CHECK(part.tokens == 4 * 10 + 2 * 100);
    CHECK(part.further.runs == (softmax ? 2 : 0));
    CHECK(part.further.tokens == (softmax ? 14 : 0));
    CHECK(part.data_sha256 == std::string(64, 'a'));
    REQUIRE(part.trials.size() == 4);
    CHECK(part.trials[softmax ? 0 : 3].rungs == 1);
    CHECK(part.trials[1].first.value() == (softmax ? 0.1 : 0.4 - 0.1));
    CHECK(part.trials[0].last.has_value() == softmax);
  }
  // The suite that it wrote has the settings in every seed, and says where they are from.
  const auto suite = lra::harness::make_suite(tuned, "tuned", {});
  REQUIRE(suite.runs.size() == 8);
  for (const auto& run : suite.runs) {
    REQUIRE(run.search);
    CHECK_FALSE(run.spec.validation_only);
    CHECK(run.spec.train.steps == 400);
    CHECK(run.spec.train.lr ==
          trials[run.spec.attention == "softmax" ? 2 : 1].at("train.lr").get<double>());
  }
  // A setting of its own in place of a chosen one is not what the search found.
  for (const auto& run : lra::harness::make_suite(tuned, "tuned", {"train.lr=0.5"}).runs) {
    CHECK_FALSE(run.search);
  }
  for (const auto& run : lra::harness::make_suite(tuned, "tuned", {"train.eval_every=7"}).runs) {
    CHECK(run.search);
  }
  CHECK_THAT(search.markdown(), ContainsSubstring("10.00 |") && ContainsSubstring("(chosen)"));
}

TEST_CASE("tune: the suite that is written means the same in any folder", "[unit]") {
  const auto folder = std::filesystem::temp_directory_path() /
                      ("lra-tune-" + std::to_string(::getpid()) + "-paths");
  std::filesystem::create_directories(folder / "sets");
  for (const char* name : {"one.csv", "two.csv"}) {
    std::ofstream out(folder / "sets" / name);
    out << "label,text\n";
    for (int i = 0; i < 40; ++i) out << i % 2 << "," << name << i << "\n";
  }
  json suite = small_suite();
  suite.erase("seeds");
  suite["attentions"] = {"linear"};
  suite["tasks"] = {{{"name", "file"}, {"settings", {{"data.path", "../sets/one.csv"}}}},
                    {{"name", "file"}, {"settings", {{"data.path", "../sets/two.csv"}}}}};
  const std::string name = (folder / "suites" / "s.json").string();
  const auto of = [&](const std::vector<std::string>& settings) {
    Search search(suite, name, settings, {.trials = 1, .rungs = 1, .share = 1});
    CHECK(search.judge(0, [](const std::string&) { return record_with(0.5, 1); }).empty());
    CHECK_THAT(search.markdown(), ContainsSubstring("## one\n") && ContainsSubstring("## two\n"));
    const auto made = lra::harness::make_suite(search.tuned_suite(), "elsewhere/t.json", {});
    std::vector<std::string> paths;
    for (const auto& run : made.runs) {
      CHECK(run.search.has_value());
      paths.push_back(run.spec.data.string());
    }
    return paths;
  };
  std::filesystem::create_directories(folder / "suites");
  const std::string sets = (folder / "sets").string();
  CHECK(of({}) == std::vector<std::string>{sets + "/one.csv", sets + "/two.csv"});
  std::filesystem::remove_all(folder);
}

TEST_CASE("suite: a relative path of a setting is one below the given folder", "[unit]") {
  using lra::harness::placed_setting;
  CHECK(placed_setting("data.path=a/b.csv", "/d") == "data.path=/d/a/b.csv");
  CHECK(placed_setting("init=w.safetensors", "/d") == "init=/d/w.safetensors");
  CHECK(placed_setting("init=/w.safetensors", "/d") == "init=/w.safetensors");
  CHECK(placed_setting("init=", "/d") == "init=");
  CHECK(placed_setting("train.lr=0.1", "/d") == "train.lr=0.1");
}

TEST_CASE("tune: the command line's settings hold also where no trial was chosen", "[unit]") {
  json suite = small_suite();
  suite.erase("seeds");
  Search search(suite, "small", {"train.steps=200"}, {.trials = 2, .rungs = 1, .share = 1});
  std::map<std::string, std::string> attention;
  for (const auto& run : search.rung(0).runs) attention[run.name] = run.spec.attention;
  static_cast<void>(search.judge(0, [&](const std::string& name) {
    results::Record record = record_with(0.5, 1);
    if (attention.at(name) != "softmax") {
      record.status = results::Status::diverged;
      record.accuracy.value.val.reset();
    }
    return record;
  }));
  for (const auto& run : lra::harness::make_suite(search.tuned_suite(), "t", {}).runs) {
    INFO(run.spec.attention);
    CHECK(run.spec.train.steps == 200);
  }
}

TEST_CASE("tune: a search whose validation is the test split is refused", "[unit]") {
  json suite = small_suite();
  suite["tasks"] = {"text"};
  suite["protocol"] = "nystromformer";
  const auto search = [&suite](const std::vector<std::string>& settings) {
    Search made(suite, "small", settings, {.trials = 1, .rungs = 1, .share = 1});
  };
  CHECK_THROWS_WITH(search({}), ContainsSubstring("validation is the test split"));
  CHECK_NOTHROW(search({"task.validation=hash"}));
}

TEST_CASE("tune: a grid that changes data or steps is refused, a suite that was edited too",
          "[unit]") {
  json suite = small_suite();
  for (const char* key : {"train.steps", "task.max_length", "data.train", "train.warmup_steps"}) {
    suite["tune"] = {{key, {1, 2}}};
    CHECK_THROWS_WITH(grid_of(suite, "s"), ContainsSubstring(key));
  }
  suite["tune"] = {{"train.lr", {0.1, 0.1}}};
  CHECK_THROWS_WITH(grid_of(suite, "s"), ContainsSubstring("different values"));
  suite["tune"] = {{"warmup_share", {2}}};
  CHECK_THROWS_WITH(grid_of(suite, "s"), ContainsSubstring("[0, 1)"));
  suite.erase("tune");
  CHECK(grid_of(suite, "s") == lra::harness::default_grid());
  suite["tuned"] = {
      {{"task", "text"},
       {"attention", "softmax"},
       {"settings", json::object()},
       {"search",
        {{"seed", 0},
         {"tokens", 1},
         {"rungs", {{{"steps", 1}, {"trials", 1}}}},
         {"trials",
          {{{"settings", json::object()}, {"rungs", 1}, {"first", 0.5}, {"last", 0.5}}}}}}}};
  CHECK_THROWS_WITH(lra::harness::make_suite(suite, "s", {}),
                    ContainsSubstring("/tuned/0/task: got \"text\""));
}
