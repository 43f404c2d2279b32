// lra train: the same bits, kill and resume, diverging and token-level runs.

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
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

TEST_CASE("train: the same bits with 1, 2 and 4 threads, and a record that fits its schema",
          "[run]") {
  const Scratch folder("threads");
  for (const char* threads : {"1", "2", "4"}) {
    const Ended o =
        run(tiny(folder / threads, {"--threads", threads, "--precision", "f32"}), folder);
    INFO(o.err);
    REQUIRE(o.code == 0);
  }
  CHECK(model_of(folder, "1") == model_of(folder, "2"));
  CHECK(model_of(folder, "1") == model_of(folder, "4"));
  const auto result = lra::read_json(fs::path(folder / "1") / "result.json");
  const auto record = lra::results::from_json(result, "result.json");
  CHECK(record.status == lra::results::Status::completed);
  CHECK(record.accuracy.value.test.has_value());
  CHECK(record.task.origin == lra::results::Origin::generated);
  CHECK(record.cost.train_flops_per_token.value_or(0) > 1e4);
}

TEST_CASE("train: the same bits with one thread and with one for each of 32 lanes", "[run]") {
  const Scratch folder("lanes");
  for (const char* threads : {"1", "32"}) {
    const Ended o = run(tiny(folder / threads, {"--threads", threads, "--precision", "f32", "--set",
                                                "lanes=32", "--set", "train.batch_size=33"}),
                        folder);
    INFO(o.err);
    REQUIRE(o.code == 0);
    const auto result = lra::read_json(fs::path(folder / threads) / "result.json");
    CHECK(result["environment"]["lanes"] == 32);
  }
  CHECK(model_of(folder, "1") == model_of(folder, "32"));
}

TEST_CASE("train: killed at any moment and continued gives the same bits", "[run]") {
  const Scratch folder("kill");
  REQUIRE(run(tiny(folder / "whole"), folder).code == 0);
  for (const int milliseconds : {60, 120, 180, 240, 300, 360}) {
    const pid_t child = start(tiny(folder / "killed"), folder);
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  const Ended o = run(tiny(folder / "killed"), folder);
  INFO(o.err);
  REQUIRE(o.code == 0);
  CHECK(model_of(folder, "whole") == model_of(folder, "killed"));
  CHECK(lra::read_file(fs::path(folder / "whole") / "metrics.jsonl") ==
        lra::read_file(fs::path(folder / "killed") / "metrics.jsonl"));
}

TEST_CASE("train: SIGINT leaves a checkpoint and an interrupted record and the command continues",
          "[run]") {
  const Scratch folder("stop");
  REQUIRE(run(tiny(folder / "whole"), folder).code == 0);
  const auto arguments = tiny(folder / "stopped");
  const pid_t child = start(arguments, folder);
  const fs::path checkpoint = fs::path(folder / "stopped") / "checkpoint.safetensors";
  for (int i = 0; i < 2000 && !fs::exists(checkpoint); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ::kill(child, SIGINT);
  int status = 0;
  ::waitpid(child, &status, 0);
  const auto record = lra::read_json(fs::path(folder / "stopped") / "result.json");
  if (record["status"] == "interrupted") CHECK(WEXITSTATUS(status) == 130);
  REQUIRE(run(arguments, folder).code == 0);
  CHECK(model_of(folder, "whole") == model_of(folder, "stopped"));
}

TEST_CASE("train: a diverging run is recorded and exits 4", "[run]") {
  const Scratch folder("diverge");
  const Ended o =
      run(tiny(folder / "x", {"--set", "train.lr=100", "--set", "train.schedule=constant", "--set",
                              "train.warmup_steps=0", "--set", "train.weight_decay=10"}),
          folder);
  CHECK(o.code == 4);
  CHECK(lra::read_json(fs::path(folder / "x") / "result.json")["status"] == "diverged");
}

TEST_CASE("train: a token-level task is scored by labels and by whole sequences", "[run]") {
  const Scratch folder("tokens");
  std::vector<std::string> arguments{"train",    "--task", "mqar",  "--attention", "linear",
                                     "--preset", "probe",  "--out", folder / "run"};
  for (const char* s : {"data.train=100", "data.val=20", "data.test=30", "train.steps=4",
                        "train.batch_size=8", "train.eval_every=4", "train.warmup_steps=1"}) {
    arguments.insert(arguments.end(), {"--set", s});
  }
  const Ended o = run(arguments, folder);
  INFO(o.err);
  REQUIRE(o.code == 0);
  const auto record = lra::results::from_json(
      lra::read_json(fs::path(folder / "run") / "result.json"), "result.json");
  CHECK(record.accuracy.unit == "tokens");
  CHECK(record.accuracy.counts.test == 4 * 30);
  REQUIRE(record.accuracy.slices.size() == 1);
  CHECK(record.accuracy.slices[0].name == "exact");
  CHECK(record.accuracy.slices[0].count == 30);
  REQUIRE(record.baselines.size() == 2);
  CHECK(record.baselines[0].accuracy == 0.25);
  CHECK(record.baselines[0].count == std::int64_t{4} * 30);
  CHECK(record.baselines[1].name == "solution");
  CHECK(record.baselines[1].accuracy == 1);
}

}  // namespace
}  // namespace lra::testing
