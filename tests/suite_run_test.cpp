// lra run: suites that fail, are stopped, continued, measured.

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/file.h"
#include "results/record/record.h"
#include "tests/catch.h"
#include "tests/tiny_run.h"

namespace lra::testing {
namespace {

namespace fs = std::filesystem;
using lra::testing::Approx;

TEST_CASE("run: a suite goes on after a failed run and is continued", "[run]") {
  const Scratch folder("suite");
  std::ofstream(folder / "s.json") << R"({"schema": "lra-suite/1", "name": "s",
    "tasks": ["listops"], "attentions": ["linear", "softmax"], "preset": "tiny", "seeds": [1, 2],
    "settings": {"data.train": 100, "data.val": 10, "data.test": 10, "train.steps": 3,
                 "train.batch_size": 4, "task.min_tokens": 20, "task.max_tokens": 100}})";
  const std::vector<std::string> arguments{
      "run", folder / "s.json", "--out", folder / "results", "--measure-seconds", "0"};
  const Ended first = run(arguments, folder);
  INFO(first.err);
  REQUIRE(first.code == 0);
  CHECK_THAT(first.out, ContainsSubstring("Linear Trans."));
  const Ended second = run(arguments, folder);
  CHECK(second.code == 0);
  CHECK(second.out == first.out);
  std::ofstream(folder / "bad.json") << R"({"schema": "lra-suite/1", "tasks": ["listops"],
    "attentions": [{"nam": "linear"}]})";
  const Ended bad = run({"run", folder / "bad.json"}, folder);
  CHECK(bad.code == 2);
  CHECK_THAT(bad.err, ContainsSubstring("/attentions/0"));
}

TEST_CASE("run: what was trained without measuring is measured later, and nothing else changes",
          "[run]") {
  const Scratch folder("later");
  std::ofstream(folder / "s.json") << R"({"schema": "lra-suite/1", "name": "s",
    "tasks": ["listops"], "attentions": ["linear", "softmax"], "preset": "tiny",
    "settings": {"data.train": 100, "data.val": 10, "data.test": 10, "train.steps": 3,
                 "train.batch_size": 4, "task.min_tokens": 20, "task.max_tokens": 100}})";
  const auto part = [&](const char* name) {
    const Ended o = run({"run", folder / "s.json", "--out", folder / "r", "--part", name,
                         "--measure-seconds", "0.03"},
                        folder);
    INFO(o.err);
    REQUIRE(o.code == 0);
    return o.out + o.err;
  };
  (void)part("train");
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(fs::path(folder / "r") / "runs")) {
    files.push_back(entry.path() / "result.json");
  }
  REQUIRE(files.size() == 2);
  // One of them is a record of another machine, which this one cannot measure.
  auto strange = lra::read_json(files[1]);
  REQUIRE(strange["speed"]["measured"] == "shared");
  strange["environment"]["cpu"] = "Another CPU";
  lra::write_json(files[1], strange);
  auto before = lra::read_json(files[0]);
  before["environment"]["commit"] = "0123456789abcdef";
  lra::write_json(files[0], before);

  CHECK_THAT(part("measure"), ContainsSubstring("ms per step"));
  auto after = lra::read_json(files[0]);
  CHECK(after["speed"]["measured"] == "exclusive");
  CHECK(after["time"]["measured"] == "shared");  // the training was
  CHECK(after["speed"]["infer_tokens_per_second"] > 0);
  CHECK_THAT(after["speed"]["measured_by"].get<std::string>(),
             !ContainsSubstring("0123456789ab") && ContainsSubstring("0.1.0 ("));
  CHECK(lra::read_json(files[1]) == strange);
  const std::string written = read_file(files[0]);
  CHECK_THAT(part("measure"), !ContainsSubstring("ms per step"));
  CHECK(read_file(files[0]) == written);
  for (const char* key : {"speed", "memory", "cost"}) {
    before.erase(key);
    after.erase(key);
  }
  CHECK(before == after);
}

