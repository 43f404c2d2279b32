// Signals: every one that asks for an end is answered at once and nothing of the work is lost.

#include <algorithm>

#include "tests/catch.h"
#include "tests/process.h"

namespace lra::testing {
namespace {

namespace fs = std::filesystem;

std::string metrics(const fs::path& run) {
  const fs::path file = run / "metrics.jsonl";
  return fs::exists(file) ? read_file(file) : std::string();
}

}  // namespace

TEST_CASE("signals: each that asks for an end leaves a checkpoint and a line", "[run]") {
  const Scratch folder("each");
  const auto arguments = [&](int signal) {
    return short_training(folder / std::to_string(signal),
                          {"--set", "train.steps=100000", "--checkpoint-seconds", "1000"});
  };
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGXCPU}) {
    INFO("signal " << signal);
    const pid_t child = start_program(arguments(signal), folder);
    const fs::path run = folder / std::to_string(signal);
    REQUIRE(eventually([&] { return metrics(run).find("\"val\"") != std::string::npos; }));
    ::kill(child, signal);
    const Ended o = wait_for(child, folder);
    CHECK(o.code == 130);
    CHECK_THAT(o.err, ContainsSubstring("lra: stopping"));
    CHECK(fs::exists(run / "checkpoint.safetensors"));
    CHECK(read_json(run / "result.json").at("status") == "interrupted");
  }
}

TEST_CASE("signals: a second Ctrl-C or SIGTERM ends at once, another signal does not", "[run]") {
  const Scratch folder("second");
  // Both arrive together, since the process stands still while they are sent.
  const auto code_of = [&](const std::string& name, int first, int second) {
    const pid_t child = start_program(
        short_training(folder / name,
                       {"--set", "train.steps=100000", "--checkpoint-seconds", "1000"}),
        folder);
    REQUIRE(
        eventually([&] { return metrics(folder / name).find("\"val\"") != std::string::npos; }));
    for (const int signal : {SIGSTOP, first, second, SIGCONT}) ::kill(child, signal);
    return wait_for(child, folder).code;
  };
  const int code = code_of("x", SIGINT, SIGTERM);
  CHECK((code == -SIGINT || code == -SIGTERM));
  CHECK_FALSE(fs::exists(fs::path(folder / "x") / "checkpoint.safetensors"));
  CHECK(code_of("y", SIGHUP, SIGXCPU) == 130);
  CHECK(fs::exists(fs::path(folder / "y") / "checkpoint.safetensors"));
}

TEST_CASE("signals: a stop whose streams are gone, as a terminal's, exits 130 all the same",
          "[run]") {
  if (::access("/dev/full", W_OK) != 0) return;
  const Scratch folder("gone");
  const pid_t child =
      start_program(short_training(folder / "x", {"--set", "train.steps=100000"}), folder, [] {
        const int full = ::open("/dev/full", O_WRONLY);
        ::dup2(full, STDOUT_FILENO);
        ::dup2(full, STDERR_FILENO);
      });
  REQUIRE(eventually([&] { return metrics(folder / "x").find("\"val\"") != std::string::npos; }));
  ::kill(child, SIGHUP);
  CHECK(wait_for(child, folder).code == 130);
  CHECK(fs::exists(fs::path(folder / "x") / "checkpoint.safetensors"));
}

TEST_CASE("signals: one that the caller ignores stays ignored", "[run]") {
  const Scratch folder("nohup");
  const pid_t child = start_program(short_training(folder / "x", {"--set", "train.steps=40"}),
                                    folder, [] { std::signal(SIGHUP, SIG_IGN); });
  REQUIRE(eventually([&] { return metrics(folder / "x").find("\"val\"") != std::string::npos; }));
  ::kill(child, SIGHUP);
  CHECK(wait_for(child, folder).code == 0);
}

TEST_CASE("signals: a stop within the last evaluation is one at once and loses nothing", "[run]") {
  const Scratch folder("evaluation");
  const auto arguments = [&](const std::string& out) {
    return short_training(out, {"--set", "data.test=1500", "--set", "train.selection=best_val"});
  };
  REQUIRE(run_program(arguments(folder / "whole"), folder).code == 0);
  const fs::path run = folder / "stopped";
  const pid_t child = start_program(arguments(run), folder);
  // After the last line of metrics nothing but the final evaluation is left.
  REQUIRE(eventually([&] {
    const std::string text = metrics(run);
    return text.find("\"val\",\"step\":8") != std::string::npos ||
           (text.find("\"step\":8") != std::string::npos &&
            text.rfind("\"split\":\"val\"") > text.find("\"step\":8"));
  }));
  ::kill(child, SIGTERM);
  const Ended o = wait_for(child, folder);
  CHECK(o.code == 130);
  CHECK(read_json(run / "result.json").at("status") == "interrupted");
  CHECK(read_json(run / "result.json").at("accuracy").at("test").is_null());
  REQUIRE(run_program(arguments(run), folder).code == 0);
  const fs::path whole = folder / "whole";
  CHECK(metrics(run) == metrics(whole));
  CHECK(read_file(run / "model.safetensors") == read_file(whole / "model.safetensors"));
  CHECK(read_json(run / "result.json").at("accuracy") ==
        read_json(whole / "result.json").at("accuracy"));
}

