// A result belongs to its specification and its data: nothing answers for other data.

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/catch.h"
#include "tests/process.h"
#include "tests/two_data.h"

namespace lra::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

}  // namespace

TEST_CASE("identity: train, evaluate and diagnose refuse other data and say both", "[run]") {
  const TwoData data("identity");
  const Scratch& folder = data.folder;
  const fs::path run = folder / "run";
  const Ended first = run_program(training(data.a(), run), folder);
  INFO(first.err);
  REQUIRE(first.code == 0);
  const std::string result = result_of(run);
  CHECK(run_program(training(data.a(), run), folder).code == 0);

  const auto refused = [&](const std::vector<std::string>& arguments,
                           const std::vector<std::string>& said) {
    const Ended o = run_program(arguments, folder);
    INFO(o.err);
    CHECK(o.code == 3);
    CHECK(std::count(o.err.begin(), o.err.end(), '\n') == 1);
    for (const auto& text : said) CHECK_THAT(o.err, ContainsSubstring(text));
    CHECK(result_of(run) == result);
  };
  REQUIRE(run_program(training(data.b(), folder / "other"), folder).code == 0);
  const std::vector<std::string> both{"other data", digest_of(run), digest_of(folder / "other"),
                                      data.a().string(), data.b().string()};
  refused(training(data.b(), run), both);
  refused(training(folder / "nowhere", run), {"nowhere: does not exist"});

  // By default they take the data of the training.
  const Ended again = run_program({"evaluate", run, "--json"}, folder);
  INFO(again.err);
  REQUIRE(again.code == 0);
  CHECK(json::parse(again.out)["accuracy"] == json::parse(result)["accuracy"]["test"]);
  CHECK(run_program({"diagnose", run, "--samples", "4"}, folder).code == 0);
  refused({"evaluate", run, "--data", data.b().string()}, both);
  refused({"diagnose", run, "--data", data.b().string()}, both);
  CHECK(run_program({"evaluate", run, "--data", data.b().string(), "--other-data"}, folder).code ==
        0);
  CHECK(run_program({"diagnose", run, "--other-data", "--save"}, folder).code == 2);

  // The table has both: neither is a repetition of the other.
  const Ended table = run_program({"table", run, folder / "other", "--format", "json"}, folder);
  CHECK(table.err.empty());
  CHECK_THAT(table.out, ContainsSubstring(digest_of(folder / "other")));

  // An earlier version wrote the digest into result.json alone.
  json spec = read_json(run / "spec.json");
  const json used = spec.at("data_used");
  CHECK(used.at("place") == data.a().string());
  spec.erase("data_used");
  write_json(run / "spec.json", spec);
  refused(training(data.b(), run), {"other data", digest_of(run), digest_of(folder / "other")});
  CHECK(run_program(training(data.a(), run), folder).code == 0);

  // Files that were edited in place.
  std::ofstream(data.a() / "test.csv", std::ios::app) << "1,\"one more\"\n";
  refused(training(data.a(), run), {"other data", digest_of(run)});
  refused({"evaluate", run, "--data", data.a().string()}, {"other data", digest_of(run)});
}