TEST_CASE("run: a plan has estimates, events are lines of JSON", "[run]") {
  const Scratch folder("suite-lock");
  std::ofstream(folder / "s.json") << R"({"schema": "lra-suite/1", "name": "s",
    "tasks": ["listops"], "attentions": ["linear"], "preset": "tiny",
    "settings": {"data.train": 100, "data.val": 10, "data.test": 10, "train.steps": 3,
                 "train.batch_size": 4, "task.min_tokens": 20, "task.max_tokens": 100,
                 "task.max_length": 100}})";
  const std::vector<std::string> arguments{"run",
                                           folder / "s.json",
                                           "--out",
                                           folder / "results",
                                           "--events",
                                           folder / "events",
                                           "--measure-seconds",
                                           "0.05"};
  const Ended plan = run({"run", folder / "s.json", "--dry-run"}, folder);
  CHECK(plan.code == 0);
  CHECK_THAT(plan.out, ContainsSubstring("1 run: "));
  CHECK_THAT(plan.out, ContainsSubstring(" MB"));
  REQUIRE(run(arguments, folder).code == 0);
  std::ifstream stream(folder / "events");
  std::vector<std::string> kinds;
  std::vector<std::string> phases;
  nlohmann::json event;
  for (std::string line; std::getline(stream, line);) {
    event = nlohmann::json::parse(line);
    kinds.push_back(event.at("event"));
    if (kinds.back() == "phase") phases.push_back(event.at("phase"));
    if (kinds.back() == "usage") {
      CHECK(event.at("busy_share") ==
            Approx(event.at("cpu_seconds").get<double>() /
                   (event.at("wall_seconds").get<double>() * event.at("threads").get<double>())));
    }
  }
  REQUIRE(kinds.size() >= 4);
  CHECK(kinds.front() == "suite");
  CHECK(phases == std::vector<std::string>{"estimate", "measurement", "accuracy"});
  for (const char* once : {"measured", "record", "usage"}) {
    INFO(once);
    CHECK(std::count(kinds.begin(), kinds.end(), once) == 1);
  }
  CHECK(kinds.back() == "end");
  CHECK(event.at("completed") == 1);
  CHECK(event.at("diverged") == 0);
}

namespace {

// Four runs of a second or so, in two sizes.
void write_suite(const std::string& file, int steps) {
  std::ofstream(file) << fmt::format(R"({{"schema": "lra-suite/1", "name": "s",
    "tasks": ["listops", {{"name": "listops", "settings": {{"train.steps": {}}}}}],
    "attentions": ["softmax", "cosformer"], "preset": "tiny", "precision": "f32",
    "settings": {{"data.train": 200, "data.val": 20, "data.test": 20, "train.steps": {},
                  "train.eval_every": 10, "train.batch_size": 8, "task.min_tokens": 20,
                  "task.max_tokens": 200, "task.max_length": 200}}}})",
                                     2 * steps, steps);
}

void check_same_runs(const fs::path& one, const fs::path& two, std::size_t expected) {
  std::size_t runs = 0;
  for (const auto& entry : fs::directory_iterator(one / "runs")) {
    const fs::path other = two / "runs" / entry.path().filename();
    INFO(other.string());
    for (const char* file : {"model.safetensors", "metrics.jsonl"}) {
      CHECK(lra::read_file(entry.path() / file) == lra::read_file(other / file));
    }
    CHECK(lra::read_json(entry.path() / "result.json").at("accuracy") ==
          lra::read_json(other / "result.json").at("accuracy"));
    ++runs;
  }
  CHECK(runs == expected);
}

}  // namespace

