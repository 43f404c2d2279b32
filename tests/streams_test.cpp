// Streams that are closed, full, broken or not read: a training continues, a lost result is a
// fault.

#include <array>

#include "results/record/record.h"
#include "tests/catch.h"
#include "tests/process.h"

namespace lra::testing {
namespace {

namespace fs = std::filesystem;

void to_full(int stream) {
  const int full = ::open("/dev/full", O_WRONLY);
  ::dup2(full, stream);
  ::close(full);
}

// A pipe that nobody reads any more.
void to_broken_pipe(int stream) {
  std::array<int, 2> ends{};
  static_cast<void>(!::pipe(ends.data()));
  ::dup2(ends[1], stream);
  ::close(ends[0]);
  ::close(ends[1]);
}

// A pipe that is open, full, and never read.
void to_stalled_pipe(int stream) {
  std::array<int, 2> ends{};
  static_cast<void>(!::pipe(ends.data()));
  ::fcntl(ends[1], F_SETFL, O_NONBLOCK);
  const std::array<char, 4096> block{};
  while (::write(ends[1], block.data(), block.size()) > 0) {
  }
  ::fcntl(ends[1], F_SETFL, 0);
  ::dup2(ends[1], stream);
}

bool full_device() { return ::access("/dev/full", W_OK) == 0; }

std::string files_of(const fs::path& run) {
  return read_file(run / "model.safetensors") + read_file(run / "metrics.jsonl") +
         read_file(run / "spec.json");
}

}  // namespace

TEST_CASE("streams: a stderr that takes nothing changes nothing of a training", "[run]") {
  const Scratch folder("stderr");
  REQUIRE(run_program(short_training(folder / "whole"), folder).code == 0);
  const std::string expected = files_of(folder / "whole");
  const std::vector<std::pair<const char*, std::function<void()>>> streams{
      {"closed", [] { ::close(STDERR_FILENO); }},
      {"full", [] { to_full(STDERR_FILENO); }},
      {"broken", [] { to_broken_pipe(STDERR_FILENO); }},
      {"stalled", [] { to_stalled_pipe(STDERR_FILENO); }}};
  for (const auto& [name, prepare] : streams) {
    INFO(name);
    CHECK(run_program(short_training(folder / name), folder, prepare).code == 0);
    CHECK(files_of(folder / name) == expected);
  }
}

TEST_CASE("streams: all three closed at start are not taken by files", "[run]") {
  const Scratch folder("closed");
  REQUIRE(run_program(short_training(folder / "whole"), folder).code == 0);
  const Ended o = run_program(short_training(folder / "x"), folder, [] {
    for (const int stream : {0, 1, 2}) ::close(stream);
  });
  CHECK(o.code == 3);  // the summary is lost
  CHECK(files_of(folder / "x") == files_of(folder / "whole"));
  CHECK(read_json(fs::path(folder / "x") / "result.json").at("status") == "completed");
}

TEST_CASE("streams: a result that stdout does not take exits 3 and says so", "[run]") {
  const Scratch folder("stdout");
  const std::vector<std::function<void()>> streams{[] { ::close(STDOUT_FILENO); },
                                                   [] { to_full(STDOUT_FILENO); }};
  for (const auto& prepare : streams) {
    for (const std::vector<std::string>& arguments : {std::vector<std::string>{"list", "suites"},
                                                      {"list", "attention", "--json"},
                                                      {"help"},
                                                      {"--help"},
                                                      {"--version"}}) {
      const Ended o = run_program(arguments, folder, prepare);
      INFO(arguments.front());
      CHECK(o.code == 3);
      CHECK_THAT(o.err, ContainsSubstring("stdout: cannot write"));
    }
  }
  if (!full_device()) return;
  const Ended o = run_program(short_training(folder / "x"), folder, [] { to_full(STDOUT_FILENO); });
  CHECK(o.code == 3);
  CHECK(read_json(fs::path(folder / "x") / "result.json").at("status") == "completed");
}

TEST_CASE("streams: a reader of stdout that has gone is no fault to tell of", "[run]") {
  const Scratch folder("reader");
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"list", "suites"},
                                                    {"list", "attention", "--json"},
                                                    {"--help"},
                                                    {"--version"}}) {
    const Ended o = run_program(arguments, folder, [] { to_broken_pipe(STDOUT_FILENO); });
    INFO(arguments.front());
    CHECK(o.code == 141);
    CHECK(o.err.empty());
  }
  // A failure is told all the same.
  const Ended o = run_program({"list", "nothing"}, folder, [] { to_broken_pipe(STDOUT_FILENO); });
  CHECK(o.code == 2);
  CHECK_FALSE(o.err.empty());
}

TEST_CASE("streams: a suite goes on without stderr and without its events", "[run]") {
  const Scratch folder("suite");
  write_file_atomic(folder / "s.json", short_suite("\"linear\", \"softmax\""));
  const Ended dead =
      run_program({"run", folder / "s.json", "--out", folder / "dead", "--measure-seconds", "0.05"},
                  folder, [] { to_broken_pipe(STDERR_FILENO); });
  CHECK(dead.code == 0);
  CHECK(fs::exists(fs::path(folder / "dead") / "report.html"));
  if (!full_device()) return;
  const Ended full = run_program({"run", folder / "s.json", "--out", folder / "full", "--events",
                                  "/dev/full", "--measure-seconds", "0"},
                                 folder);
  CHECK(full.code == 0);
  CHECK_THAT(full.err, ContainsSubstring("cannot write events"));
}

}  // namespace lra::testing
