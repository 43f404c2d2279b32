// A run whose accuracy, selection and record are known beforehand, and an estimate against what the
// run then took.

#include <fmt/format.h>

#include <bit>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/process.h"

namespace lra::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// A table of `size` texts of which the first `ones` have label 1.
void write_table(const fs::path& file, int size, int ones) {
  std::ofstream out(file);
  out << "label,text\n";
  for (int i = 0; i < size; ++i) {
    out << (i < ones ? 1 : 0) << ",\"film " << i << " of " << file.stem().string() << "\"\n";
  }
}

// All training labels are 1, so a model that learned anything answers 1 to everything.
TEST_CASE("known run: accuracy is the share of the one answer, the first of equals is selected",
          "[run]") {
  const Scratch folder("known");
  const fs::path data = folder.path() / "data";
  fs::create_directories(data);
  write_table(data / "train.csv", 40, 40);
  write_table(data / "val.csv", 10, 3);
  write_table(data / "test.csv", 20, 5);
  const fs::path run = folder.path() / "run";
  std::vector<std::string> arguments{"train", "--task",      "text",   "--attention", "linear",
                                     "--out", run,           "--data", data,          "--preset",
                                     "tiny",  "--precision", "f32"};
  for (const char* s :
       {"train.steps=40", "train.eval_every=10", "train.batch_size=8", "train.lr=0.01",
        "train.schedule=constant", "task.max_length=64", "diagnostics.samples=0"}) {
    arguments.insert(arguments.end(), {"--set", s});
  }
  const Ended o = run_program(arguments, folder);
  INFO(o.err);
  REQUIRE(o.code == 0);

  const json record = read_json(run / "result.json");
  const json& accuracy = record["accuracy"];
  CHECK(accuracy["train"] == 1.0);
  CHECK(accuracy["val"] == 0.3);
  CHECK(accuracy["test"] == 0.25);
  CHECK(accuracy["counts"] == json{{"train", 20}, {"val", 10}, {"test", 20}});
  int right = 0;  // one bit per example, four per digit
  for (const char digit : accuracy["test_right"].get<std::string>()) {
    right += std::popcount(static_cast<unsigned>(std::stoi(std::string(1, digit), nullptr, 16)));
  }
  CHECK(right == 5);
  CHECK(accuracy["selected_by"] == "best_validation");

  int validations = 0;
  json first_best;
  std::ifstream metrics(run / "metrics.jsonl");
  for (std::string line; std::getline(metrics, line);) {
    const json entry = json::parse(line);
    if (entry["split"] != "val") continue;
    ++validations;
    if (first_best.is_null() || entry["accuracy"] > first_best["accuracy"]) first_best = entry;
  }
  CHECK(validations == 4);
  CHECK(first_best["accuracy"] == 0.3);
  CHECK(accuracy["best_step"] == first_best["step"]);
  CHECK(accuracy["best_step"] < 40);  // later ones are equal

  for (const json& baseline : record["baselines"]) CHECK(baseline["accuracy"] == 0.25);
  CHECK_THAT(o.out, ContainsSubstring("accuracy  test 25.00 %  val 30.00 %  train 100.00 %\n"));
  // Predictors without a model answer 1 to everything as well.
  REQUIRE_FALSE(record["baselines"].empty());
  for (const json& baseline : record["baselines"]) {
    CHECK_THAT(o.out, ContainsSubstring(
                          fmt::format("baseline  25.00 %  {}  (agrees with the model on 100.0 %)\n",
                                      baseline["title"].get<std::string>())));
  }
}

TEST_CASE("estimate: covers the memory that the run then takes, and not twice as much", "[run]") {
  const Scratch folder("estimate");
  std::ofstream(folder / "s.json") << R"({"schema": "lra-suite/1", "name": "s",
    "tasks": ["listops"], "attentions": ["softmax"], "preset": "tiny", "precision": "f32",
    "settings": {"data.train": 50, "data.val": 10, "data.test": 10, "train.steps": 6,
                 "train.eval_every": 6, "train.batch_size": 8, "task.min_tokens": 380,
                 "task.max_tokens": 400, "task.max_length": 400, "diagnostics.samples": 0}})";
  const Ended o = run_line("run s.json --out r --threads 1 --measure-seconds 0", folder);
  INFO(o.err);
  REQUIRE(o.code == 0);
  const json estimates = read_json(fs::path(folder / "r") / "estimates.json")["estimates"];
  REQUIRE(estimates.size() == 1);
  const json estimate = *estimates.begin();
  const double foreseen =
      estimate["fixed_bytes"].get<double>() + estimate["sequence_bytes"].get<double>();
  const fs::path run = fs::directory_iterator(fs::path(folder / "r") / "runs")->path();
  const double taken = read_json(run / "result.json")["memory"]["peak_tensor_bytes"];
  CHECK(foreseen >= 0.95 * taken);
  CHECK(foreseen < 1.6 * taken);
}

}  // namespace
}  // namespace lra::testing