TEST_CASE("run: several runs at once give the bits of one after the other, measured by themselves",
          "[run]") {
  const Scratch folder("suite-threads");
  write_suite(folder / "s.json", 20);
  for (const char* threads : {"1", "3"}) {
    const Ended o = run({"run", folder / "s.json", "--out", folder / threads, "--threads", threads,
                         "--measure-seconds", "0.1"},
                        folder);
    INFO(o.err);
    REQUIRE(o.code == 0);
    CHECK_THAT(o.err, ContainsSubstring("busy for"));
  }
  check_same_runs(folder / "1", folder / "3", 4);
  for (const auto& entry : fs::directory_iterator(folder.path() / "3" / "runs")) {
    const auto record = lra::results::from_json(lra::read_json(entry.path() / "result.json"), "");
    CHECK(record.speed.measured == lra::results::Timing::exclusive);
    REQUIRE(record.speed.train_step_ms);
    CHECK(record.speed.train_step_ms->count % 3 == 0);
    CHECK(record.speed.infer_batch_ms);
    CHECK(record.speed.infer_tokens_per_second.value_or(0) > 0);
    CHECK(record.memory.peak_tensor_bytes.value_or(0) > 0);
    CHECK(record.memory.peak_rss_bytes.value_or(0) > *record.memory.peak_tensor_bytes);
    const auto rounds =
        lra::read_json(entry.path() / "measurement.json").at("train").at("round_ms");
    CHECK(rounds.size() == 3);
  }
}

TEST_CASE("run: unmeasured runs beside each other say that they shared the machine", "[run]") {
  const Scratch folder("suite-shared");
  write_suite(folder / "s.json", 4);
  REQUIRE(run({"run", folder / "s.json", "--out", folder / "r", "--threads", "2",
               "--measure-seconds", "0"},
              folder)
              .code == 0);
  for (const auto& entry : fs::directory_iterator(folder.path() / "r" / "runs")) {
    const auto record = lra::results::from_json(lra::read_json(entry.path() / "result.json"), "");
    CHECK(record.speed.measured == lra::results::Timing::shared);
    CHECK_FALSE(record.memory.peak_rss_bytes);
  }
}

TEST_CASE("run: SIGINT checkpoints every run that goes on, and the command continues", "[run]") {
  const Scratch folder("suite-stop");
  write_suite(folder / "s.json", 40);
  const auto arguments = [&](const char* out) {
    return std::vector<std::string>{
        "run", folder / "s.json",      "--out", folder / out,        "--threads",
        "2",   "--checkpoint-seconds", "1000",  "--measure-seconds", "0"};
  };
  REQUIRE(run(arguments("whole"), folder).code == 0);
  const pid_t child = start(arguments("stopped"), folder);
  const auto begun = [&] {
    std::size_t count = 0;
    if (!fs::exists(folder.path() / "stopped" / "runs")) return count;
    for (const auto& entry : fs::directory_iterator(folder.path() / "stopped" / "runs")) {
      count += fs::exists(entry.path() / "metrics.jsonl") ? 1 : 0;
    }
    return count;
  };
  for (int i = 0; i < 4000 && begun() < 2; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ::kill(child, SIGTERM);
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 130);
  std::size_t interrupted = 0;
  for (const auto& entry : fs::directory_iterator(folder.path() / "stopped" / "runs")) {
    if (!fs::exists(entry.path() / "result.json")) continue;
    if (lra::read_json(entry.path() / "result.json")["status"] != "interrupted") continue;
    CHECK(fs::exists(entry.path() / "checkpoint.safetensors"));
    ++interrupted;
  }
  CHECK(interrupted == 2);
  REQUIRE(run(arguments("stopped"), folder).code == 0);
  check_same_runs(folder.path() / "whole", folder.path() / "stopped", 4);
}