TEST_CASE("identity: weights and results of the same specification on other data are refused",
          "[run]") {
  const TwoData data("weights");
  const Scratch& folder = data.folder;
  const fs::path run = folder / "run";
  const fs::path other = folder / "other";
  REQUIRE(run_program(training(data.a(), run), folder).code == 0);
  REQUIRE(run_program(training(data.b(), other), folder).code == 0);
  REQUIRE(read_json(run / "result.json").at("run_id") ==
          read_json(other / "result.json").at("run_id"));
  const auto refused = [&](const std::string& message) {
    for (const char* command : {"evaluate", "diagnose"}) {
      const Ended o = run_program({command, run}, folder);
      INFO(o.err);
      CHECK(o.code == 3);
      CHECK_THAT(o.err, ContainsSubstring(message) &&
                            ContainsSubstring("got data of sha256 " + digest_of(other)) &&
                            ContainsSubstring("expected " + digest_of(run)));
    }
  };
  const fs::path weights = run / "model.safetensors";
  const std::string own = read_file(weights);
  std::string theirs = read_file(other / "model.safetensors");
  write_file_atomic(weights, theirs);
  refused("model.safetensors: weights of a run on other data");
  // An earlier version did not write it.
  theirs.replace(theirs.find("\"data_sha256\""), 13, "\"more_sha256\"");
  theirs.replace(theirs.find("\"sha256\""), 8, "\"none__\"");
  write_file_atomic(weights, theirs);
  CHECK(run_program({"evaluate", run}, folder).code == 0);
  write_file_atomic(weights, own);
  CHECK(run_program({"evaluate", run}, folder).code == 0);
  const std::string result = result_of(run);
  json changed = json::parse(result);
  changed["task"]["data"]["sha256"] = read_json(other / "result.json")["task"]["data"]["sha256"];
  write_json(run / "result.json", changed);
  const Ended o = run_program({"evaluate", run}, folder);
  CHECK(o.code == 3);
  CHECK_THAT(o.err, ContainsSubstring("result.json: result of a run on other data"));
  changed = json::parse(result);
  const std::string digest(64, '0');
  changed["spec_sha256"] = digest;
  changed["run_id"] = digest.substr(0, 16);
  write_json(run / "result.json", changed);
  CHECK_THAT(run_program({"evaluate", run}, folder).err,
             ContainsSubstring("result of another run than spec.json"));
}

TEST_CASE("identity: a file edited in place is other data, though size and time are as before",
          "[run]") {
  const TwoData data("in-place");
  const Scratch& folder = data.folder;
  REQUIRE(run_program(training(data.a(), folder / "run"), folder).code == 0);
  const fs::path file = data.a() / "test.csv";
  const auto time = fs::last_write_time(file);
  std::string text = read_file(file);
  text.replace(text.find("lovely"), 6, "boring");
  std::ofstream(file, std::ios::in | std::ios::out | std::ios::binary) << text;
  fs::last_write_time(file, time);
  for (const auto& arguments : {training(data.a(), folder / "run"), {"evaluate", folder / "run"}}) {
    const Ended o = run_program(arguments, folder);
    INFO(o.err);
    CHECK(o.code == 3);
    CHECK_THAT(o.err, ContainsSubstring("contains a run on other data"));
  }
}

TEST_CASE("identity: a result of another run, or of another version of the task, is refused",
          "[run]") {
  const TwoData data("foreign");
  const Scratch& folder = data.folder;
  const fs::path run = folder / "run";
  REQUIRE(run_program(training(data.a(), run), folder).code == 0);
  auto result = read_json(run / "result.json");
  const std::string digest = std::string(64, 'a');
  result["spec_sha256"] = digest;
  result["run_id"] = digest.substr(0, 16);
  const std::string whole = result_of(run);
  lra::write_file_atomic(run / "result.json", result.dump(2));
  const Ended foreign = run_program(training(data.a(), run), folder);
  CHECK(foreign.code == 3);
  CHECK_THAT(foreign.err, ContainsSubstring("result.json: result of another run than spec.json"));
  lra::write_file_atomic(run / "result.json", whole);
  CHECK(run_program(training(data.a(), run), folder).code == 0);
  auto spec = read_json(run / "spec.json");
  spec["task_version"] = 99;
  lra::write_file_atomic(run / "spec.json", spec.dump(2));
  const Ended older = run_program(training(data.a(), run), folder);
  CHECK(older.code == 2);
  CHECK_THAT(older.err,
             ContainsSubstring("contains another run") && ContainsSubstring("task_version"));
}

TEST_CASE("identity: a checkpoint continues on its own data only", "[run]") {
  const TwoData data("identity-checkpoint");
  const Scratch& folder = data.folder;
  const fs::path run = folder / "run";
  const std::vector<std::string> endless{"--set", "train.steps=1000000", "--checkpoint-seconds",
                                         "0"};
  const pid_t child = start_program(training(data.a(), run, endless), folder);
  REQUIRE(eventually([&] { return fs::exists(run / "checkpoint.safetensors"); }));
  ::kill(child, SIGKILL);
  wait_for(child, folder);
  const auto spec = read_file(run / "spec.json");
  const Ended refused = run_program(training(data.b(), run, endless), folder);
  INFO(refused.err);
  CHECK(refused.code == 3);
  CHECK_THAT(refused.err, ContainsSubstring("other data"));
  // Without spec.json's part the checkpoint's own digest decides.
  json without = json::parse(spec);
  without.erase("data_used");
  write_json(run / "spec.json", without);
  const Ended again = run_program(training(data.b(), run, endless), folder);
  INFO(again.err);
  CHECK(again.code == 3);
  CHECK_THAT(again.err, ContainsSubstring("checkpoint of a run on other data"));
}

