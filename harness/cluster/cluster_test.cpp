#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "harness/cluster/plan.h"
#include "harness/cluster/slurm.h"
#include "harness/cluster/words.h"
#include "harness/run/measurement.h"
#include "tests/catch.h"

namespace lra::harness::cluster {
namespace {

using lra::testing::ContainsSubstring;

constexpr std::int64_t kGiga = 1 << 30;

PlannedRun planned(std::size_t run, double minutes, double gigabytes = 0.1) {
  PlannedRun p;
  p.run = run;
  p.cost.seconds = 60 * minutes;
  p.cost.memory.fixed_bytes = static_cast<std::int64_t>(gigabytes * kGiga);
  p.cost.known = true;
  return p;
}

// What slurm_options() says against some options.
std::string fault_of(const std::string& text) {
  try {
    static_cast<void>(slurm_options(text));
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("cluster words: the shell reads back what was written", "[unit]") {
  const std::vector<std::string> words{
      "plain",       "a b", "it's", "\"quoted\"", "$HOME `id`",
      "back\\slash", "",    "#no",  "a;b&c|d",    "x=1,2:3/4-5_%+@"};
  CHECK(split_words(shell_line(words)) == words);
  CHECK(shell_line(words).starts_with("plain 'a b' 'it'\\''s' "));
  for (const char* plain : {"x=1,2:3/4-5_%+@", "azAZ09", "./-"}) CHECK(shell_word(plain) == plain);
  for (const char c : {'`', '{', '[', ';', '~'}) {
    CHECK(shell_word(std::string(1, c)) == fmt::format("'{}'", c));
  }
  CHECK(split_words("  a  'b c'\t\"d \\\" e\"f\\ g ") ==
        std::vector<std::string>{"a", "b c", "d \" ef g"});
  CHECK(split_words("").empty());
  CHECK_THROWS_AS(split_words("a 'b"), Error);
  CHECK_THROWS_AS(split_words("a\nb"), Error);
}

TEST_CASE("cluster words: values in sbatch files are in double quotes where they need any",
          "[unit]") {
  CHECK(sbatch_word("/a/b-1.c") == "/a/b-1.c");
  CHECK(sbatch_word("/it's a #1") == "\"/it's a #1\"");
  CHECK(sbatch_word("a\"b\\c") == "\"a\\\"b\\\\c\"");
}

TEST_CASE("slurm options: options pass, those of the files and other words are refused", "[unit]") {
  CHECK(slurm_options("--partition=main -A physics --comment='two words' --exclusive") ==
        std::vector<std::string>{"--partition=main", "-A physics", "\"--comment=two words\"",
                                 "--exclusive"});
  CHECK(slurm_options("--qos high -plong") == std::vector<std::string>{"--qos high", "-plong"});
  CHECK(slurm_options("").empty());
  for (const std::string& taken : split_words(
           "--array=1-3 --job-name=x --output=o --error=e --input=i --chdir=/tmp --dependency=a:1 "
           "--signal=TERM --requeue --no-requeue --open-mode=append --cpus-per-task=2 --nodes=2 "
           "--ntasks=2 --ntasks-per-node=2 --parsable --wait --wrap=ls --test-only --help --usage "
           "--version -a1 -Jx -oo -ee -ii -D/tmp -da:1 -c4 -N2 -n2 -W -h -V")) {
    INFO(taken);
    CHECK_THAT(fault_of(taken), ContainsSubstring("cannot be given"));
  }
  CHECK_THAT(fault_of("-a 1"), ContainsSubstring("cannot be given"));
  CHECK_THAT(fault_of("-c4"), ContainsSubstring("--cores"));
  CHECK_THAT(fault_of("partition=main"), ContainsSubstring("got 'partition=main'"));
  CHECK_THAT(fault_of("--mem=4G lots"), ContainsSubstring("got 'lots'"));
  CHECK_THAT(fault_of("--comment='a"), ContainsSubstring("unclosed quote"));
}

TEST_CASE("slurm options: one kind of node is a constraint without alternatives", "[unit]") {
  const auto one = [](const char* text) { return has_one_constraint(slurm_options(text)); };
  CHECK(one("--constraint=rome"));
  CHECK(one("-C rome"));
  CHECK(one("-Crome --partition=main"));
  CHECK(one("--constraint 'rome&ib'"));
  CHECK_FALSE(one("--constraint='rome|milan'"));
  CHECK_FALSE(one("--partition=rome"));
  CHECK_FALSE(one(""));
}

TEST_CASE("slurm files: an array's file in full", "[unit]") {
  Script s;
  s.comment = "6 runs.";
  s.name = JobName{job_prefix("my suite", "/data/it's 50% r"), 2, "train-1"}.text();
  s.folder = "/data/it's 50% r/slurm";
  s.tasks = 3;
  s.at_once = 2;
  s.cores = 4;
  s.gigabytes = 8;
  s.hours = 16;
  s.options = slurm_options("--partition=main");
  s.command = "lra run x";
  const std::string key = s.name.substr(13, 8);
  CHECK(text_of(s) ==
        "#!/bin/bash\n# 6 runs.\n"
        "#SBATCH --job-name=lra-my_suite-" +
            key +
            ".2.train-1\n"
            "#SBATCH --array=1-3%2\n"
            "#SBATCH --nodes=1\n"
            "#SBATCH --ntasks=1\n"
            "#SBATCH --cpus-per-task=4\n"
            "#SBATCH --mem=8G\n"
            "#SBATCH --time=16:00:00\n"
            "#SBATCH --requeue\n"
            "#SBATCH --signal=B:TERM@120\n"
            "#SBATCH --open-mode=append\n"
            "#SBATCH --chdir=\"/data/it's 50% r/slurm\"\n"
            "#SBATCH --output=\"/data/it's 50%% r/slurm/logs/%x-%A_%a.log\"\n"
            "# Given with --slurm:\n"
            "#SBATCH --partition=main\n"
            "\nexec lra run x\n");
  s.tasks = 0;
  s.exclusive = true;
  s.gigabytes = 0;
  s.options.clear();
  const std::string single = text_of(s);
  CHECK_THAT(single, ContainsSubstring("#SBATCH --exclusive\n#SBATCH --mem=0\n"));
  CHECK_THAT(single, ContainsSubstring("/logs/%x-%j.log\"\n\nexec"));
  CHECK_THAT(single, !ContainsSubstring("--array"));
}

TEST_CASE("slurm queue: tasks of the folder's jobs, those of others are passed over", "[unit]") {
  const std::string prefix = job_prefix("s", "/r");
  CHECK(prefix != job_prefix("s", "/other"));
  const auto queue =
      parse_queue("12_3|" + prefix + ".2.train-1|RUNNING|n1|None\n" + "12_4|" + prefix +
                      ".2.train-1|PENDING||Priority\n" + "13|" + prefix +
                      ".2.tables|PENDING||Dependency\n" + "7|" + job_prefix("s", "/other") +
                      ".1.estimate|RUNNING|n1|None\n" + "8|somebody's job|PENDING||\n",
                  prefix);
  REQUIRE(queue.size() == 3);
  CHECK(queue[0].job() == "12");
  CHECK(queue[0].task == 3);
  CHECK(queue[0].name.round == 2);
  CHECK(queue[0].name.script == "train-1");
  CHECK(queue[0].node == "n1");
  CHECK_FALSE(queue[0].pending());
  CHECK(queue[1].pending());
  CHECK(queue[1].reason == "Priority");
  CHECK(queue[2].task == 0);
  CHECK_THROWS_AS(parse_queue("12 " + prefix, prefix), Error);
  CHECK_THROWS_AS(parse_queue("12_x|" + prefix + ".2.train-1|RUNNING|n1|None\n", prefix), Error);
}

TEST_CASE("cluster plan: every run is in one task, short ones share, long ones are alone",
          "[unit]") {
  std::vector<PlannedRun> runs;
  for (std::size_t i = 0; i < 100; ++i) runs.push_back(planned(i, 1 + static_cast<double>(i % 7)));
  runs.push_back(planned(100, 300));
  runs.push_back(planned(101, 290));
  const auto arrays = plan_arrays(runs, {2, 45, 0});
  std::multiset<std::size_t> seen;
  for (const Array& array : arrays) {
    for (const Task& task : array.tasks) {
      seen.insert(task.runs.begin(), task.runs.end());
      CHECK((task.runs.size() == 1 || task.seconds <= 60 * 60));
      CHECK((task.runs.size() == 1 || task.seconds >= 30 * 60));
      CHECK(3600.0 * static_cast<double>(array.hours) >= 2 * task.seconds + 600);
    }
  }
  CHECK(seen.size() == 102);
  CHECK(std::set<std::size_t>(seen.begin(), seen.end()).size() == 102);
  REQUIRE(arrays.size() == 2);
  CHECK(arrays[0].tasks.size() == 2);
  CHECK(arrays[0].hours == 16);
  CHECK(arrays[0].tasks[0].runs == std::vector<std::size_t>{100});
  CHECK(arrays[1].hours == 2);
  CHECK(plan_arrays({}, {2, 45, 0}).empty());
  const auto single = plan_arrays({planned(0, 1), planned(1, 1)}, {2, 0, 0});
  REQUIRE(single.size() == 1);
  CHECK(single[0].tasks.size() == 2);
}

TEST_CASE("cluster plan: memory is that of as many runs at once as there are cores", "[unit]") {
  // Two of three at once: 2 x 3 GB and a quarter, and half a gigabyte.
  const auto arrays =
      plan_arrays({planned(0, 1, 3), planned(1, 1, 3), planned(2, 1, 3)}, {2, 45, 0});
  REQUIRE(arrays.size() == 1);
  CHECK(arrays[0].tasks.size() == 1);
  CHECK(arrays[0].gigabytes == 8);
  // A small run does not ask for as much as a large one.
  CHECK(plan_arrays({planned(0, 1, 3), planned(1, 1, 0.01)}, {2, 45, 0}).size() == 2);
  CHECK(gigabytes_for(0) == 1);
  CHECK(gigabytes_for(3 * kGiga) == 8);
  CHECK(hours_for(0) == 1);
  CHECK(hours_for(3600) == 4);
}

TEST_CASE("cluster plan: arrays share the number of tasks that may run at once", "[unit]") {
  const std::vector<PlannedRun> runs{planned(0, 600), planned(1, 600), planned(2, 300),
                                     planned(3, 100), planned(4, 10)};
  const auto sum = [](const std::vector<Array>& arrays) {
    std::int64_t all = 0;
    for (const Array& array : arrays) all += array.after ? 0 : array.at_once;
    return all;
  };
  const auto many = plan_arrays(runs, {1, 45, 9});
  REQUIRE(many.size() == 4);
  CHECK(sum(many) == 9);
  CHECK(many[0].at_once > many[1].at_once);
  // Fewer than arrays: they follow one another.
  const auto few = plan_arrays(runs, {1, 45, 2});
  CHECK(sum(few) == 2);
  CHECK_FALSE(few[1].after);
  CHECK(few[2].after == std::size_t{0});
  CHECK(few[3].after == std::size_t{1});
}

TEST_CASE("cluster: a measurement holds for other cores in reach, not for other threads",
          "[unit]") {
  const auto file =
      std::filesystem::temp_directory_path() / fmt::format("lra-cluster-test-{}.json", ::getpid());
  Measurement m;
  m.data_sha256 = "data";
  m.machine = machine_text(2);
  const std::size_t cores = m.machine.find(" cores, 2 threads");
  REQUIRE(cores != std::string::npos);
  m.machine.insert(cores, "64");  // a node of more cores
  write_json(file, to_json(m));
  CHECK(load_measurement(file, 2, "data").has_value());
  CHECK_FALSE(load_measurement(file, 1, "data").has_value());
  CHECK_FALSE(load_measurement(file, 2, "other").has_value());
  std::filesystem::remove(file);
}

TEST_CASE("cluster plan: no array has more tasks than Slurm takes", "[unit]") {
  std::vector<PlannedRun> runs;
  for (std::size_t i = 0; i < 2500; ++i) runs.push_back(planned(i, 1));
  const auto arrays = plan_arrays(runs, {1, 0, 0});
  REQUIRE(arrays.size() == 3);
  for (const Array& array : arrays) CHECK(array.tasks.size() <= kMostTasks);
}

}  // namespace lra::harness::cluster
