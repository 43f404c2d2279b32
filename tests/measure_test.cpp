// lra bench, diagnose and evaluate.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "engine/base/file.h"
#include "tests/catch.h"
#include "tests/tiny_run.h"

namespace lra::testing {
namespace {

namespace fs = std::filesystem;
using lra::testing::Approx;

TEST_CASE("bench: a step on other numbers of cores stands in text and record", "[run]") {
  const Scratch folder("cores");
  const std::vector<std::string> arguments{"bench", "--attention", "linear", "--n",
                                           "512",   "--batch",     "16",     "--seconds",
                                           "0.05",  "--cores",     "16,4"};
  auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), arguments.begin(), arguments.end());
    return run(more, folder);
  };
  const Ended text = with({});
  REQUIRE(text.code == 0);
  for (const char* part : {"on    1 core ", "on    4 cores", "on   16 cores", "efficiency"}) {
    CHECK_THAT(text.out, ContainsSubstring(part));
  }
  const auto record = nlohmann::json::parse(with({"--json"}).out).at(0);
  CHECK(record["environment"]["lanes"] == 16);
  const auto& cores = record["points"][0]["on_cores"];
  REQUIRE(cores.size() == 3);
  CHECK(cores[0]["cores"] == 1);
  CHECK(cores[2]["step_ms"] < cores[1]["step_ms"]);
  CHECK(cores[1]["step_ms"] < cores[0]["step_ms"]);
  const auto chosen =
      nlohmann::json::parse(with({"--json", "--lanes", "3", "--threads", "1"}).out)[0];
  CHECK(chosen["environment"]["lanes"] == 3);
  CHECK(chosen["environment"]["threads"] == 1);
  CHECK(record["environment"]["threads"] == record["environment"]["cores"]);
  const Ended refused = with({"--mode", "infer"});
  CHECK(refused.code == 2);
  CHECK_THAT(refused.err, ContainsSubstring("--cores is for training"));
}

TEST_CASE("bench: sequences have the lengths of a file, whose faults are named", "[run]") {
  const Scratch folder("lengths");
  const auto with = [&](const std::string& text, const std::vector<std::string>& more) {
    lra::write_file_atomic(fs::path(folder / "lengths.txt"), text);
    std::vector<std::string> arguments{
        "bench",   "--attention", "linear",    "--lengths", folder / "lengths.txt",
        "--batch", "5",           "--seconds", "0.02"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments, folder);
  };
  const Ended text = with("40 60\n20\n", {"--out", folder / "records"});
  INFO(text.err);
  REQUIRE(text.code == 0);
  CHECK_THAT(text.out, ContainsSubstring("sequences of 20 to 60 tokens"));
  const auto record =
      lra::read_json(fs::path(folder / "records") / "bench-linear_transformer-train.json");
  CHECK(record["mean_tokens"] == 44);  // 40, 60, 20, 40, 60
  const auto& point = record["points"].at(0);
  CHECK(point["n"] == 60);
  const double tokens = point["tokens_per_second"].get<double>();
  CHECK(tokens / point["steps_per_second"].get<double>() == Approx(5 * 44));
  const Ended table = run({"table", folder / "records", "--efficiency"}, folder);
  CHECK_THAT(table.out, ContainsSubstring("batch 5 of 44 tokens a sequence on average"));
  for (const auto& [faulty, message] : std::vector<std::pair<std::string, std::string>>{
           {"40\n6O 20\n", "lengths.txt:2: 6O is not a length"},
           {"0\n", "lengths.txt:1: 0 is not a length"},
           {" \n", "lengths.txt: holds no length"}}) {
    const Ended refused = with(faulty, {});
    CHECK(refused.code == 3);
    CHECK_THAT(refused.err, ContainsSubstring(message));
  }
  CHECK(with("40\n", {"--n", "64"}).code == 2);
  CHECK(with("40\n", {"--check-growth"}).code == 2);
}

TEST_CASE("bench: the profile divides the time of all threads among operations and the rest",
          "[run]") {
  const Scratch folder("profile");
  for (const char* threads : {"0", "1"}) {
    const Ended o = run({"bench", "--attention", "linear", "--n", "64", "--batch", "2", "--seconds",
                         "0.02", "--profile", "--threads", threads},
                        folder);
    INFO(o.out << o.err);
    REQUIRE(o.code == 0);
    double sum = 0;
    std::set<std::string> operations;
    std::istringstream lines(o.out.substr(o.out.find("    operation ")));
    std::string line;
    std::getline(lines, line);  // the heads of the columns
    while (std::getline(lines, line) && line.ends_with('%')) {
      operations.insert(line.substr(4, line.find("  ", 4) - 4));
      sum += std::stod(line.substr(line.find_last_of(' ')));
    }
    CHECK(operations.count("matmul") == 1);
    CHECK(operations.count("tape, scheduling, idle") == 1);
    CHECK(std::abs(sum - 100) < 0.05 * static_cast<double>(operations.size()) + 1e-6);
  }
}