TEST_CASE("signals: a run that goes on with other threads records the steps with each", "[run]") {
  const Scratch folder("stretches");
  const fs::path run = folder / "r";
  const auto arguments = [&](const char* threads) {
    return short_training(
        run, {"--set", "train.steps=600", "--set", "train.eval_every=10", "--threads", threads});
  };
  const pid_t child = start_program(arguments("2"), folder);
  REQUIRE(eventually([&] { return metrics(run).find("\"val\"") != std::string::npos; }));
  ::kill(child, SIGTERM);
  REQUIRE(wait_for(child, folder).code == 130);
  CHECK_FALSE(read_json(run / "result.json").at("time").contains("stretches"));
  REQUIRE(run_program(arguments("1"), folder).code == 0);
  const auto result = read_json(run / "result.json");
  CHECK(result.at("environment").at("threads") == 1);
  const auto& stretches = result.at("time").at("stretches");
  REQUIRE(stretches.size() == 2);
  CHECK(stretches[0].at("threads") == 2);
  CHECK(stretches[0].at("steps").get<int>() >= 10);
  CHECK(stretches[1].at("threads") == 1);
  CHECK(stretches[0].at("steps").get<int>() + stretches[1].at("steps").get<int>() == 600);
}

TEST_CASE("signals: stops at any moment of many validations leave the same bits", "[run]") {
  const Scratch folder("validation");
  const auto arguments = [&](const std::string& out) {
    return short_training(out, {"--set", "data.val=150", "--set", "train.eval_examples=150",
                                "--set", "train.eval_every=1"});
  };
  REQUIRE(run_program(arguments(folder / "whole"), folder).code == 0);
  const fs::path run = folder / "stopped";
  int stops = 0;
  for (int milliseconds = 60; milliseconds < 1000; milliseconds += 15) {
    const pid_t child = start_program(arguments(run), folder);
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    ::kill(child, SIGTERM);
    const Ended o = wait_for(child, folder);
    if (o.code == 0) break;
    // Before the handlers are there, the signal ends the program.
    CHECK((o.code == 130 || o.code == -SIGTERM));
    ++stops;
  }
  CHECK(stops > 0);
  REQUIRE(run_program(arguments(run), folder).code == 0);
  CHECK(metrics(run) == metrics(folder / "whole"));
  CHECK(read_file(run / "model.safetensors") ==
        read_file(fs::path(folder / "whole") / "model.safetensors"));
}

TEST_CASE("signals: a process group's signal stops a suite in estimates and measurements",
          "[run]") {
  const Scratch folder("group");
  write_file_atomic(folder / "s.json",
                    short_suite("\"linear\", \"softmax\", \"cosformer\", \"performer\""));
  for (const char* phase : {"estimate", "measurement"}) {
    INFO(phase);
    const fs::path events = folder / (std::string(phase) + ".jsonl");
    const std::vector<std::string> arguments{
        "run",           folder / "s.json",   "--out", folder / phase, "--events",
        events.string(), "--measure-seconds", "5"};
    const pid_t child = start_program(arguments, folder, [] { ::setpgid(0, 0); });
    const std::string seen = fmt::format("\"phase\":\"{}\",\"runs\"", phase);
    REQUIRE(eventually(
        [&] { return fs::exists(events) && read_file(events).find(seen) != std::string::npos; }));
    ::kill(-child, SIGUSR1);
    const Ended o = wait_for(child, folder);
    CHECK(o.code == 130);
    CHECK_THAT(o.err, ContainsSubstring("lra: stopping") && ContainsSubstring("continues"));
    std::vector<std::string> again = arguments;
    again.back() = "0";
    CHECK(run_program(again, folder).code == 0);  // no run was given up for the signal
  }
}

TEST_CASE("signals: a plan that is stopped in its estimates exits 130", "[run]") {
  const Scratch folder("plan");
  // Trial steps of seconds.
  write_file_atomic(folder / "s.json",
                    R"({"schema": "lra-suite/1", "name": "s", "tasks": ["text"],
                        "attentions": ["softmax", "linear"], "preset": "nystromformer",
                        "settings": {"task.max_length": 8000}})");
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGXCPU}) {
    INFO("signal " << signal);
    fs::remove(folder / "out");  // of the signal before
    const pid_t child = start_program({"run", folder / "s.json", "--dry-run"}, folder);
    REQUIRE(eventually([&] {
      return fs::exists(folder / "out") &&
             read_file(folder / "out").find("steps of") != std::string::npos;
    }));
    ::kill(child, signal);
    const Ended o = wait_for(child, folder);
    CHECK(o.code == 130);
    CHECK_THAT(o.err, ContainsSubstring("lra: stopping"));
    CHECK(o.out.find(" runs: ") == std::string::npos);  // no sum of a part
  }
}

}  // namespace lra::testing
