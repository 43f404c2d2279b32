// A suite that is killed again and again, in every phase, ends like an undisturbed one.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "results/analysis/leaderboard.h"
#include "results/record/load.h"
#include "tests/catch.h"
#include "tests/process.h"

namespace lra::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

// Runs on a pooled and on a token-level task, and a bench; each phase takes part of a second.
constexpr const char* kSuite = R"({"schema": "lra-suite/1", "name": "s",
  "tasks": [{"name": "listops", "options": {"min_tokens": 20, "max_tokens": 80, "max_length": 80}},
            {"name": "induction", "options": {"length": 24}}],
  "attentions": ["linear", "performer"], "preset": "tiny", "precision": "f32",
  "settings": {"data.train": 64, "data.val": 16, "data.test": 32, "train.steps": 8,
               "train.eval_every": 4, "train.batch_size": 4, "diagnostics.samples": 2},
  "bench": {"n": [32, 64], "batch": 2, "seconds": 0.02}})";

std::vector<std::string> suite_in(const Scratch& folder) {
  return {"run",      folder / "s.json",      "--out", folder / "r",        "--threads",
          "2",        "--checkpoint-seconds", "0",     "--measure-seconds", "0.03",
          "--events", folder / "events"};
}

// Everything below a folder, with its path in it.
std::set<std::string> files_in(const fs::path& folder) {
  std::set<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.insert(fs::relative(entry.path(), folder));
  }
  return files;
}

// A result without what is measured.
json without_times(const fs::path& run) {
  json record = read_json(run / "result.json");
  for (const char* part : {"time", "speed", "memory", "cost"}) record.erase(part);
  if (record.contains("diagnostics") && record["diagnostics"].is_object()) {
    record["diagnostics"].erase("seconds");
  }
  return record;
}

// The leaderboard of what a repetition repeats. Operations per token are those of the batches that
// a measurement had time for.
std::string board_of(const fs::path& place) {
  auto records = results::load_records({place}, results::OnFault::refuse).records;
  for (auto& record : records) record.cost = {};
  return results::to_json(results::build_leaderboard(records), false).dump(1);
}

void check_same(const Scratch& whole, const Scratch& killed) {
  const fs::path one = whole / "r";
  const fs::path two = killed / "r";
  CHECK(files_in(one) == files_in(two));  // none lost, none left
  CHECK(files_in(whole / "cache") == files_in(killed / "cache"));
  std::size_t runs = 0;
  for (const auto& entry : fs::directory_iterator(one / "runs")) {
    const fs::path other = two / "runs" / entry.path().filename();
    INFO(other.string());
    for (const char* file : {"model.safetensors", "metrics.jsonl"}) {
      CHECK(read_file(entry.path() / file) == read_file(other / file));
    }
    CHECK(without_times(entry.path()) == without_times(other));
    CHECK(read_json(other / "measurement.json").at("train").at("round_ms").size() == 3);
    ++runs;
  }
  CHECK(runs == 4);
  CHECK(board_of(one) == board_of(two));
  for (const auto& [key, estimate] : read_json(two / "estimates.json").at("estimates").items()) {
    CHECK(estimate.at("known") == true);
  }
  for (const char* variant : {"linear_transformer", "performer"}) {
    const auto bench = read_json(two / fmt::format("bench-{}-train.json", variant));
    REQUIRE(bench.at("points").size() == 2);
    for (const auto& point : bench.at("points")) CHECK(point.at("status") == "completed");
  }
  // Lines of events are whole, however their writer ended.
  std::set<std::string> completed;
  const std::string events = read_file(killed / "events");
  for (std::size_t begin = 0; begin < events.size();) {
    const std::size_t end = std::min(events.find('\n', begin), events.size());
    const json event = json::parse(events.substr(begin, end - begin), nullptr, false);
    REQUIRE_FALSE(event.is_discarded());
    if (event.at("event") == "record") {
      CHECK(event.at("status") != "failed");
      if (event.at("status") == "completed") completed.insert(event.at("run"));
    }
    begin = end + 1;
  }
  CHECK(completed.size() == runs);
}

struct Counts {
  std::map<int, int> signals;  // sent to a living process, by number
  int suites = 0;              // that came to their end
};

// Kills the suite at moments drawn from the seed, until `kills` have hit it; a suite that ends is
// compared and another one begun.
Counts storm(int kills, unsigned seed) {
  const Scratch whole("storm-whole");
  write_file_atomic(whole / "s.json", kSuite);
  const auto begin = Clock::now();
  const Ended reference = run_program(suite_in(whole), whole);
  INFO(reference.err);
  REQUIRE(reference.code == 0);
  const std::chrono::duration<double> length = Clock::now() - begin;

  std::mt19937 random(seed);
  const auto draw = [&random] { return static_cast<double>(random()) / 4294967296.0; };
  Counts counts;
  for (int sent = 0; sent < kills;) {
    const Scratch folder(fmt::format("storm-{}", counts.suites));
    write_file_atomic(folder / "s.json", kSuite);
    for (bool ended = false; !ended;) {
      const bool quiet = sent >= kills;  // the last suite is left to end
      const auto moment =
          Clock::now() + std::chrono::duration_cast<Clock::duration>(length * draw());
      constexpr std::array<int, 10> kSignals{SIGKILL, SIGKILL, SIGKILL, SIGKILL, SIGKILL,
                                             SIGKILL, SIGKILL, SIGTERM, SIGTERM, SIGINT};
      const int signal = kSignals[random() % kSignals.size()];
      const bool group = draw() < 0.5;
      const pid_t child = start_program(suite_in(folder), folder, [] { ::setpgid(0, 0); });
      siginfo_t state{};
      const auto is_alive = [&] {
        state.si_pid = 0;
        ::waitid(P_PID, static_cast<id_t>(child), &state, WEXITED | WNOHANG | WNOWAIT);
        return state.si_pid == 0;
      };
      bool alive = is_alive();
      while (alive && !quiet && Clock::now() < moment) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        alive = is_alive();
      }
      if (alive && !quiet) {
        ::kill(group ? -child : child, signal);
        ++counts.signals[signal];
        ++sent;
      }
      const Ended o = wait_for(child, folder);
      INFO("suite " << counts.suites << ", signal " << sent << ": " << signal << '\n' << o.err);
      CHECK_THAT(o.err, !ContainsSubstring("memory"));
      CHECK_THAT(o.err, !ContainsSubstring("failed"));
      ended = o.code == 0;
      // A signal before the handlers are there ends the program.
      if (!ended) REQUIRE((o.code == 130 || o.code == -signal));
    }
    INFO("suite " << counts.suites << " after " << sent << " signals");
    check_same(whole, folder);
    ++counts.suites;
  }
  return counts;
}

}  // namespace

TEST_CASE("storm: a suite that is killed in every phase ends as one that was left alone", "[run]") {
  CHECK(storm(8, 1).suites > 0);
}

// $LRA_STORM_KILLS and $LRA_STORM_SEED choose another storm.
TEST_CASE("storm: three hundred kills", "[slow]") {
  const auto number = [](const char* variable, int otherwise) {
    const char* text = std::getenv(variable);
    return text != nullptr ? std::atoi(text) : otherwise;
  };
  Counts counts =
      storm(number("LRA_STORM_KILLS", 300), static_cast<unsigned>(number("LRA_STORM_SEED", 2)));
  WARN(counts.suites << " suites, SIGKILL " << counts.signals[SIGKILL] << ", SIGTERM "
                     << counts.signals[SIGTERM] << ", SIGINT " << counts.signals[SIGINT]);
}

}  // namespace lra::testing