TEST_CASE("diagnose: the same model with and without, and from the folder what the record says",
          "[run]") {
  const Scratch folder("diagnose");
  REQUIRE(run(tiny(folder / "with", {"--set", "diagnostics.every=5"}), folder).code == 0);
  REQUIRE(run(tiny(folder / "without", {"--set", "diagnostics.samples=0"}), folder).code == 0);
  CHECK(model_of(folder, "with") == model_of(folder, "without"));
  std::vector<int> steps;
  std::ifstream metrics(fs::path(folder / "with") / "metrics.jsonl");
  for (std::string line; std::getline(metrics, line);) {
    const auto value = nlohmann::json::parse(line);
    if (value["split"] != "diagnosis") continue;
    steps.push_back(value["step"]);
    CHECK(value["entropy_norm"] > 0.1);
    CHECK(value["neg_mass"] == 0);
  }
  CHECK(steps == std::vector<int>{0, 5, 10, 12});
  const fs::path with = folder / "with";
  const auto record = lra::read_json(with / "result.json");
  const auto without = lra::read_json(fs::path(folder / "without") / "result.json");
  CHECK(without["diagnostics"] == nlohmann::json::object());
  CHECK(record["spec_sha256"] == without["spec_sha256"]);
  CHECK(record["accuracy"] == without["accuracy"]);

  const auto diagnose = [&](const std::string& name, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"diagnose", folder / name});
    return run(more, folder);
  };
  const auto samples = std::to_string(record["diagnostics"]["samples"].get<int>());
  const Ended again = diagnose("with", {"--samples", samples, "--json"});
  INFO(again.err);
  REQUIRE(again.code == 0);
  for (const char* part : {"mean", "layers", "step", "matrix"}) {
    CHECK(nlohmann::json::parse(again.out)[part] == record["diagnostics"][part]);
  }
  REQUIRE(diagnose("with", {"--samples", samples, "--save"}).code == 0);
  CHECK(lra::read_json(with / "result.json")["diagnostics"] == record["diagnostics"]);
  REQUIRE(diagnose("without", {"--samples", samples, "--save"}).code == 0);
  const auto saved = lra::read_json(fs::path(folder / "without") / "result.json");
  CHECK(saved["diagnostics"]["mean"] == record["diagnostics"]["mean"]);
  const Ended table = run({"table", folder / "with", "--columns", "entropy,span,negative"}, folder);
  CHECK(table.code == 0);
  CHECK_THAT(table.out, ContainsSubstring("row entropy"));

  // A folder without a run, without weights, with weights of another version.
  const auto refused = [&](const std::string& message) {
    const Ended o = diagnose("with");
    INFO(o.err);
    CHECK(o.code == 3);
    CHECK(std::count(o.err.begin(), o.err.end(), '\n') == 1);
    CHECK_THAT(o.err, ContainsSubstring(message));
  };
  const std::string written = lra::read_file(with / "model.safetensors");
  std::string weights = written;
  weights[weights.size() - 3] ^= 1;
  lra::write_file_atomic(with / "model.safetensors", weights);
  refused("model.safetensors: damaged");
  weights = written;  // an earlier version's file has no digest
  weights.replace(weights.find("\"sha256\""), 8, "\"none__\"");
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = weights;
    text.replace(text.find(from), from.size(), to);
    lra::write_file_atomic(with / "model.safetensors", text);
  };
  CHECK_THAT(weights, ContainsSubstring(R"("format":"pt")"));
  changed(R"("format":"pt")", R"("farmot":"pt")");
  refused("weights of another version; got format none");
  changed(R"("format":"pt","lra":"lra-model/1")", R"("format":"lra-model/1"           )");
  CHECK(diagnose("with").code == 0);  // as earlier versions wrote it
  changed("lra-model/1", "lra-model/9");
  refused("weights of another version; got format lra-model/9");
  changed(record["spec_sha256"].get<std::string>(), std::string(64, '0'));
  refused("weights of another version or run");
  changed("layers.0.ff1.bias", "layers.9.ff1.bias");
  refused("layers.0.ff1.bias: got none");
  lra::write_file_atomic(with / "model.safetensors", weights.substr(0, weights.size() / 2));
  refused("model.safetensors");
  fs::remove(with / "model.safetensors");
  refused("no model.safetensors");
  fs::remove(with / "spec.json");
  refused("no spec.json");
  CHECK(diagnose("nowhere").code == 3);
}

