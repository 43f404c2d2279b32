// lra run on other machines: parts of a suite, and `--on slurm` with commands that replace
// Slurm's (tools/slurm_test has the real ones).

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/catch.h"
#include "tests/process.h"

namespace lra::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

void write_program(const std::string& file, const std::string& text) {
  std::ofstream(file) << text;
  ::chmod(file.c_str(), 0755);
}

// Stand-ins for sbatch, which notes its arguments and gives 1, 2, ... as ids, and for squeue, which
// prints the file `queue`.
class FakeSlurm {
 public:
  explicit FakeSlurm(const Scratch& folder) : folder_(folder) {
    fs::create_directories(folder / "bin");
    fs::create_directories(folder / "nothing");
    std::ofstream(folder / "queue").flush();
    write_program(folder / "bin/sbatch",
                  fmt::format("#!/bin/sh\necho \"$@\" >>'{0}'\nif [ -n \"$REFUSE\" ]; then\n"
                              "  echo 'sbatch: error: no such account' >&2; exit 1\nfi\n"
                              "wc -l <'{0}'\n",
                              folder / "submitted"));
    write_program(folder / "bin/squeue",
                  fmt::format("#!/bin/sh\nwhile read -r line; do echo \"$line\"; done <'{}'\n",
                              folder / "queue"));
  }
  // In a new process: the stand-ins come first.
  [[nodiscard]] std::function<void()> here() const {
    return [path = (folder_ / "bin") + ":/usr/bin:/bin"] { ::setenv("PATH", path.c_str(), 1); };
  }
  [[nodiscard]] std::function<void()> missing() const {
    return [path = folder_ / "nothing"] { ::setenv("PATH", path.c_str(), 1); };
  }
  [[nodiscard]] std::function<void()> refusing() const {
    return [set = here()] {
      set();
      ::setenv("REFUSE", "1", 1);
    };
  }
  // The arguments of each sbatch so far.
  [[nodiscard]] std::vector<std::string> submitted() const {
    std::vector<std::string> lines;
    std::ifstream file(folder_ / "submitted");
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
  void set_queue(const std::string& text) const { std::ofstream(folder_ / "queue") << text; }

 private:
  const Scratch& folder_;
};

std::vector<std::string> on_slurm(const Scratch& folder, const std::string& out,
                                  const std::vector<std::string>& more = {},
                                  const std::string& options = "--partition=main") {
  std::vector<std::string> a{
      "run", folder / "s.json", "--out", folder / out,        "--on", "slurm", "--cores",
      "1",   "--task-minutes",  "0",     "--slurm=" + options};
  a.insert(a.end(), more.begin(), more.end());
  return a;
}

std::size_t lines_of(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

void check_same_runs(const fs::path& one, const fs::path& two) {
  std::size_t runs = 0;
  for (const auto& entry : fs::directory_iterator(one / "runs")) {
    const fs::path other = two / "runs" / entry.path().filename();
    for (const char* file : {"model.safetensors", "metrics.jsonl"}) {
      CHECK(read_file(entry.path() / file) == read_file(other / file));
    }
    ++runs;
  }
  CHECK(runs == 2);
}

}  // namespace

TEST_CASE("cluster: tasks and tables as jobs leave what one lra run leaves", "[run]") {
  const Scratch folder("cluster");
  const FakeSlurm slurm(folder);
  std::ofstream(folder / "s.json") << short_suite("\"softmax\", \"linear\"");
  REQUIRE(run_program({"run", folder / "s.json", "--out", folder / "whole", "--threads", "1",
                       "--measure-seconds", "0"},
                      folder)
              .code == 0);
  // A dry run needs no Slurm; the first job comes first.
  const std::string out = "it's r";
  Ended o = run_program(on_slurm(folder, out, {"--dry-run"}), folder, slurm.missing());
  INFO(o.err);
  CHECK(o.code == 0);
  const fs::path files = fs::path(folder / out) / "slurm";
  CHECK_THAT(o.err, ContainsSubstring("the queue is taken as empty"));
  CHECK(fs::exists(files / "1" / "estimate.sbatch"));
  CHECK_FALSE(fs::exists(files / "tasks.txt"));
  // That job's own command: estimates, then arrays and tables.
  o = run_program(on_slurm(folder, out, {"--estimate"}), folder, slurm.here());
  INFO(o.out << o.err);
  REQUIRE(o.code == 0);
  const std::string round = (files / "1").string();
  CHECK(slurm.submitted() ==
        std::vector<std::string>{"--parsable " + round + "/train-1.sbatch",
                                 "--parsable --dependency=afterany:1 " + round + "/tables.sbatch"});
  CHECK_FALSE(fs::exists(files / "1" / "estimate.sbatch"));
  CHECK(read_file(files / "1" / "submitted.txt") == "1 train-1.sbatch\n2 tables.sbatch\n");
  const std::string script = read_file(files / "1" / "train-1.sbatch");
  CHECK_THAT(script, ContainsSubstring("#SBATCH --array=1-2\n"));
  CHECK_THAT(script, ContainsSubstring("#SBATCH --partition=main\n"));
  CHECK(lines_of(read_file(files / "1" / "train-1.runs")) == 2);
  CHECK_THAT(o.err, ContainsSubstring("marked as shared"));
  // The file itself is what a node's shell runs.
  const std::string start =
      fmt::format("export XDG_CACHE_HOME='{}' SLURMD_NODENAME=node7; cd '{}'; ", folder / "cache",
                  folder.path().string());
  const auto shell = [&](const std::string& line) {
    return std::system((start + line + " >shell.out 2>&1").c_str());
  };
  CHECK(shell("SLURM_ARRAY_TASK_ID=2 bash \"it's r/slurm/1/train-1.sbatch\"") == 0);
  std::size_t ended = 0;
  for (const auto& run : fs::directory_iterator(fs::path(folder / out) / "runs")) {
    if (!fs::exists(run.path() / "result.json")) continue;
    ++ended;
    const json record = read_json(run.path() / "result.json");
    CHECK(record.at("environment").at("node") == "node7");
    CHECK(record.at("speed").at("measured") == "shared");
  }
  CHECK(ended == 1);
  CHECK_FALSE(fs::exists(fs::path(folder / out) / "leaderboard.json"));
  // What is in the queue is not submitted again.
  const std::string name = script.substr(script.find("lra-s-"), 17);
  slurm.set_queue("1_1|" + name + "train-1|PENDING||Resources\n2|" + name +
                  "tables|PENDING||Dependency\n");
  o = run_program(on_slurm(folder, out), folder, slurm.here());
  INFO(o.out << o.err);
  CHECK(o.code == 0);
  CHECK_THAT(o.out, ContainsSubstring("2 runs: 1 ended, 1 pending"));
  CHECK_THAT(o.out, ContainsSubstring("job 1_1 (Resources)"));
  CHECK(slurm.submitted().size() == 2);
  // A job that is gone without a result is submitted again, that run alone.
  slurm.set_queue("");
  o = run_program(on_slurm(folder, out), folder, slurm.here());
  CHECK(o.code == 0);
  CHECK(slurm.submitted().size() == 4);
  CHECK(lines_of(read_file(files / "2" / "train-1.runs")) == 1);
  CHECK(lines_of(read_file(files / "tasks.txt")) == 1);
  // Other engines run the lines of tasks.txt.
  CHECK(shell("sh \"it's r/slurm/tasks.txt\"") == 0);
  CHECK(shell("bash \"it's r/slurm/2/tables.sbatch\"") == 0);
  check_same_runs(folder / "whole", folder / out);
  const json one = read_json(fs::path(folder / "whole") / "leaderboard.json");
  const json two = read_json(fs::path(folder / out) / "leaderboard.json");
  REQUIRE(one.at("entries").size() == 2);
  for (const char* part : {"columns", "baselines"}) CHECK(one.at(part) == two.at(part));
  for (std::size_t i = 0; i < 2; ++i) {
    const auto cell = [i](const json& board) -> const json& {
      return board.at("entries")[i].at("cells").at("listops");
    };
    CHECK(cell(one).at("metrics").at("accuracy") == cell(two).at("metrics").at("accuracy"));
    CHECK(one.at("entries")[i].at("machine") == two.at("entries")[i].at("machine"));
  }
  const json local = read_json(fs::directory_iterator(fs::path(folder / "whole") / "runs")->path() /
                               "result.json");
  CHECK_FALSE(local.at("environment").contains("node"));
  // Nothing is left: the tables.
  o = run_program(on_slurm(folder, out), folder, slurm.here());
  CHECK(o.code == 0);
  CHECK_THAT(o.out, ContainsSubstring("2 runs: 2 ended") && ContainsSubstring("report "));
  CHECK(slurm.submitted().size() == 4);
}

TEST_CASE("cluster: a constraint brings a measurement alone, and records that say so", "[run]") {
  const Scratch folder("cluster-measure");
  const FakeSlurm slurm(folder);
  std::ofstream(folder / "s.json") << short_suite("\"linear\"");
  const Ended o = run_program(
      on_slurm(folder, "r", {"--estimate", "--measure-seconds", "0.01"}, "--constraint=rome"),
      folder, slurm.here());
  INFO(o.out << o.err);
  REQUIRE(o.code == 0);
  const fs::path files = fs::path(folder / "r") / "slurm";
  const auto submitted = slurm.submitted();
  REQUIRE(submitted.size() == 3);
  CHECK_THAT(submitted[0], ContainsSubstring("measure.sbatch"));
  CHECK_THAT(submitted[1], ContainsSubstring("--dependency=afterany:1 "));
  CHECK_THAT(read_file(files / "1" / "measure.sbatch"), ContainsSubstring("#SBATCH --exclusive\n"));
  for (const char* name : {"measure", "train-1"}) {
    CHECK(std::system(
              fmt::format("export XDG_CACHE_HOME='{}' SLURM_ARRAY_TASK_ID=1; bash '{}/1/{}.sbatch' "
                          ">'{}' 2>&1",
                          folder / "cache", files.string(), name, folder / "shell.out")
                  .c_str()) == 0);
  }
  INFO(read_file(folder / "shell.out"));
  const fs::path run = fs::directory_iterator(fs::path(folder / "r") / "runs")->path();
  const json record = read_json(run / "result.json");
  CHECK(record.at("speed").at("measured") == "exclusive");
  CHECK(record.at("memory").at("peak_rss_bytes").is_number());
}

TEST_CASE("cluster: a bench over lengths is a job alone, and the tables wait for it", "[run]") {
  const Scratch folder("cluster-bench");
  const FakeSlurm slurm(folder);
  std::ofstream(folder / "s.json") << R"({"schema": "lra-suite/1", "name": "s", "preset": "tiny",
    "attentions": ["linear"], "precision": "f32",
    "bench": {"n": [64], "modes": ["infer"], "batch": 1, "seconds": 0.05}})";
  Ended o = run_program(on_slurm(folder, "r"), folder, slurm.here());
  INFO(o.out << o.err);
  CHECK(o.code == 0);
  REQUIRE(slurm.submitted().size() == 1);
  CHECK_THAT(slurm.submitted()[0], ContainsSubstring("/1/estimate.sbatch"));
  o = run_program(on_slurm(folder, "r", {"--estimate"}), folder, slurm.here());
  INFO(o.out << o.err);
  CHECK(o.code == 0);
  const auto submitted = slurm.submitted();
  REQUIRE(submitted.size() == 3);
  CHECK_THAT(submitted[1], ContainsSubstring("/2/bench.sbatch"));
  CHECK_THAT(submitted[2], ContainsSubstring("--dependency=afterany:2 "));
  for (const char* name : {"bench", "tables"}) {
    CHECK(std::system(fmt::format("bash '{}/slurm/2/{}.sbatch' >'{}' 2>&1", folder / "r", name,
                                  folder / "shell.out")
                          .c_str()) == 0);
  }
  CHECK(fs::exists(fs::path(folder / "r") / "efficiency.md"));
  o = run_program(on_slurm(folder, "r"), folder, slurm.here());
  CHECK(o.code == 0);
  CHECK(slurm.submitted().size() == 3);
}

