// A user's own data from the file to the table, weights to start from, early stopping, event files.

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "tests/catch.h"
#include "tests/process.h"

namespace lra::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// A table of five classes named in their texts, or of two that differ in length.
void write_table(const fs::path& file, int classes) {
  fs::create_directories(file.parent_path());
  std::ofstream out(file);
  out << "text,label\n";
  for (int i = 0; i < 150; ++i) {
    const int label = i % classes;
    out << "\""
        << std::string(static_cast<std::size_t>(4 + 3 * label), static_cast<char>('a' + label))
        << ' ' << i << "\",topic " << label << '\n';
  }
}

std::vector<std::string> training(const std::string& data, const std::string& out,
                                  const std::vector<std::string>& settings = {},
                                  const std::vector<std::string>& more = {}) {
  std::vector<std::string> a{"train",    "--task",      "file",   "--attention", "linear",
                             "--preset", "tiny",        "--data", data,          "--out",
                             out,        "--precision", "f32"};
  for (const char* s :
       {"train.steps=12", "train.eval_every=4", "train.batch_size=8", "diagnostics.samples=0"}) {
    a.insert(a.end(), {"--set", s});
  }
  for (const auto& s : settings) a.insert(a.end(), {"--set", s});
  a.insert(a.end(), more.begin(), more.end());
  return a;
}

json record_of(const fs::path& run) { return read_json(run / "result.json"); }

}  // namespace

TEST_CASE("own data: a CSV of five classes becomes a row of a table", "[run]") {
  const Scratch folder("own");
  const std::string csv = folder / "topics.csv";
  write_table(csv, 5);
  const Ended checked =
      run_program({"data", "check", "file", "--data", csv, "--baselines"}, folder);
  INFO(checked.err);
  REQUIRE(checked.code == 0);
  CHECK_THAT(checked.out, ContainsSubstring("topic 3=") && ContainsSubstring("0 faults") &&
                              ContainsSubstring("ngram_logistic"));
  const Ended trained = run_program(training(csv, folder / "runs/a"), folder);
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const json record = record_of(folder / "runs/a");
  CHECK(record["task"]["name"] == "topics");
  CHECK(record["task"]["data"]["origin"] == "own");
  CHECK(record["task"]["data"]["counts"] == json({{"train", 120}, {"val", 15}, {"test", 15}}));
  CHECK(record["task"]["options"]["labels"] == "topic 0,topic 1,topic 2,topic 3,topic 4");
  CHECK(record["baselines"].size() == 4);
  for (const auto& deviation : record["protocol"]["deviations"]) {
    CHECK_FALSE(deviation.get<std::string>().starts_with("task."));
  }
  // Beside LRA's tasks it has a separate, marked column, and is not part of their average.
  REQUIRE(run_program(short_training(folder / "runs/listops"), folder).code == 0);
  const Ended table = run_program(
      {"table", folder / "runs", "--with", "published:cosformer2022", "--format", "md"}, folder);
  INFO(table.err);
  REQUIRE(table.code == 0);
  CHECK_THAT(table.out, ContainsSubstring("topics") &&
                            ContainsSubstring("own data, no task of the benchmark") &&
                            ContainsSubstring("own data, text, 257 ids"));
  CHECK(run_program({"table", folder / "runs", "--tasks", "topics"}, folder).code == 0);
  // The same command answers from the folder; edited data are refused.
  CHECK(run_program(training(csv, folder / "runs/a"), folder).code == 0);
  std::ofstream(csv, std::ios::app) << "\"dddd 151\",topic 3\n";
  const Ended refused = run_program(training(csv, folder / "runs/a"), folder);
  CHECK(refused.code == 3);
  CHECK_THAT(refused.err, ContainsSubstring("contains a run on other data"));
  CHECK(run_program({"evaluate", folder / "runs/a"}, folder).code == 3);
  const Ended none = run_program({"train", "--task", "file", "--attention", "linear"}, folder);
  CHECK(none.code == 2);
  CHECK_THAT(none.err, ContainsSubstring("--task file: no data; give --data PATH"));
}