TEST_CASE("run: what needs more memory than it may have is a record, the rest goes on", "[run]") {
  const Scratch folder("suite-memory");
  write_suite(folder / "s.json", 4);
  const Ended o = run({"run", folder / "s.json", "--out", folder / "r", "--memory", "0.000001",
                       "--measure-seconds", "0"},
                      folder);
  INFO(o.err);
  CHECK(o.code == 1);
  CHECK_THAT(o.err, ContainsSubstring("--memory"));
  for (const auto& entry : fs::directory_iterator(folder.path() / "r" / "runs")) {
    const auto record = lra::read_json(entry.path() / "result.json");
    CHECK(record.at("status") == "failed");
    CHECK_THAT(record.at("failure").get<std::string>(), ContainsSubstring("memory"));
  }
}

TEST_CASE("run: a plan says which runs need more memory than they may have and exits as they would",
          "[run]") {
  const Scratch folder("plan-memory");
  std::ofstream(folder / "s.json") << short_suite("\"linear\", \"softmax\"");
  const auto plan = [&](const std::vector<std::string>& more) {
    std::vector<std::string> a{"run", folder / "s.json", "--dry-run", "--out", folder / "r"};
    a.insert(a.end(), more.begin(), more.end());
    return run(a, folder);
  };
  const Ended whole = plan({});
  CHECK(whole.code == 0);
  CHECK(whole.out.find("--memory") == std::string::npos);
  const Ended little = plan({"--memory", "0.000001"});
  INFO(little.out << little.err);
  CHECK(little.code == 1);
  CHECK_THAT(little.out, ContainsSubstring(" MB, more than the 0 MB that may be used"));
  CHECK(std::count(little.out.begin(), little.out.end(), '\n') ==
        std::count(whole.out.begin(), whole.out.end(), '\n'));
  CHECK_THAT(little.err,
             ContainsSubstring("2 of 2 runs do not fit") && ContainsSubstring("--memory"));
  CHECK(plan({"--memory", "0.000001", "--keep-going"}).code == 0);
  // What has ended needs none any more.
  REQUIRE(run({"run", folder / "s.json", "--out", folder / "r", "--measure-seconds", "0"}, folder)
              .code == 0);
  CHECK(plan({"--memory", "0.000001"}).code == 0);
}

TEST_CASE("run: a bench suite is measured in turns, continued, and told relative to softmax",
          "[run]") {
  const Scratch folder("suite-bench");
  const auto suite = [&](const char* lengths) {
    std::ofstream(folder / "b.json") << fmt::format(
        R"({{"schema": "lra-suite/1", "name": "b", "attentions": ["softmax", "linear"],
        "preset": "tiny", "bench": {{"n": [{}], "batch": 2, "seconds": 0.02}}}})",
        lengths);
  };
  const std::vector<std::string> arguments{"run", folder / "b.json", "--out", folder / "r"};
  suite("64");
  REQUIRE(run(arguments, folder).code == 0);
  const fs::path file = folder.path() / "r" / "bench-linear_transformer-train.json";
  const auto before = lra::read_json(file);
  suite("64, 128");
  const Ended o = run(arguments, folder);
  INFO(o.err);
  REQUIRE(o.code == 0);
  const auto after = lra::read_json(file);
  REQUIRE(after.at("points").size() == 2);
  CHECK(after.at("points")[0] == before.at("points")[0]);
  CHECK(after.at("points")[1].at("step_ms").at("count").get<int>() >= 3);
  CHECK(after.at("measured") == "exclusive");
  CHECK_THAT(o.out, ContainsSubstring("Inference"));
  CHECK_THAT(o.out, ContainsSubstring("(1.00x)"));
  CHECK(fs::exists(folder.path() / "r" / "report.html"));
  // The plan tries short sequences alone: here 2^20 tokens of softmax would take minutes.
  suite("64, 1048576");
  const Ended plan = run({"run", folder / "b.json", "--dry-run"}, folder);
  CHECK(plan.code == 0);
  CHECK_THAT(plan.out, ContainsSubstring("softmax train") && ContainsSubstring("2 lengths") &&
                           ContainsSubstring(" days"));
}

}  // namespace
}  // namespace lra::testing