TEST_CASE("cluster: a missing or refusing Slurm is said, with the exit code", "[run]") {
  const Scratch folder("cluster-faults");
  const FakeSlurm slurm(folder);
  std::ofstream(folder / "s.json") << short_suite("\"linear\"");
  Ended o = run_program(on_slurm(folder, "r"), folder, slurm.missing());
  CHECK(o.code == 1);
  CHECK_THAT(o.err, ContainsSubstring("squeue: not found in $PATH"));
  o = run_program(on_slurm(folder, "r"), folder, slurm.refusing());
  CHECK(o.code == 1);
  CHECK_THAT(o.err,
             ContainsSubstring("estimate.sbatch: exit code 1: sbatch: error: no such account"));
  CHECK_FALSE(fs::exists(fs::path(folder / "r") / "slurm/1/submitted.txt"));
  fs::remove(folder / "bin/sbatch");
  o = run_program(on_slurm(folder, "r"), folder,
                  [path = folder / "bin"] { ::setenv("PATH", path.c_str(), 1); });
  CHECK(o.code == 1);
  CHECK_THAT(o.err, ContainsSubstring("sbatch: not found in $PATH"));
  // A queued job whose runs nobody knows any more.
  slurm.set_queue("5_1|" + [&] {
    const std::string text = read_file(fs::path(folder / "r") / "slurm/1/estimate.sbatch");
    return text.substr(text.find("lra-s-"), 15);
  }() + "9.train-1|RUNNING|n1|None\n");
  o = run_program(on_slurm(folder, "r"), folder, slurm.here());
  CHECK(o.code == 3);
  CHECK_THAT(o.err, ContainsSubstring("scancel 5"));
}

