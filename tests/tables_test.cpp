// From a user's suite to its table, leaderboard and report, through the program.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/base/file.h"
#include "results/record/answers.h"
#include "tests/catch.h"
#include "tests/process.h"

using lra::testing::ContainsSubstring;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

struct Scratch : lra::testing::Scratch {
  Scratch() : lra::testing::Scratch("tables") {}

  // stdout of `lra ARGUMENTS`; its exit code must be the expected one.
  [[nodiscard]] std::string lra(const std::string& arguments, int code = 0) const {
    const lra::testing::Ended ended = lra::testing::run_line(arguments, *this);
    INFO(arguments);
    INFO(ended.err);
    CHECK(ended.code == code);
    return ended.out;
  }
  [[nodiscard]] std::string stderr_text() const { return lra::read_file(path() / "err"); }

  void write_suite(int steps) const {
    const json suite = {{"schema", "lra-suite/1"},
                        {"name", "mine"},
                        {"description", "A suite of one's own"},
                        {"tasks", {"induction", "needle"}},
                        {"attentions", {"softmax", "linear"}},
                        {"preset", "probe"},
                        {"seeds", {1}},
                        {"settings",
                         {{"train.steps", steps},
                          {"train.batch_size", 4},
                          {"data.train", 16},
                          {"data.val", 8},
                          {"data.test", 8},
                          {"diagnostics.samples", 0}}}};
    lra::write_file_atomic(path() / "s.json", suite.dump());
  }
};

}  // namespace

TEST_CASE("tables: a suite of one's own has a row an attention and a column a task", "[run]") {
  const Scratch scratch;
  const std::string run = "run s.json --out r --measure-seconds 0";
  scratch.write_suite(2);
  const std::string printed = scratch.lra(run);
  CHECK_THAT(printed, ContainsSubstring("leaderboard.json"));
  const json board = lra::read_json(scratch.path() / "r" / "leaderboard.json");
  CHECK(board.at("schema") == "lra-leaderboard/2");
  REQUIRE(board.at("entries").size() == 2);
  REQUIRE(board.at("columns").size() == 2);
  for (const json& entry : board.at("entries")) {
    CHECK(entry.at("settings").empty());
    CHECK(entry.at("cells").size() == 2);
  }
  const json& settings = board.at("settings");
  CHECK(std::find(settings.begin(), settings.end(), "train.steps=2") != settings.end());
  const json& cell = board.at("entries")[0].at("cells").at("induction");
  const std::string id = cell.at("runs")[0].at("run_id");
  CHECK(cell.at("data_sha256").get<std::string>().size() == 64);

  // The same from the records, wherever they are.
  CHECK(json::parse(scratch.lra("table r --format leaderboard")) == board);
  fs::copy(scratch.path() / "r", scratch.path() / "elsewhere", fs::copy_options::recursive);
  for (const char* format : {"md", "text", "csv", "tex", "html", "json", "leaderboard"}) {
    CHECK(scratch.lra(fmt::format("table r --format {}", format)) ==
          scratch.lra(fmt::format("table elsewhere --format {}", format)));
  }
  // Piped, the default is Markdown, which `lra run` wrote too.
  CHECK(scratch.lra("table r") == lra::read_file(scratch.path() / "r" / "table.md"));
  CHECK_THAT(scratch.lra("table r --format csv"), ContainsSubstring(id));
  const std::string linear = scratch.lra("table r --attention linear");
  CHECK_THAT(linear, ContainsSubstring("Linear") && !ContainsSubstring("| Transformer |"));
  CHECK(linear == scratch.lra("table r --attention linear_transformer"));
  static_cast<void>(scratch.lra("table r --attention linaer", 2));
  CHECK_THAT(scratch.stderr_text(), ContainsSubstring("unknown attention 'linaer'"));

  // After a change of the suite its earlier runs are left out, unless they are asked for.
  scratch.write_suite(3);
  static_cast<void>(scratch.lra(run));
  const json changed = lra::read_json(scratch.path() / "r" / "leaderboard.json");
  CHECK(changed.at("entries").size() == 2);
  CHECK(json::parse(scratch.lra("table r --format leaderboard")) == changed);
  CHECK_THAT(scratch.stderr_text(), ContainsSubstring("4 runs of earlier versions"));
  CHECK(json::parse(scratch.lra("table r --all --format leaderboard")).at("entries").size() == 4);
  CHECK_THAT(scratch.lra("compare r r"),
             ContainsSubstring("0 of 8 numbers differ") && !ContainsSubstring("Only"));
  CHECK_THAT(scratch.stderr_text(), ContainsSubstring("4 runs of earlier versions"));
  const std::string page = lra::read_file(scratch.path() / "r" / "report.html");
  CHECK_THAT(page, ContainsSubstring("<h1>Suite mine</h1>") &&
                       ContainsSubstring("A suite of one's own") &&
                       ContainsSubstring("4 completed runs") &&
                       ContainsSubstring("4 runs of earlier versions"));
  CHECK_THAT(page, !ContainsSubstring("run-" + id));
  static_cast<void>(scratch.lra("report r --all --out all.html"));
  CHECK_THAT(lra::read_file(scratch.path() / "all.html"),
             ContainsSubstring("run-" + id) && ContainsSubstring("8 completed runs"));
}

