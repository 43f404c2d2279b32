// Run folders that several processes write, and what must never be lost in them.

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/catch.h"
#include "tests/process.h"

namespace lra::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Four runs of a second or so.
void write_suite(const std::string& file, int steps) {
  std::ofstream(file) << fmt::format(R"({{"schema": "lra-suite/1", "name": "s",
    "tasks": ["listops"], "attentions": ["softmax", "cosformer"], "preset": "tiny", "seeds": [1, 2],
    "precision": "f32",
    "settings": {{"data.train": 100, "data.val": 10, "data.test": 10, "train.steps": {},
                  "train.eval_every": 20, "train.batch_size": 8, "task.min_tokens": 20,
                  "task.max_tokens": 200, "task.max_length": 200, "diagnostics.samples": 0}}}})",
                                     steps);
}

std::vector<std::string> suite_on(const Scratch& folder, const std::string& out,
                                  const std::string& events) {
  return {"run",        folder / "s.json",   "--out",
          folder / out, "--threads",         "1",
          "--events",   folder / events,     "--checkpoint-seconds",
          "0",          "--measure-seconds", "0"};
}

// Runs whose training steps are in an event stream.
std::set<std::string> trained(const std::string& events) {
  std::set<std::string> runs;
  std::ifstream file(events);
  for (std::string line; std::getline(file, line);) {
    const json event = json::parse(line, nullptr, false);
    if (event.is_discarded() || event.value("event", "") != "progress") continue;
    if (event.value("phase", "") == "evaluation") runs.insert(event.at("run"));
  }
  return runs;
}

void check_same_models(const fs::path& one, const fs::path& two) {
  std::size_t runs = 0;
  for (const auto& entry : fs::directory_iterator(one / "runs")) {
    const fs::path other = two / "runs" / entry.path().filename();
    INFO(other.string());
    for (const char* file : {"model.safetensors", "metrics.jsonl"}) {
      CHECK(read_file(entry.path() / file) == read_file(other / file));
    }
    CHECK(read_json(other / "result.json").at("status") == "completed");
    ++runs;
  }
  CHECK(runs == 4);
}

// Makes flock() fail as on a file system without locks.
void without_locks() {
  std::array<sock_filter, 4> code{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_flock, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (ENOLCK & SECCOMP_RET_DATA)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    ::_exit(126);
  }
}

}  // namespace

TEST_CASE("shared folder: two processes share the runs of a suite and train none twice", "[run]") {
  const Scratch folder("shared");
  write_suite(folder / "s.json", 60);
  REQUIRE(run_program(suite_on(folder, "whole", "whole.events"), folder).code == 0);
  const Scratch second("shared-second");
  const pid_t a = start_program(suite_on(folder, "r", "a"), folder);
  const pid_t b = start_program(suite_on(folder, "r", "b"), second);
  const Ended one = wait_for(a, folder);
  const Ended two = wait_for(b, second);
  INFO(one.err << two.err);
  CHECK(one.code == 0);
  CHECK(two.code == 0);
  CHECK(one.out.substr(0, one.out.find("table ")) == two.out.substr(0, two.out.find("table ")));
  std::set<std::string> all = trained(folder / "a");
  std::size_t sum = all.size();
  const auto others = trained(folder / "b");
  sum += others.size();
  all.insert(others.begin(), others.end());
  CHECK(all.size() == 4);
  CHECK(sum == 4);
  check_same_models(folder.path() / "whole", folder.path() / "r");
}

TEST_CASE("shared folder: what a killed process leaves is taken over", "[run]") {
  const Scratch folder("taken-over");
  write_suite(folder / "s.json", 60);
  REQUIRE(run_program(suite_on(folder, "whole", "whole.events"), folder).code == 0);
  const Scratch second("taken-over-second");
  const pid_t a = start_program(suite_on(folder, "r", "a"), folder);
  REQUIRE(eventually([&] { return !trained(folder / "a").empty(); }));
  const pid_t b = start_program(suite_on(folder, "r", "b"), second);
  REQUIRE(eventually([&] { return fs::exists(folder / "b") && !trained(folder / "b").empty(); }));
  ::kill(a, SIGKILL);
  wait_for(a, folder);
  const Ended two = wait_for(b, second);
  INFO(two.err);
  CHECK(two.code == 0);
  check_same_models(folder.path() / "whole", folder.path() / "r");
}

