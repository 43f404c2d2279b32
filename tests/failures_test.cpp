// Failed and diverged runs of a suite: exit codes, causes, the live view of a terminal.

#include <fmt/format.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "tests/catch.h"
#include "tests/process.h"

namespace lra::testing {
namespace {

constexpr const char* kDiverging =
    R"("train.lr": 100, "train.schedule": "constant", "train.warmup_steps": 0, "train.weight_decay": 10)";

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

// What `lra run` of the suite s.json prints on a terminal of these rows, and its exit code.
std::pair<std::string, int> on_terminal(const Scratch& folder, unsigned short rows) {
  int terminal = -1;
  winsize size{rows, 100, 0, 0};
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, &size);
  REQUIRE(child >= 0);
  if (child == 0) {
    ::setenv("XDG_CACHE_HOME", (folder / "cache").c_str(), 1);
    ::execl(LRA_PROGRAM, LRA_PROGRAM, "run", (folder / "s.json").c_str(), "--out",
            (folder / "r").c_str(), "--measure-seconds", "0.05", nullptr);
    ::_exit(127);
  }
  std::string text;
  std::array<char, 4096> block{};
  for (ssize_t got = 0; (got = ::read(terminal, block.data(), block.size())) > 0;) {
    text.append(block.data(), static_cast<std::size_t>(got));
  }
  ::close(terminal);
  int status = 0;
  ::waitpid(child, &status, 0);
  return {text, WEXITSTATUS(status)};
}

}  // namespace

TEST_CASE("run: exits 1 if a run failed and lists each cause once with its runs", "[run]") {
  const Scratch folder("failed");
  auto suite = nlohmann::json::parse(short_suite("\"linear\""));
  suite["seeds"] = {1, 2};  // which need the same memory
  write_file_atomic(folder / "s.json", suite.dump());
  std::vector<std::string> arguments{"run",        folder / "s.json",   "--out",
                                     folder / "r", "--measure-seconds", "0"};
  std::vector<std::string> small = arguments;
  small.insert(small.end(), {"--memory", "0.000001", "--events", folder / "e"});
  const Ended o = run_program(small, folder);
  INFO(o.err);
  CHECK(o.code == 1);
  const std::size_t list = o.err.find("lra: 2 of 2 runs failed\n  memory: the run needs ");
  REQUIRE(list != std::string::npos);
  const std::string causes = o.err.substr(list);
  CHECK(count_of(causes, "raise --memory\n") == 1);
  CHECK(count_of(causes, "\n    ") == 2);
  for (const auto& run : std::filesystem::directory_iterator(folder / "r/runs")) {
    CHECK_THAT(causes, ContainsSubstring("\n    " + run.path().filename().string() + "\n"));
  }
  CHECK_THAT(read_file(folder / "e"),
             ContainsSubstring(R"("completed":0,"diverged":0,"event":"end","failed":2)"));
  small.emplace_back("--keep-going");
  CHECK(run_program(small, folder).code == 0);
  CHECK(run_program(arguments, folder).code == 0);  // failed runs are tried again
}

TEST_CASE("run: an entry that cannot be is refused before anything runs, with its place", "[run]") {
  const Scratch folder("refused");
  const auto refusal = [&](const std::string& setting, const std::vector<std::string>& more) {
    write_file_atomic(folder / "s.json", short_suite("\"linear\", \"softmax\"", setting.c_str()));
    std::vector<std::string> arguments{"run", folder / "s.json", "--out", folder / "r"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Ended o = run_program(arguments, folder);
    CHECK(o.code == 2);
    CHECK_FALSE(std::filesystem::exists(folder / "r"));
    return o.err;
  };
  const std::string narrow = R"("task.max_depth": 2)";
  for (const char* call : {"--dry-run", "--keep-going"}) {
    CHECK_THAT(refusal(narrow, {call}),
               ContainsSubstring("s.json: /tasks/0 (listops) /attentions/0 (linear): ") &&
                   ContainsSubstring("no tree has more than min_tokens 20"));
  }
  CHECK_THAT(refusal(R"("train.stepz": 3)", {}),
             ContainsSubstring("setting train") && ContainsSubstring("did you mean steps"));
}

TEST_CASE("run: one after the other, runs are timed alone and share the process's memory",
          "[run]") {
  const Scratch folder("after");
  write_file_atomic(folder / "s.json", short_suite("\"linear\", \"softmax\""));
  const Ended o = run_program(
      {"run", folder / "s.json", "--out", folder / "r", "--threads", "1", "--measure-seconds", "0"},
      folder);
  INFO(o.err);
  REQUIRE(o.code == 0);
  int runs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "r/runs")) {
    const auto result = read_json(entry.path() / "result.json");
    CHECK(result["speed"]["measured"] == "exclusive");
    CHECK(result["memory"]["peak_rss_bytes"].is_null());
    ++runs;
  }
  CHECK(runs == 2);
}