TEST_CASE("own data: the checks of a task count those that passed apart from those skipped",
          "[run]") {
  const Scratch folder("checked");
  write_table(folder / "topics.csv", 5);
  const Ended o = run_program({"check", "task", "file", "--data", folder / "topics.csv"}, folder);
  INFO(o.out << o.err);
  CHECK(o.code == 0);
  std::istringstream lines(o.out);
  std::map<std::string, int> counts;
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    ++counts[line.substr(0, line.find(' '))];
    last = line;
  }
  CHECK(counts["PASS"] > 0);
  CHECK(counts["SKIP"] > 0);  // what only generated data have
  CHECK(counts["FAIL"] == 0);
  CHECK(last == fmt::format("{0} checks: {0} passed, 0 failed, {1} skipped", counts["PASS"],
                            counts["SKIP"]));
}

TEST_CASE("own data: a suite has several sets side by side, by names and paths of its own",
          "[run]") {
  const Scratch folder("ownsuite");
  write_table(folder / "sets/five.csv", 5);
  write_table(folder / "sets/two.csv", 2);
  const json suite = {{"schema", "lra-suite/1"},
                      {"name", "own"},
                      {"preset", "tiny"},
                      {"attentions", {"linear"}},
                      {"settings",
                       {{"train.steps", 4},
                        {"train.eval_every", 2},
                        {"train.batch_size", 4},
                        {"diagnostics.samples", 0}}},
                      {"tasks",
                       {{{"name", "file"}, {"settings", {{"data.path", "five.csv"}}}},
                        {{"name", "file"},
                         {"options", {{"name", "pairs_of_two"}, {"max_length", 6}}},
                         {"settings", {{"data.path", "two.csv"}}}}}}};
  write_json(folder / "sets/own.json", suite);
  const Ended ran = run_program(
      {"run", folder / "sets/own.json", "--out", folder / "suite", "--measure-seconds", "0"},
      folder);
  INFO(ran.err);
  INFO(ran.out);
  REQUIRE(ran.code == 0);
  const Ended table = run_program({"table", folder / "suite", "--format", "csv"}, folder);
  CHECK_THAT(table.out, ContainsSubstring("five") && ContainsSubstring("pairs_of_two"));
  std::size_t runs = 0;
  for (const auto& entry : fs::directory_iterator(folder / "suite/runs")) {
    if (!entry.is_directory()) continue;
    const std::string name = entry.path().filename();
    CHECK((name.starts_with("five-linear_") || name.starts_with("pairs_of_two-linear_")));
    ++runs;
  }
  CHECK(runs == 2);
}

TEST_CASE("own data: a trained model is tested on a file of its own", "[run]") {
  const Scratch folder("lone");
  const std::string csv = folder / "topics.csv";
  write_table(csv, 5);
  REQUIRE(run_program(training(csv, folder / "run", {"data.test=1"}), folder).code == 0);
  std::ofstream(folder / "lone.csv") << "text,label\naaaa,topic 0\nbbbbbbb,topic 1\n";
  fs::create_directories(folder / "later");
  fs::copy_file(folder / "lone.csv", fs::path(folder / "later") / "test.csv");
  const auto tested = [&](const std::vector<std::string>& more) {
    std::vector<std::string> a{"evaluate", folder / "run", "--json"};
    a.insert(a.end(), more.begin(), more.end());
    const Ended ended = run_program(a, folder);
    INFO(ended.err);
    REQUIRE(ended.code == 0);
    return json::parse(ended.out);
  };
  const json lone = tested({"--data", folder / "lone.csv", "--set", "task.test_share=1"});
  CHECK(lone["examples"] == 2);
  const json later = tested({"--data", folder / "later", "--other-data"});
  CHECK(later["examples"] == 2);
  CHECK(later["loss"] == lone["loss"]);
  // With another option the examples are still those that the run was tested on.
  CHECK(tested({"--set", "task.max_length=8"})["examples"] == 1);
  const Ended other = run_program({"evaluate", folder / "run", "--data", folder / "later"}, folder);
  CHECK(other.code == 3);
}