TEST_CASE("tables: a record names the options that are off their defaults, its row as well",
          "[run]") {
  const Scratch scratch;
  for (const char* reweight : {"true", "false"}) {
    static_cast<void>(scratch.lra(fmt::format(
        "train --task induction --attention cosformer --preset tiny --set attention.reweight={0} "
        "--set train.steps=2 --set data.train=8 --set data.val=4 --set data.test=4 "
        "--set task.length=32 --out {0}",
        reweight)));
  }
  CHECK_FALSE(lra::read_json(scratch.path() / "true/result.json")["attention"].contains("changed"));
  CHECK(lra::read_json(scratch.path() / "false/result.json")["attention"]["changed"] ==
        json{"reweight"});
  CHECK_THAT(scratch.lra("table true"), ContainsSubstring("| cosFormer |"));
  CHECK_THAT(scratch.lra("table false"), ContainsSubstring("| cosFormer (reweight=false) |"));
}

TEST_CASE("tables: a record holds which test examples were answered right", "[run]") {
  const Scratch scratch;
  static_cast<void>(scratch.lra(
      "train --task listops --attention linear --preset tiny --seed 1 --out r --set train.steps=2 "
      "--set train.batch_size=4 --set data.train=16 --set data.val=8 --set data.test=9 "
      "--set task.min_tokens=20 --set task.max_tokens=60 --set task.max_length=60 "
      "--set diagnostics.samples=0"));
  const json accuracy = lra::read_json(scratch.path() / "r" / "result.json").at("accuracy");
  const auto right = lra::results::decode_answers(accuracy.at("test_right").get<std::string>(), 9);
  REQUIRE(right);
  CHECK(static_cast<double>(std::count(right->begin(), right->end(), true)) / 9 ==
        lra::testing::Approx(accuracy.at("test").get<double>()));
}

TEST_CASE("tables: an option that would change nothing is refused with the one that it is beside",
          "[run]") {
  const Scratch scratch;
  const auto refused = [&](const std::string& options, const std::string& message) {
    INFO(options);
    CHECK(scratch.lra("table . " + options, 2).empty());
    CHECK_THAT(scratch.stderr_text(), ContainsSubstring("lra: table: " + message));
  };
  for (const char* option :
       {"--columns val", "--with published:lra2021", "--delta published:lra2021", "--sort val",
        "--bold", "--no-ladder", "--caption x", "--label x", "--no-seeds"}) {
    const std::string name = std::string(option).substr(0, std::string(option).find(' '));
    refused(fmt::format("--format leaderboard {}", option),
            name + " has no effect with --format leaderboard");
    refused(fmt::format("--efficiency {}", option), name + " has no effect with --efficiency");
  }
  for (const char* option : {"--tasks text", "--division free-for-all", "--baseline linear",
                             "--all", "--format json", "--format text"}) {
    const std::string name = std::string(option).substr(0, std::string(option).find(' '));
    refused(fmt::format("--efficiency {}", option), name + " has no effect with --efficiency");
  }
  refused("--format csv --bold --caption x",
          "--bold, --caption have no effect with --format csv; see lra table --help");
  refused("--label x", "--label has no effect with --format md");
  refused("--format json --label x", "--label has no effect with --format json");
  refused("--baseline linear --columns accuracy",
          "--baseline has no effect without --columns versus");
  // What remains reaches the records, of which there are none.
  for (const char* options :
       {"--efficiency --format md --attention linear --strict", "--format tex --label x --bold",
        "--format leaderboard --baseline linear --tasks text --all", "--format csv --no-seeds",
        "--baseline linear --columns versus:text", "--format json --bold --caption x"}) {
    INFO(options);
    CHECK(scratch.lra(fmt::format("table . {}", options), 3).empty());
  }
}

TEST_CASE("tables: the list of metrics says what each one means", "[run]") {
  const Scratch scratch;
  const json metrics = json::parse(scratch.lra("list metrics --json"));
  CHECK(metrics.size() > 30);
  for (const json& metric : metrics) {
    INFO(metric.dump());
    CHECK(metric.at("description").get<std::string>().size() > 15);
  }
  CHECK_THAT(scratch.lra("list metrics"), ContainsSubstring("peak_tensor_bytes"));
}