TEST_CASE("cluster: options that do not go together are refused", "[run]") {
  const Scratch folder("cluster-usage");
  std::ofstream(folder / "s.json") << short_suite("\"linear\"");
  const auto refused = [&](const std::vector<std::string>& more) {
    std::vector<std::string> a{"run", folder / "s.json"};
    a.insert(a.end(), more.begin(), more.end());
    // In the folder: the default --out is there.
    const Ended o =
        run_program(a, folder, [&folder] { std::filesystem::current_path(folder.path()); });
    CHECK(o.code == 2);
    return o.err;
  };
  CHECK_THAT(refused({"--at-once", "3"}), ContainsSubstring("--at-once needs --on slurm"));
  CHECK_THAT(refused({"--estimate"}), ContainsSubstring("--estimate needs --on slurm"));
  CHECK_THAT(refused({"--on", "slurm", "--threads", "2"}), ContainsSubstring("--cores"));
  CHECK_THAT(refused({"--on", "slurm", "--slurm=-a 1"}), ContainsSubstring("--at-once"));
  CHECK_THAT(refused({"--on", "slurm", "--out", folder / "back\\slash"}),
             ContainsSubstring("backslash"));
  CHECK_THAT(refused({"--on", "pbs"}), ContainsSubstring("slurm"));
  CHECK_THAT(refused({"--part", "bench"}), ContainsSubstring("no bench"));
  CHECK_THAT(refused({"--part", "tables", "--only", "12345678"}), ContainsSubstring("--only"));
  CHECK_THAT(refused({"--only", "12345678"}), ContainsSubstring("no runs"));
  CHECK_THAT(refused({"--only", ""}), ContainsSubstring("no ids"));
}

}  // namespace lra::testing
