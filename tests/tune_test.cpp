// A search for settings through the program, from a grid to the table that names its price.

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "engine/base/file.h"
#include "tests/catch.h"
#include "tests/process.h"

using lra::testing::ContainsSubstring;
using lra::testing::Ended;
using lra::testing::run_line;
using lra::testing::Scratch;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

// Records of the trials by the name of their run.
std::map<std::string, json> records_of(const fs::path& out) {
  std::map<std::string, json> records;
  for (const auto& run : fs::directory_iterator(out / "runs")) {
    records[run.path().filename()] = lra::read_json(run.path() / "result.json");
  }
  return records;
}

}  // namespace

TEST_CASE("tune: a search is resumed to the same suite, whose runs name its price", "[run]") {
  const Scratch scratch("tune");
  json suite = json::parse(lra::testing::short_suite(R"("softmax", "linear")"));
  suite["tune"] = {{"train.lr", {0.0001, 0.003, 0.03}}};
  lra::write_file_atomic(scratch.path() / "s.json", suite.dump());
  const std::string command = "tune s.json --trials 3 --rungs 2 --share 0.5 --threads 2 --out t";
  const Ended ended = run_line(command, scratch);
  INFO(ended.err);
  REQUIRE(ended.code == 0);
  const json tuned = lra::read_json(scratch.path() / "t/s-tuned.json");
  const auto records = records_of(scratch.path() / "t");
  REQUIRE(records.size() == 2 * (3 + 2));
  std::map<std::string, std::set<std::string>> settings;
  std::map<std::string, std::int64_t> tokens;
  for (const auto& [name, record] : records) {
    CHECK(record.at("evaluated") == "validation");
    CHECK(record.at("accuracy").at("test").is_null());
    CHECK(record.at("accuracy").at("train").is_null());
    CHECK(record.at("accuracy").at("val").is_number());
    CHECK(record.at("baselines").empty());
    const std::string attention = record.at("attention").at("name");
    tokens[attention] += record.at("training").at("tokens").get<std::int64_t>();
    if (record.at("training").at("steps") == 2) {
      settings[attention].insert(record.at("protocol").at("deviations").dump());
    }
    // No line of the run's curve is of test either.
    CHECK_THAT(lra::read_file(scratch.path() / "t/runs" / name / "metrics.jsonl"),
               !ContainsSubstring("\"test\""));
  }
  REQUIRE(settings.size() == 2);
  CHECK(settings.begin()->second.size() == 3);
  CHECK(settings.begin()->second == settings.rbegin()->second);
  REQUIRE(tuned.at("tuned").size() == 2);
  for (const json& entry : tuned["tuned"]) {
    const std::string name = entry.at("attention") == "linear" ? "linear_transformer" : "softmax";
    CHECK(entry.at("search").at("tokens") == tokens.at(name));
    // The chosen trial is the best of the last rung.
    double best = -1;
    for (const json& trial : entry.at("search").at("trials")) {
      if (trial.at("rungs") == 2) best = std::max(best, trial.at("last").get<double>());
    }
    for (const json& trial : entry.at("search").at("trials")) {
      if (trial.at("settings").at("train.lr") != entry.at("settings").at("train.lr")) continue;
      CHECK(trial.at("rungs") == 2);
      CHECK(trial.at("last") == best);
    }
  }

  // What a kill leaves: a run without its result, and no suite.
  fs::remove(scratch.path() / "t/runs" / records.begin()->first / "result.json");
  fs::remove(scratch.path() / "t/s-tuned.json");
  CHECK(run_line(command, scratch).code == 0);
  CHECK(lra::read_json(scratch.path() / "t/s-tuned.json") == tuned);

  // Trials are no results; the suite's runs are, with what their settings cost.
  const Ended refused = run_line("table t", scratch);
  CHECK(refused.code == 3);
  CHECK_THAT(refused.err, ContainsSubstring("trials of a search"));
  REQUIRE(run_line("run t/s-tuned.json --out r --measure-seconds 0", scratch).code == 0);
  const Ended table = run_line("table r --columns listops,trials --format md", scratch);
  CHECK_THAT(table.out, ContainsSubstring("best validation of 3 trials of 2 and 4 steps"));
  CHECK_THAT(table.out, ContainsSubstring("3 (1)"));
  CHECK_THAT(lra::read_file(scratch.path() / "r/report.html"),
             ContainsSubstring("\"searches\":[{"));

  // Trials that an earlier call has seen stay in the price of a smaller search, of which all are
  // done.
  const std::string fewer = "tune s.json --trials 2 --rungs 2 --share 0.5 --threads 2 --out t";
  const Ended again = run_line(fewer, scratch);
  INFO(again.err);
  REQUIRE(again.code == 0);
  CHECK(records_of(scratch.path() / "t").size() == records.size());
  CHECK_THAT(again.out, ContainsSubstring("best validation of 2 trials of 2 and 4 steps, ") &&
                            ContainsSubstring("beside 2 further runs of trials, "));
  const json smaller = lra::read_json(scratch.path() / "t/s-tuned.json");
  for (const json& entry : smaller.at("tuned")) {
    const std::string name = entry.at("attention") == "linear" ? "linear_transformer" : "softmax";
    const json& search = entry.at("search");
    CHECK(search.at("trials").size() == 2);
    CHECK(search.at("further").at("runs") == 2);
    CHECK(search.at("tokens").get<std::int64_t>() +
              search.at("further").at("tokens").get<std::int64_t>() ==
          tokens.at(name));
  }
  CHECK_FALSE(tuned["tuned"][0].at("search").contains("further"));
  // Nor does a larger search forget what only a smaller one has trained.
  REQUIRE(run_line(command, scratch).code == 0);
  CHECK(lra::read_json(scratch.path() / "t/s-tuned.json") == tuned);
}