TEST_CASE("data: other files of a folder are left, splits are as readers cut them", "[run]") {
  const Scratch folder("made");
  const auto made = [&](const char* task, const char* out, const char* train, const char* seed) {
    return run_program({"data", "make", task, "--out", folder / out, "--train", train, "--val", "2",
                        "--test", "2", "--seed", seed},
                       folder);
  };
  REQUIRE(made("listops", "lists", "4", "1").code == 0);
  const std::string before = read_file(folder / "lists/basic_train.tsv");
  CHECK(made("listops", "lists", "4", "1").code == 0);  // the same once more
  const Ended other = made("listops", "lists", "4", "2");
  CHECK(other.code == 2);
  CHECK_THAT(other.err, ContainsSubstring("contains other ListOps data"));
  CHECK(read_file(folder / "lists/basic_train.tsv") == before);
  const Ended counted =
      run_program({"data", "check", "listops", "--data", folder / "lists", "--train", "3"}, folder);
  CHECK(counted.code == 2);
  CHECK_THAT(counted.err, ContainsSubstring("a data set in files is read whole"));
  CHECK(made("file", "own", "4", "1").code == 2);  // has no numbers of its own
  const Ended shares = made("pathfinder", "pictures", "4", "1");
  CHECK(shares.code == 2);
  CHECK_THAT(shares.err, ContainsSubstring("try --train 8 --val 1 --test 1"));
  CHECK_THAT(made("pathfinder", "pictures", "30", "1").err,
             ContainsSubstring("try --train 28 --val 3 --test 3"));
}

TEST_CASE("data: without --out they go to where every command looks for them", "[run]") {
  const Scratch folder("placed");
  const std::filesystem::path named = folder / "named";
  std::filesystem::create_directories(named);
  for (const bool given : {false, true}) {
    const std::function<void()> environment = [&] {
      if (given) ::setenv("LRA_DATA", named.c_str(), 1);
    };
    for (const std::string task : {"listops", "pathfinder"}) {
      CAPTURE(given, task);
      const Ended made = run_program(
          {"data", "make", task, "--train", "8", "--val", "1", "--test", "1", "--seed", "1"},
          folder, environment);
      CHECK(made.code == 0);
      const std::string place = given ? named.string() : folder / "cache/lra";
      CHECK_THAT(made.out, ContainsSubstring("written to " + place));
      const Ended checked = run_program({"data", "check", task}, folder, environment);
      CHECK(checked.code == 0);
      CHECK_THAT(checked.out, ContainsSubstring("train: 8 examples"));
    }
  }
  CHECK(std::filesystem::exists(named / "listops/basic_train.tsv"));
}

TEST_CASE("run: exits 4 if a run diverged and none failed", "[run]") {
  const Scratch folder("diverged");
  write_file_atomic(folder / "s.json", short_suite("\"linear\", \"softmax\"", kDiverging));
  const std::vector<std::string> arguments{
      "run",        folder / "s.json",   "--out", folder / "r", "--events",
      folder / "e", "--measure-seconds", "0"};
  for (int call = 0; call < 2; ++call) {  // the second one finds them
    const Ended o = run_program(arguments, folder);
    INFO(o.err);
    CHECK(o.code == 4);
    CHECK_THAT(o.err, ContainsSubstring("2 of 2 runs diverged"));
    const std::string events = read_file(folder / "e");
    const auto end =
        nlohmann::json::parse(events.substr(events.rfind('\n', events.size() - 2) + 1));
    CHECK(end.at("event") == "end");
    CHECK(end.at("completed") == 0);
    CHECK(end.at("diverged") == 2);
    CHECK(end.at("failed") == 0);
    CHECK(end.at("stopped") == false);
  }
}

TEST_CASE("run: on a terminal a failed run scrolls above the live lines and is counted", "[run]") {
  const Scratch folder("terminal");
  write_file_atomic(folder / "s.json", short_suite("\"linear\", \"softmax\"", kDiverging));
  const auto [text, code] = on_terminal(folder, 12);
  INFO(text);
  CHECK(code == 4);
  CHECK_THAT(text, ContainsSubstring("estimate 1/2") && ContainsSubstring("estimate 2/2"));
  CHECK_THAT(text, ContainsSubstring("measurement 1 to 2/2"));
  CHECK_THAT(text, ContainsSubstring("1 diverged") && ContainsSubstring("2 diverged"));
  CHECK(count_of(text, "2/2 runs ended, 2 diverged, 0 running") >= 1);
  // A line of a run that is printed after the block was cleared stays: what follows it is the
  // block.
  CHECK_THAT(text, ContainsSubstring("\033[Js\x1b") || ContainsSubstring("\033[J[1/2]") ||
                       ContainsSubstring("\033[J[2/2]"));
}

TEST_CASE("run: live lines leave a row of the terminal free", "[run]") {
  const auto tallest = [](unsigned short rows) {
    const Scratch folder("rows");
    write_file_atomic(folder / "s.json", short_suite("\"linear\", \"softmax\", \"cosformer\""));
    const auto [text, code] = on_terminal(folder, rows);
    INFO(text);
    CHECK(code == 0);
    for (int lines = 9; lines > 0; --lines) {  // that were cleared at once
      if (text.find(fmt::format("\033[{}F\033[J", lines)) != std::string::npos) return lines;
    }
    return 0;
  };
  CHECK(tallest(12) == 4);  // the summary and all runs
  CHECK(tallest(3) == 2);   // the summary and one that is running
  CHECK(tallest(2) == 1);
}

}  // namespace lra::testing