TEST_CASE("shared folder: a second lra train in a run's folder is refused", "[run]") {
  const Scratch folder("train-twice");
  const auto arguments =
      short_training(folder / "run", {"--set", "train.steps=1000000", "--checkpoint-seconds", "0"});
  const pid_t child = start_program(arguments, folder);
  REQUIRE(
      eventually([&] { return fs::exists(fs::path(folder / "run") / "checkpoint.safetensors"); }));
  const Scratch second("train-twice-second");
  const Ended refused = run_program(arguments, second);
  INFO(refused.err);
  CHECK(refused.code == 2);
  CHECK_THAT(refused.err, ContainsSubstring("another process is working on this run"));
  ::kill(child, SIGKILL);
  wait_for(child, folder);
}

TEST_CASE("shared folder: results saved at once are all kept", "[run]") {
  const Scratch folder("save");
  std::vector<std::string> train{"train",    "--task", "induction", "--attention", "linear",
                                 "--preset", "probe",  "--out",     folder / "run"};
  for (const char* setting :
       {"task.length=16", "train.steps=2", "train.batch_size=8", "data.train=64", "data.val=8",
        "data.test=16", "diagnostics.samples=0", "model.positions=none"}) {
    train.insert(train.end(), {"--set", setting});
  }
  const Ended trained = run_program(train, folder);
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const Scratch second("save-second");
  for (int i = 0; i < 3; ++i) {
    const pid_t a =
        start_program({"evaluate", folder / "run", "--lengths", "1,2", "--save"}, folder);
    const pid_t b = start_program({"diagnose", folder / "run", "--samples", "4", "--save"}, second);
    CHECK(wait_for(a, folder).code == 0);
    CHECK(wait_for(b, second).code == 0);
    const json record = read_json(fs::path(folder / "run") / "result.json");
    CHECK(record.at("lengths").at("points").size() == 2);
    CHECK(record.at("diagnostics").at("samples") == 4);
    json without = record;  // as before, for the next turn
    without["diagnostics"] = json::object();
    without.erase("lengths");
    write_json(fs::path(folder / "run") / "result.json", without);
  }
}

TEST_CASE("shared folder: temporary files of killed writers are swept", "[run]") {
  const Scratch folder("sweep");
  const fs::path run = folder / "run";
  fs::create_directories(run);
  std::ofstream(run / "result.json.12345-0.tmp") << "{";
  REQUIRE(run_program(short_training(run), folder).code == 0);
  CHECK_FALSE(fs::exists(run / "result.json.12345-0.tmp"));
}

TEST_CASE("shared folder: a file system without locks is named, with the switch", "[run]") {
  const Scratch folder("no-locks");
  const Ended refused = run_program(short_training(folder / "run"), folder, without_locks);
  INFO(refused.err);
  CHECK(refused.code == 3);
  CHECK_THAT(refused.err, ContainsSubstring("has no locks") && ContainsSubstring("--no-locks"));
  CHECK(run_program(short_training(folder / "run", {"--no-locks"}), folder, without_locks).code ==
        0);
}

TEST_CASE("nothing is lost: a completed result survives damage, missing data and full disks",
          "[run]") {
  const Scratch folder("kept");
  std::ofstream(folder / "s.json") << short_suite("\"linear\", \"softmax\"");
  const auto suite = [&](const std::vector<std::string>& more = {}) {
    std::vector<std::string> a{"run",        folder / "s.json",   "--out",
                               folder / "r", "--measure-seconds", "0"};
    a.insert(a.end(), more.begin(), more.end());
    return run_program(a, folder);
  };
  // Whoever watches cannot fail a run.
  const Ended first = suite({"--events", "/dev/full"});
  INFO(first.err);
  CHECK(first.code == 0);
  std::map<fs::path, std::string> results;
  for (const auto& entry : fs::directory_iterator(fs::path(folder / "r") / "runs")) {
    results[entry.path()] = read_file(entry.path() / "result.json");
    CHECK(json::parse(results[entry.path()]).at("status") == "completed");
  }
  REQUIRE(results.size() == 2);
  const fs::path run = results.begin()->first;
  const std::string spec = read_file(run / "spec.json");
  for (const std::string& damaged :
       {std::string("{\"schema\""), std::string("[]"), spec.substr(9)}) {
    write_file_atomic(run / "spec.json", damaged);
    const Ended o = suite();
    CHECK_THAT(o.err, ContainsSubstring("spec.json"));
    for (const auto& [place, result] : results) CHECK(read_file(place / "result.json") == result);
  }
  write_file_atomic(run / "spec.json", spec);
  // An unreadable result may have taken days: it is named and left unchanged.
  write_file_atomic(run / "result.json", results[run].substr(0, 100));
  const Ended o = suite();
  CHECK_THAT(o.err, ContainsSubstring("result.json"));
  CHECK(read_file(run / "result.json") == results[run].substr(0, 100));
}