TEST_CASE("tune: trials that fail are named with the reason, and end the search unless told not to",
          "[run]") {
  const Scratch scratch("tune-failed");
  json suite = json::parse(lra::testing::short_suite(R"("linear")"));
  suite["tune"] = {{"train.lr", {0.0001, 0.003}}};
  lra::write_file_atomic(scratch.path() / "s.json", suite.dump());
  const std::string command = "tune s.json --trials 2 --rungs 1 --memory 0.000001 --out t";
  const auto check_named = [&](const Ended& ended) {
    INFO(ended.err);
    CHECK_THAT(ended.err, ContainsSubstring("lra: 2 trials failed\n"));
    const auto records = records_of(scratch.path() / "t");
    CHECK(records.size() == 2);
    for (const auto& [name, record] : records) {
      CHECK_THAT(ended.err, ContainsSubstring("\n  " + name + ": " +
                                              record.at("failure").get<std::string>() + "\n"));
    }
  };
  const Ended ended = run_line(command, scratch);
  check_named(ended);
  CHECK(ended.code == 1);
  CHECK_THAT(ended.err, ContainsSubstring("no suite is written"));
  CHECK_FALSE(fs::exists(scratch.path() / "t/s-tuned.json"));
  const Ended kept = run_line(command + " --keep-going", scratch);
  check_named(kept);
  CHECK(kept.code == 0);
  CHECK(lra::read_json(scratch.path() / "t/s-tuned.json").at("tuned").empty());
}

TEST_CASE("tune: a signal stops the search with its checkpoints and without a suite", "[run]") {
  const Scratch scratch("tune-stop");
  json suite = json::parse(lra::testing::short_suite(R"("softmax", "linear")"));
  suite["settings"]["train.steps"] = 4000;
  suite["tune"] = {{"train.lr", {0.0001, 0.003}}};
  lra::write_file_atomic(scratch.path() / "s.json", suite.dump());
  const std::vector<std::string> command{"tune", "s.json",  "--trials", "2",     "--rungs",
                                         "1",    "--share", "1",        "--out", "t"};
  const auto in_folder = [&] { fs::current_path(scratch.path()); };
  const pid_t child = lra::testing::start_program(command, scratch, in_folder);
  REQUIRE(lra::testing::eventually([&] {
    return fs::exists(scratch.path() / "err") &&
           lra::read_file(scratch.path() / "err").find("step ") != std::string::npos;
  }));
  ::kill(child, SIGTERM);
  const Ended stopped = lra::testing::wait_for(child, scratch);
  INFO(stopped.err);
  CHECK(stopped.code == 130);
  CHECK_FALSE(fs::exists(scratch.path() / "t/s-tuned.json"));
}