TEST_CASE("evaluate: the test accuracy again, other data of the task, longer sequences", "[run]") {
  const Scratch folder("evaluate");
  const auto train = [&](const std::string& name, const std::string& positions) {
    std::vector<std::string> words{"train",    "--task", "induction", "--attention", "cosformer",
                                   "--preset", "probe",  "--out",     folder / name};
    for (const char* setting : {"task.length=16", "train.steps=6", "train.batch_size=8",
                                "data.train=64", "data.val=8", "data.test=40"}) {
      words.insert(words.end(), {"--set", setting});
    }
    words.insert(words.end(), {"--set", "model.positions=" + positions});
    const Ended o = run(words, folder);
    INFO(o.err);
    REQUIRE(o.code == 0);
  };
  train("none", "none");
  train("learned", "learned");
  const auto evaluate = [&](const std::string& name, std::vector<std::string> more) {
    more.insert(more.begin(), {"evaluate", folder / name});
    return run(more, folder);
  };
  const auto record = lra::read_json(fs::path(folder / "none") / "result.json");
  const Ended once = evaluate("none", {"--json"});
  INFO(once.err);
  REQUIRE(once.code == 0);
  CHECK(nlohmann::json::parse(once.out)["accuracy"] == record["accuracy"]["test"]);
  CHECK(nlohmann::json::parse(once.out)["loss"] == record["loss"]["test"]);

  const Ended longer = evaluate("none", {"--lengths", "4,1,2", "--examples", "40", "--save"});
  INFO(longer.err);
  REQUIRE(longer.code == 0);
  const auto lengths = lra::read_json(fs::path(folder / "none") / "result.json")["lengths"];
  REQUIRE(lengths["points"].size() == 3);
  CHECK(lengths["points"][0]["accuracy"] == record["accuracy"]["test"]);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(lengths["points"][i]["length"] == (16 << i));
    CHECK(lengths["points"][i]["count"] == 40);
    CHECK_THAT(longer.out, ContainsSubstring(
                               fmt::format("{:>8} {:>6} {:>10.1f} ", 16 << i, 1 << i,
                                           100 * lengths["points"][i]["accuracy"].get<double>())));
  }
  // The points are those of the same task made at that length.
  const Ended made = evaluate("none", {"--set", "task.length=64", "--examples", "40", "--json"});
  REQUIRE(made.code == 0);
  CHECK(nlohmann::json::parse(made.out)["accuracy"] == lengths["points"][2]["accuracy"]);
  CHECK_THAT(run({"table", folder / "none", "--columns", "lengths"}, folder).out,
             ContainsSubstring("log2"));

  // A learned table of positions does not cover longer sequences, only shorter ones.
  const Ended covered = evaluate("learned", {"--lengths", "1,2", "--examples", "40", "--save"});
  REQUIRE(covered.code == 0);
  const auto learned = lra::read_json(fs::path(folder / "learned") / "result.json")["lengths"];
  CHECK(learned["points"][1]["accuracy"].is_null());
  CHECK_THAT(learned["points"][1]["reason"].get<std::string>(),
             ContainsSubstring("embedding.positions"));
  CHECK_THAT(covered.out, ContainsSubstring("       -      2   not applicable: " +
                                            learned["points"][1]["reason"].get<std::string>()));
  CHECK(covered.out.find("not applicable") > covered.out.find("      16      1 "));
  CHECK(learned["area"].is_null());
  // Points saved at other lengths stay.
  REQUIRE(evaluate("learned", {"--lengths", "3", "--examples", "40", "--save"}).code == 0);
  const auto later = lra::read_json(fs::path(folder / "learned") / "result.json")["lengths"];
  REQUIRE(later["points"].size() == 3);
  CHECK(later["points"][0] == learned["points"][0]);
  CHECK(later["points"][1] == learned["points"][1]);
  CHECK(later["points"][2]["factor"] == 3);
  CHECK(evaluate("learned", {"--set", "task.length=8"}).code == 0);
  const Ended beyond = evaluate("learned", {"--set", "task.length=32"});
  CHECK(beyond.code == 2);
  CHECK_THAT(beyond.err, ContainsSubstring("embedding.positions"));
  CHECK(evaluate("none", {"--set", "model.layers=3"}).code == 2);
  CHECK(evaluate("none", {"--save"}).code == 2);
  CHECK(evaluate("none", {"--lengths", "0"}).code == 2);
}

}  // namespace
}  // namespace lra::testing