TEST_CASE(
    "nothing is lost: estimates that cannot be read, or say that nothing is known, are made "
    "anew",
    "[run]") {
  const Scratch folder("estimates");
  std::ofstream(folder / "s.json") << short_suite("\"linear\"");
  const fs::path file = fs::path(folder / "r") / "estimates.json";
  const auto suite = [&] {
    return run_program({"run", folder / "s.json", "--out", folder / "r", "--measure-seconds", "0"},
                       folder);
  };
  REQUIRE(suite().code == 0);
  json known = read_json(file);
  REQUIRE(known.at("estimates").size() == 1);
  known["estimates"].begin().value() = {
      {"seconds", 0.0}, {"fixed_bytes", 0}, {"sequence_bytes", 0}, {"known", false}};
  for (const std::string& text : {std::string("{\"schema"), std::string("[1]"), known.dump()}) {
    fs::remove_all(fs::path(folder / "r") / "runs");
    write_file_atomic(file, text);
    const Ended o = suite();
    INFO(o.err);
    CHECK(o.code == 0);
    CHECK(read_json(file).at("estimates").begin().value().at("known") == true);
  }
}

TEST_CASE("nothing is lost: a completed result waits for no baselines, and has them in the end",
          "[run]") {
  const Scratch folder("baselines");
  const fs::path whole = folder / "whole";
  REQUIRE(run_program(short_training(whole), folder).code == 0);
  const json expected = read_json(whole / "result.json").at("baselines");
  REQUIRE(!expected.empty());
  fs::path kept;
  for (const auto& entry : fs::recursive_directory_iterator(folder / "cache")) {
    if (entry.path().string().ends_with(".shortcuts.json")) kept = entry.path();
  }
  REQUIRE(!kept.empty());
  fs::remove(kept);
  auto fitting = std::make_unique<FileLock>(kept.replace_extension(".lock"));
  const fs::path run = folder / "run";
  std::string result;
  for (const int signal : {SIGTERM, SIGKILL}) {
    const pid_t child = start_program(short_training(run), folder);
    REQUIRE(eventually([&] { return fs::exists(run / "result.json"); }));
    ::kill(child, signal);
    CHECK(wait_for(child, folder).code == (signal == SIGTERM ? 130 : -SIGKILL));
    if (result.empty()) result = read_file(run / "result.json");
    CHECK(read_file(run / "result.json") == result);
    CHECK(json::parse(result).at("status") == "completed");
    CHECK(json::parse(result).at("baselines").empty());
    CHECK(fs::exists(run / "checkpoint.safetensors"));
  }
  // What it would continue from is damaged: the result stays.
  const fs::path damaged = folder / "damaged";
  fs::copy(run, damaged, fs::copy_options::recursive);
  write_file_atomic(damaged / "checkpoint.safetensors", "x");
  CHECK(run_program(short_training(damaged), folder).code == 0);
  CHECK(read_file(damaged / "result.json") == result);
  fitting.reset();
  REQUIRE(run_program(short_training(run), folder).code == 0);
  json record = read_json(run / "result.json");
  CHECK(record.at("baselines") == expected);
  record["baselines"] = json::array();
  CHECK(record == json::parse(result));
  CHECK(read_file(run / "metrics.jsonl") == read_file(whole / "metrics.jsonl"));
  CHECK_FALSE(fs::exists(run / "checkpoint.safetensors"));
}

TEST_CASE("diverged: an overflowing evaluation ends the run at its step, whatever its accuracy",
          "[run]") {
  const Scratch folder("overflow");
  // The first steps are finite, the weights after them are not usable.
  std::vector<std::string> a{"train",      "--task",   "text",        "--attention",
                             "polynomial", "--preset", "tiny",        "--precision",
                             "f32",        "--out",    folder / "run"};
  for (const char* s :
       {"train.steps=5", "train.eval_every=1", "train.lr=100", "train.warmup_steps=0",
        "train.schedule=constant", "data.train=50", "data.val=10", "data.test=10",
        "task.max_length=64", "diagnostics.samples=0"}) {
    a.insert(a.end(), {"--set", s});
  }
  const Ended o = run_program(a, folder);
  INFO(o.err);
  CHECK(o.code == 4);
  const json record = read_json(fs::path(folder / "run") / "result.json");
  CHECK(record.at("status") == "diverged");
  CHECK_THAT(record.at("failure").get<std::string>(), ContainsSubstring("at step"));
}

}  // namespace lra::testing