TEST_CASE("init: a run starts from weights, says which, and they are part of what it is", "[run]") {
  const Scratch folder("init");
  const std::string csv = folder / "topics.csv";
  write_table(csv, 5);
  REQUIRE(run_program(training(csv, folder / "a"), folder).code == 0);
  const std::string weights = folder / "a/model.safetensors";
  const std::vector<std::string> none{"train.lr=0", "train.weight_decay=0"};
  // With no learning the accuracy is that of the weights.
  const Ended same = run_program(training(csv, folder / "b", none, {"--init", weights}), folder);
  INFO(same.err);
  REQUIRE(same.code == 0);
  const json a = record_of(folder / "a");
  const json b = record_of(folder / "b");
  CHECK(b["accuracy"]["test"] == a["accuracy"]["test"]);
  CHECK(b["loss"]["test"] == a["loss"]["test"]);
  CHECK_THAT(same.err, ContainsSubstring("tensors taken from " + weights));
  CHECK(b["training"]["init"]["left"].empty());
  CHECK(b["training"]["init"]["taken"].size() > 10);
  CHECK_FALSE(a["training"].contains("init"));
  CHECK(b["run_id"] != a["run_id"]);
  // Two classes: the head has another shape and is new.
  write_table(folder / "two.csv", 2);
  const Ended other = run_program(
      training(folder / "two.csv", folder / "c", {"task.max_length=22"}, {"--init", weights}),
      folder);
  INFO(other.err);
  REQUIRE(other.code == 0);
  const json c = record_of(folder / "c");
  CHECK_FALSE(c["training"]["init"]["left"].empty());
  CHECK_THAT(other.err, ContainsSubstring("drawn by the seed: "));
  const Ended missing =
      run_program(training(csv, folder / "d", {}, {"--init", folder / "no.safetensors"}), folder);
  CHECK(missing.code == 3);
  // Other weights in the same folder are another run.
  CHECK(run_program(training(csv, folder / "b", none, {"--init", folder / "c/model.safetensors"}),
                    folder)
            .code == 2);
}

TEST_CASE("patience: training ends when validation stops getting better, and says so", "[run]") {
  const Scratch folder("patience");
  const std::string csv = folder / "topics.csv";
  write_table(csv, 5);
  const std::vector<std::string> still{"train.lr=0",       "train.weight_decay=0",
                                       "train.steps=400",  "train.eval_every=2",
                                       "train.patience=3", "log.tensorboard=true"};
  const Ended ended = run_program(training(csv, folder / "a", still), folder);
  INFO(ended.err);
  REQUIRE(ended.code == 0);
  const json record = record_of(folder / "a");
  CHECK(record["status"] == "completed");
  const std::int64_t best = record["accuracy"]["best_step"];
  CHECK(record["training"]["steps_done"] == best + 6);
  CHECK(record["training"]["steps"] == 400);
  CHECK_THAT(record["training"]["stopped"].get<std::string>(),
             ContainsSubstring("no better validation accuracy in 3 evaluations"));
  CHECK_THAT(ended.out, ContainsSubstring("stopped   at step"));
  CHECK(read_file(folder / "a/events.out.tfevents.lra").find("val/accuracy") != std::string::npos);
  // Event files change no number and are no part of what the run is.
  auto quiet = still;
  quiet.pop_back();
  CHECK(run_program(training(csv, folder / "a", quiet), folder).code == 0);
  CHECK_FALSE(fs::exists(fs::path(folder / "a") / "checkpoint.safetensors"));
  auto last = still;
  last.emplace_back("train.selection=last_step");
  const Ended refused = run_program(training(csv, folder / "b", last), folder);
  CHECK(refused.code == 2);
  CHECK_THAT(refused.err,
             ContainsSubstring("train.patience: got 3 with train.selection=last_step"));
}

}  // namespace lra::testing