TEST_CASE("identity: a suite refuses other data as a whole, and data that are not there", "[run]") {
  const TwoData data("identity-suite");
  const Scratch& folder = data.folder;
  json suite{{"schema", "lra-suite/1"},  {"name", "s"},      {"tasks", {"text"}},
             {"attentions", {"linear"}}, {"preset", "tiny"}, {"precision", "f32"}};
  for (const auto& setting : kTinySteps) {
    const auto equals = setting.find('=');
    suite["settings"][setting.substr(0, equals)] = json::parse(setting.substr(equals + 1));
  }
  write_json(folder / "s.json", suite);
  const auto run_on = [&](const fs::path& place, const std::vector<std::string>& more = {}) {
    std::vector<std::string> a{"run",        folder / "s.json",   "--out",
                               folder / "r", "--measure-seconds", "0.02",
                               "--data",     place.string()};
    a.insert(a.end(), more.begin(), more.end());
    return run_program(a, folder);
  };
  const Ended first = run_on(data.a());
  INFO(first.err);
  REQUIRE(first.code == 0);
  const fs::path run = fs::directory_iterator(fs::path(folder / "r") / "runs")->path();
  const std::string result = result_of(run);
  CHECK(read_json(run / "measurement.json").at("data_sha256") ==
        json::parse(result)["task"]["data"]["sha256"]);
  for (const fs::path& place : {data.b(), fs::path(folder / "nowhere")}) {
    const Ended o = run_on(place);
    INFO(o.err);
    CHECK(o.code == 3);
    CHECK(o.out.empty());
    CHECK(result_of(run) == result);
    const Ended plan = run_on(place, {"--dry-run"});
    CHECK(plan.code == 3);
    CHECK(plan.err == o.err);
    CHECK(plan.out.empty());
  }
  CHECK(run_on(data.a()).code == 0);

  // The plan names the data of each task, and what is missing.
  const Ended plan = run_on(data.a(), {"--dry-run"});
  CHECK(plan.code == 0);
  CHECK_THAT(plan.out, ContainsSubstring("stand-in: ") && ContainsSubstring(data.a().string()));
  fs::create_directories(folder / "empty");
  const Ended missing = run_on(folder / "empty", {"--dry-run"});
  CHECK(missing.code == 3);
  CHECK_THAT(missing.out, ContainsSubstring("missing: "));
  const Ended made = run_program({"run", folder / "s.json", "--dry-run"}, folder);
  CHECK(made.code == 0);
  CHECK_THAT(made.out, ContainsSubstring("stand-in: Text: to be made"));
}

TEST_CASE("identity: a folder of another run says what differs, and auto takes its precision",
          "[run]") {
  const Scratch folder("identity-spec");
  const std::string out = folder / "run";
  REQUIRE(run_program(short_training(out, {"--precision", "f32"}), folder).code == 0);
  const Ended other = run_program(
      short_training(out, {"--precision", "f32", "--set", "train.steps=9", "--seed", "3"}), folder);
  CHECK(other.code == 2);
  CHECK_THAT(other.err, ContainsSubstring("contains another run") &&
                            ContainsSubstring("train.steps: 9 instead of 8") &&
                            ContainsSubstring("seed: 3 instead of 0"));
  // On any machine: what auto would choose here does not matter.
  CHECK(run_program(short_training(out), folder).code == 0);
  json spec = read_json(fs::path(out) / "spec.json");
  spec["precision"] = "bf16";
  write_json(fs::path(out) / "spec.json", spec);
  fs::remove(fs::path(out) / "result.json");
  const Ended bf16 = run_program(short_training(out), folder);
  INFO(bf16.err);
  if (bf16.code != 0) {
    CHECK(bf16.code == 2);
    CHECK_THAT(bf16.err, ContainsSubstring("begun with precision bf16"));
  }
}

}  // namespace lra::testing
