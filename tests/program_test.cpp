// The program as its users see it: exit codes, messages, files, same bits, kill and resume.

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/file.h"
#include "results/record/record.h"
#include "tests/catch.h"
#include "tests/process.h"

using lra::testing::ContainsSubstring;
using lra::testing::Ended;
using lra::testing::Scratch;
namespace fs = std::filesystem;

namespace {

// `largest_file`: bytes; a write beyond it fails as one on a full disk does (0: no limit).
pid_t start(const std::vector<std::string>& arguments, const Scratch& folder,
            rlim_t largest_file = 0) {
  return lra::testing::start_program(arguments, folder, [largest_file] {
    if (largest_file == 0) return;
    const rlimit limit{largest_file, largest_file};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::signal(SIGXFSZ, SIG_IGN);
  });
}

Ended run(const std::vector<std::string>& arguments, const Scratch& folder,
          rlim_t largest_file = 0) {
  return lra::testing::wait_for(start(arguments, folder, largest_file), folder);
}

// A training of a second or two.
std::vector<std::string> tiny(const std::string& out, std::vector<std::string> more = {}) {
  std::vector<std::string> a{"train",    "--task", "listops", "--attention", "cosformer",
                             "--preset", "tiny",   "--out",   out,           "--checkpoint-seconds",
                             "0"};
  for (const char* s : {"data.train=200", "data.val=20", "data.test=20", "train.steps=12",
                        "train.eval_every=4", "train.batch_size=8", "model.dropout=0.1",
                        "task.min_tokens=20", "task.max_tokens=200", "task.max_length=200"}) {
    a.insert(a.end(), {"--set", s});
  }
  a.insert(a.end(), more.begin(), more.end());
  return a;
}

std::string model_of(const Scratch& folder, const std::string& run_name) {
  return lra::read_file(fs::path(folder / run_name) / "model.safetensors");
}

}  // namespace

TEST_CASE("train: the same bits with 1, 2 and 4 threads, and a record that fits its schema",
          "[run]") {
  const Scratch folder("threads");
  for (const char* threads : {"1", "2", "4"}) {
    const Ended o =
        run(tiny(folder / threads, {"--threads", threads, "--precision", "f32"}), folder);
    INFO(o.err);
    REQUIRE(o.code == 0);
  }
  CHECK(model_of(folder, "1") == model_of(folder, "2"));
  CHECK(model_of(folder, "1") == model_of(folder, "4"));
  const auto result = lra::read_json(fs::path(folder / "1") / "result.json");
  const auto record = lra::results::from_json(result, "result.json");
  CHECK(record.status == lra::results::Status::completed);
  CHECK(record.accuracy.value.test.has_value());
  CHECK(record.task.origin == lra::results::Origin::generated);
  CHECK(record.cost.train_flops_per_token.value_or(0) > 1e4);
}

TEST_CASE("train: the same bits with one thread and with one for each of 32 lanes", "[run]") {
  const Scratch folder("lanes");
  for (const char* threads : {"1", "32"}) {
    const Ended o = run(tiny(folder / threads, {"--threads", threads, "--precision", "f32", "--set",
                                                "lanes=32", "--set", "train.batch_size=33"}),
                        folder);
    INFO(o.err);
    REQUIRE(o.code == 0);
    const auto result = lra::read_json(fs::path(folder / threads) / "result.json");
    CHECK(result["environment"]["lanes"] == 32);
  }
  CHECK(model_of(folder, "1") == model_of(folder, "32"));
}

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
  CHECK(nlohmann::json::parse(with({"--json", "--lanes", "3"}).out)[0]["environment"]["lanes"] ==
        3);
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
  CHECK(tokens / point["steps_per_second"].get<double>() == lra::testing::Approx(5 * 44));
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

TEST_CASE("train: killed at any moment and continued gives the same bits", "[run]") {
  const Scratch folder("kill");
  REQUIRE(run(tiny(folder / "whole"), folder).code == 0);
  for (const int milliseconds : {60, 120, 180, 240, 300, 360}) {
    const pid_t child = start(tiny(folder / "killed"), folder);
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  const Ended o = run(tiny(folder / "killed"), folder);
  INFO(o.err);
  REQUIRE(o.code == 0);
  CHECK(model_of(folder, "whole") == model_of(folder, "killed"));
  CHECK(lra::read_file(fs::path(folder / "whole") / "metrics.jsonl") ==
        lra::read_file(fs::path(folder / "killed") / "metrics.jsonl"));
}

TEST_CASE("train: SIGINT leaves a checkpoint and an interrupted record and the command continues",
          "[run]") {
  const Scratch folder("stop");
  REQUIRE(run(tiny(folder / "whole"), folder).code == 0);
  const auto arguments = tiny(folder / "stopped");
  const pid_t child = start(arguments, folder);
  const fs::path checkpoint = fs::path(folder / "stopped") / "checkpoint.safetensors";
  for (int i = 0; i < 2000 && !fs::exists(checkpoint); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ::kill(child, SIGINT);
  int status = 0;
  ::waitpid(child, &status, 0);
  const auto record = lra::read_json(fs::path(folder / "stopped") / "result.json");
  if (record["status"] == "interrupted") CHECK(WEXITSTATUS(status) == 130);
  REQUIRE(run(arguments, folder).code == 0);
  CHECK(model_of(folder, "whole") == model_of(folder, "stopped"));
}

TEST_CASE("train: a diverging run is recorded and exits 4", "[run]") {
  const Scratch folder("diverge");
  const Ended o =
      run(tiny(folder / "x", {"--set", "train.lr=100", "--set", "train.schedule=constant", "--set",
                              "train.warmup_steps=0", "--set", "train.weight_decay=10"}),
          folder);
  CHECK(o.code == 4);
  CHECK(lra::read_json(fs::path(folder / "x") / "result.json")["status"] == "diverged");
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
  }
  // The points are those of the same task made at that length.
  const Ended made = evaluate("none", {"--set", "task.length=64", "--examples", "40", "--json"});
  REQUIRE(made.code == 0);
  CHECK(nlohmann::json::parse(made.out)["accuracy"] == lengths["points"][2]["accuracy"]);
  CHECK_THAT(run({"table", folder / "none", "--columns", "lengths"}, folder).out,
             ContainsSubstring("log2"));

  // A learned table of positions does not cover longer sequences, only shorter ones.
  REQUIRE(evaluate("learned", {"--lengths", "1,2", "--examples", "40", "--save"}).code == 0);
  const auto learned = lra::read_json(fs::path(folder / "learned") / "result.json")["lengths"];
  CHECK(learned["points"][1]["accuracy"].is_null());
  CHECK_THAT(learned["points"][1]["reason"].get<std::string>(),
             ContainsSubstring("embedding.positions"));
  CHECK(learned["area"].is_null());
  CHECK(evaluate("learned", {"--set", "task.length=8"}).code == 0);
  const Ended beyond = evaluate("learned", {"--set", "task.length=32"});
  CHECK(beyond.code == 2);
  CHECK_THAT(beyond.err, ContainsSubstring("embedding.positions"));
  CHECK(evaluate("none", {"--set", "model.layers=3"}).code == 2);
  CHECK(evaluate("none", {"--save"}).code == 2);
  CHECK(evaluate("none", {"--lengths", "0"}).code == 2);
}

TEST_CASE("wrong use: exit 2 and one line with near matches", "[run]") {
  const Scratch folder("usage");
  const auto check = [&](const std::vector<std::string>& arguments, const std::string& message) {
    const Ended o = run(arguments, folder);
    INFO(o.err);
    CHECK(o.code == 2);
    CHECK(std::count(o.err.begin(), o.err.end(), '\n') == 1);
    CHECK_THAT(o.err, ContainsSubstring(message));
  };
  check({"train", "--task", "listop", "--attention", "softmax"}, "did you mean listops");
  check({"train", "--task", "listops", "--attention", "cosforme"}, "did you mean cosformer");
  check({"train", "--task", "listops", "--attention", "softmax", "--preset", "tinny"},
        "did you mean tiny");
  check({"train", "--task", "listops", "--attention", "softmax", "--set", "train.step=3"},
        "did you mean steps");
  check({"train", "--task", "listops", "--attention", "softmax", "--set", "attention.causal=7"},
        "true or false");
  check({"train", "--task", "listops", "--attention", "softmax", "--set", "model.input=pixels"},
        "listops has no pixels");
  check({"train", "--task", "listops"}, "--attention is required");
  check({"run", "quik"}, "did you mean quick");
  check({"frobnicate"}, "see lra --help");
}

TEST_CASE("list: every kind, and what a protocol sets for a task", "[run]") {
  const Scratch folder("list");
  const Ended text = run({"list"}, folder);
  REQUIRE(text.code == 0);
  const Ended o = run({"list", "--json"}, folder);
  REQUIRE(o.code == 0);
  const auto all = nlohmann::json::parse(o.out);
  for (const char* kind : {"tasks", "attention", "presets", "protocols", "suites", "published"}) {
    INFO(kind);
    REQUIRE(!all.at(kind).empty());
    for (const auto& entry : all[kind]) {
      CHECK_THAT(text.out, ContainsSubstring("  " + entry.at("name").get<std::string>()));
    }
    CHECK(run({"list", kind}, folder).code == 0);
  }
  const Ended two = run({"list", "attention", "linear", "cosformer", "--json"}, folder);
  REQUIRE(two.code == 0);
  const auto chosen = nlohmann::json::parse(two.out);
  REQUIRE(chosen.size() == 2);
  CHECK(chosen[0]["name"] == "linear_transformer");  // by its alias
  CHECK(chosen[1]["name"] == "cosformer");
  bool found = false;
  for (const auto& protocol : all["protocols"]) {
    for (const auto& task : protocol["tasks"]) {
      if (protocol["name"] != "google" || task["name"] != "pathfinder") continue;
      found = true;
      CHECK_THAT(task["deviations"].dump(), ContainsSubstring("pixel_mask"));
      CHECK_THAT(task["remarks"].dump(), ContainsSubstring("black pixels are left out"));
    }
  }
  CHECK(found);
  CHECK_THAT(text.out, ContainsSubstring("- black pixels are left out"));
}

TEST_CASE("data faults: exit 3 with file and line, nothing half-written", "[run]") {
  const Scratch folder("faults");
  const fs::path data = folder.path() / "data";
  fs::create_directories(data);
  const std::string good = "Source\tTarget\r\n( ( ( [MAX 2 ) 9 ) ] )\t9\r\n";
  for (const char* split : {"train", "val", "test"}) {
    std::ofstream(data / fmt::format("basic_{}.tsv", split)) << good;
  }
  const auto train = [&](const fs::path& out) {
    return run(tiny(out, {"--data", data.string()}), folder);
  };
  std::ofstream(data / "basic_val.tsv") << "Source\tTarget\n( ( ( [MAX 2 ) 9 ) ] )\t3\n";
  const Ended o = train(folder / "x");
  INFO(o.err);
  CHECK(o.code == 3);
  CHECK_THAT(o.err, ContainsSubstring("basic_val.tsv:2"));
  CHECK_FALSE(fs::exists(fs::path(folder / "x") / "result.json"));
  const Ended unwritable = train("/proc/nowhere");
  CHECK(unwritable.code == 3);
}

TEST_CASE("a full disk: exit 3, nothing half-written, and the command continues", "[run]") {
  const Scratch folder("full");
  REQUIRE(run(tiny(folder / "whole"), folder).code == 0);
  const auto complete = [](const fs::path& place) {
    for (const auto& entry : fs::recursive_directory_iterator(place)) {
      if (entry.path().extension() == ".tmp") return false;
      if (entry.path().extension() == ".json") static_cast<void>(lra::read_json(entry.path()));
    }
    return true;
  };
  for (const rlim_t bytes : {rlim_t{100}, rlim_t{4000}, rlim_t{30000}}) {
    const std::string out = folder / fmt::format("full-{}", bytes);
    const Ended o = run(tiny(out), folder, bytes);
    INFO(bytes << " bytes: " << o.err);
    CHECK(o.code == 3);
    CHECK(std::count(o.err.begin(), o.err.end(), '\n') == 1);
    CHECK_FALSE(fs::exists(fs::path(out) / "result.json"));
    CHECK(complete(folder.path()));
    REQUIRE(run(tiny(out), folder).code == 0);
    CHECK(model_of(folder, fmt::format("full-{}", bytes)) == model_of(folder, "whole"));
  }
  // The data cache of another seed does not fit.
  const std::vector<std::string> other{"--set", "data.seed=5"};
  const Ended o = run(tiny(folder / "cache-full", other), folder, 2000);
  INFO(o.err);
  CHECK(o.code == 3);
  CHECK(complete(folder.path()));
  CHECK(run(tiny(folder / "cache-full", other), folder).code == 0);
}

TEST_CASE("train: a token-level task is scored by labels and by whole sequences", "[run]") {
  const Scratch folder("tokens");
  std::vector<std::string> arguments{"train",    "--task", "mqar",  "--attention", "linear",
                                     "--preset", "probe",  "--out", folder / "run"};
  for (const char* s : {"data.train=100", "data.val=20", "data.test=30", "train.steps=4",
                        "train.batch_size=8", "train.eval_every=4", "train.warmup_steps=1"}) {
    arguments.insert(arguments.end(), {"--set", s});
  }
  const Ended o = run(arguments, folder);
  INFO(o.err);
  REQUIRE(o.code == 0);
  const auto record = lra::results::from_json(
      lra::read_json(fs::path(folder / "run") / "result.json"), "result.json");
  CHECK(record.accuracy.unit == "tokens");
  CHECK(record.accuracy.counts.test == 4 * 30);
  REQUIRE(record.accuracy.slices.size() == 1);
  CHECK(record.accuracy.slices[0].name == "exact");
  CHECK(record.accuracy.slices[0].count == 30);
  REQUIRE(record.baselines.size() == 2);
  CHECK(record.baselines[0].accuracy == 0.25);
  CHECK(record.baselines[0].count == std::int64_t{4} * 30);
  CHECK(record.baselines[1].name == "solution");
  CHECK(record.baselines[1].accuracy == 1);
}

TEST_CASE("run: a suite goes on after a failed run and is continued", "[run]") {
  const Scratch folder("suite");
  std::ofstream(folder / "s.json") << R"({"schema": "lra-suite/1", "name": "s",
    "tasks": ["listops"], "attentions": ["linear", "softmax"], "preset": "tiny", "seeds": [1, 2],
    "settings": {"data.train": 100, "data.val": 10, "data.test": 10, "train.steps": 3,
                 "train.batch_size": 4, "task.min_tokens": 20, "task.max_tokens": 100}})";
  const std::vector<std::string> arguments{
      "run", folder / "s.json", "--out", folder / "results", "--measure-seconds", "0"};
  const Ended first = run(arguments, folder);
  INFO(first.err);
  REQUIRE(first.code == 0);
  CHECK_THAT(first.out, ContainsSubstring("Linear Trans."));
  const Ended second = run(arguments, folder);
  CHECK(second.code == 0);
  CHECK(second.out == first.out);
  std::ofstream(folder / "bad.json") << R"({"schema": "lra-suite/1", "tasks": ["listops"],
    "attentions": [{"nam": "linear"}]})";
  const Ended bad = run({"run", folder / "bad.json"}, folder);
  CHECK(bad.code == 2);
  CHECK_THAT(bad.err, ContainsSubstring("/attentions/0"));
}

TEST_CASE("run: a plan has estimates, events are lines of JSON", "[run]") {
  const Scratch folder("suite-lock");
  std::ofstream(folder / "s.json") << R"({"schema": "lra-suite/1", "name": "s",
    "tasks": ["listops"], "attentions": ["linear"], "preset": "tiny",
    "settings": {"data.train": 100, "data.val": 10, "data.test": 10, "train.steps": 3,
                 "train.batch_size": 4, "task.min_tokens": 20, "task.max_tokens": 100,
                 "task.max_length": 100}})";
  const std::vector<std::string> arguments{"run",
                                           folder / "s.json",
                                           "--out",
                                           folder / "results",
                                           "--events",
                                           folder / "events",
                                           "--measure-seconds",
                                           "0.05"};
  const Ended plan = run({"run", folder / "s.json", "--dry-run"}, folder);
  CHECK(plan.code == 0);
  CHECK_THAT(plan.out, ContainsSubstring("1 runs"));
  CHECK_THAT(plan.out, ContainsSubstring(" MB"));
  REQUIRE(run(arguments, folder).code == 0);
  std::ifstream stream(folder / "events");
  std::vector<std::string> kinds;
  std::vector<std::string> phases;
  for (std::string line; std::getline(stream, line);) {
    const auto event = nlohmann::json::parse(line);
    kinds.push_back(event.at("event"));
    if (kinds.back() == "phase") phases.push_back(event.at("phase"));
    if (kinds.back() == "usage") {
      CHECK(event.at("busy_share") == lra::testing::Approx(event.at("cpu_seconds").get<double>() /
                                                           (event.at("wall_seconds").get<double>() *
                                                            event.at("threads").get<double>())));
    }
  }
  REQUIRE(kinds.size() >= 4);
  CHECK(kinds.front() == "suite");
  CHECK(phases == std::vector<std::string>{"estimate", "measurement", "accuracy"});
  for (const char* once : {"measured", "record", "usage"}) {
    INFO(once);
    CHECK(std::count(kinds.begin(), kinds.end(), once) == 1);
  }
  CHECK(kinds.back() == "end");
}

namespace {

// Four runs of a second or so, in two sizes.
void write_suite(const std::string& file, int steps) {
  std::ofstream(file) << fmt::format(R"({{"schema": "lra-suite/1", "name": "s",
    "tasks": ["listops", {{"name": "listops", "settings": {{"train.steps": {}}}}}],
    "attentions": ["softmax", "cosformer"], "preset": "tiny", "precision": "f32",
    "settings": {{"data.train": 200, "data.val": 20, "data.test": 20, "train.steps": {},
                  "train.eval_every": 10, "train.batch_size": 8, "task.min_tokens": 20,
                  "task.max_tokens": 200, "task.max_length": 200}}}})",
                                     2 * steps, steps);
}

void check_same_runs(const fs::path& one, const fs::path& two, std::size_t expected) {
  std::size_t runs = 0;
  for (const auto& entry : fs::directory_iterator(one / "runs")) {
    const fs::path other = two / "runs" / entry.path().filename();
    INFO(other.string());
    for (const char* file : {"model.safetensors", "metrics.jsonl"}) {
      CHECK(lra::read_file(entry.path() / file) == lra::read_file(other / file));
    }
    CHECK(lra::read_json(entry.path() / "result.json").at("accuracy") ==
          lra::read_json(other / "result.json").at("accuracy"));
    ++runs;
  }
  CHECK(runs == expected);
}

}  // namespace

TEST_CASE("run: several runs at once give the bits of one after the other, measured by themselves",
          "[run]") {
  const Scratch folder("suite-threads");
  write_suite(folder / "s.json", 20);
  for (const char* threads : {"1", "3"}) {
    const Ended o = run({"run", folder / "s.json", "--out", folder / threads, "--threads", threads,
                         "--measure-seconds", "0.1"},
                        folder);
    INFO(o.err);
    REQUIRE(o.code == 0);
    CHECK_THAT(o.err, ContainsSubstring("busy for"));
  }
  check_same_runs(folder / "1", folder / "3", 4);
  for (const auto& entry : fs::directory_iterator(folder.path() / "3" / "runs")) {
    const auto record = lra::results::from_json(lra::read_json(entry.path() / "result.json"), "");
    CHECK(record.speed.measured == lra::results::Timing::exclusive);
    REQUIRE(record.speed.train_step_ms);
    CHECK(record.speed.train_step_ms->count % 3 == 0);
    CHECK(record.speed.infer_batch_ms);
    CHECK(record.speed.infer_tokens_per_second.value_or(0) > 0);
    CHECK(record.memory.peak_tensor_bytes.value_or(0) > 0);
    CHECK(record.memory.peak_rss_bytes.value_or(0) > *record.memory.peak_tensor_bytes);
    const auto rounds =
        lra::read_json(entry.path() / "measurement.json").at("train").at("round_ms");
    CHECK(rounds.size() == 3);
  }
}

TEST_CASE("run: unmeasured runs beside each other say that they shared the machine", "[run]") {
  const Scratch folder("suite-shared");
  write_suite(folder / "s.json", 4);
  REQUIRE(run({"run", folder / "s.json", "--out", folder / "r", "--threads", "2",
               "--measure-seconds", "0"},
              folder)
              .code == 0);
  for (const auto& entry : fs::directory_iterator(folder.path() / "r" / "runs")) {
    const auto record = lra::results::from_json(lra::read_json(entry.path() / "result.json"), "");
    CHECK(record.speed.measured == lra::results::Timing::shared);
    CHECK_FALSE(record.memory.peak_rss_bytes);
  }
}

TEST_CASE("run: SIGINT checkpoints every run that goes on, and the command continues", "[run]") {
  const Scratch folder("suite-stop");
  write_suite(folder / "s.json", 40);
  const auto arguments = [&](const char* out) {
    return std::vector<std::string>{
        "run", folder / "s.json",      "--out", folder / out,        "--threads",
        "2",   "--checkpoint-seconds", "1000",  "--measure-seconds", "0"};
  };
  REQUIRE(run(arguments("whole"), folder).code == 0);
  const pid_t child = start(arguments("stopped"), folder);
  const auto begun = [&] {
    std::size_t count = 0;
    if (!fs::exists(folder.path() / "stopped" / "runs")) return count;
    for (const auto& entry : fs::directory_iterator(folder.path() / "stopped" / "runs")) {
      count += fs::exists(entry.path() / "metrics.jsonl") ? 1 : 0;
    }
    return count;
  };
  for (int i = 0; i < 4000 && begun() < 2; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ::kill(child, SIGTERM);
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 130);
  std::size_t interrupted = 0;
  for (const auto& entry : fs::directory_iterator(folder.path() / "stopped" / "runs")) {
    if (!fs::exists(entry.path() / "result.json")) continue;
    if (lra::read_json(entry.path() / "result.json")["status"] != "interrupted") continue;
    CHECK(fs::exists(entry.path() / "checkpoint.safetensors"));
    ++interrupted;
  }
  CHECK(interrupted == 2);
  REQUIRE(run(arguments("stopped"), folder).code == 0);
  check_same_runs(folder.path() / "whole", folder.path() / "stopped", 4);
}

TEST_CASE("run: what needs more memory than it may have is a record, the rest goes on", "[run]") {
  const Scratch folder("suite-memory");
  write_suite(folder / "s.json", 4);
  const Ended o = run({"run", folder / "s.json", "--out", folder / "r", "--memory", "0.000001",
                       "--measure-seconds", "0"},
                      folder);
  INFO(o.err);
  CHECK(o.code == 1);
  CHECK_THAT(o.err, ContainsSubstring("--memory"));
  for (const auto& entry : fs::directory_iterator(folder.path() / "r" / "runs")) {
    const auto record = lra::read_json(entry.path() / "result.json");
    CHECK(record.at("status") == "failed");
    CHECK_THAT(record.at("failure").get<std::string>(), ContainsSubstring("memory"));
  }
}

TEST_CASE("run: a plan says which runs need more memory than they may have and exits as they would",
          "[run]") {
  const Scratch folder("plan-memory");
  std::ofstream(folder / "s.json") << lra::testing::short_suite("\"linear\", \"softmax\"");
  const auto plan = [&](const std::vector<std::string>& more) {
    std::vector<std::string> a{"run", folder / "s.json", "--dry-run", "--out", folder / "r"};
    a.insert(a.end(), more.begin(), more.end());
    return run(a, folder);
  };
  const Ended whole = plan({});
  CHECK(whole.code == 0);
  CHECK(whole.out.find("--memory") == std::string::npos);
  const Ended little = plan({"--memory", "0.000001"});
  INFO(little.out << little.err);
  CHECK(little.code == 1);
  CHECK_THAT(little.out, ContainsSubstring(" MB, more than the 0 MB that may be used"));
  CHECK(std::count(little.out.begin(), little.out.end(), '\n') ==
        std::count(whole.out.begin(), whole.out.end(), '\n'));
  CHECK_THAT(little.err,
             ContainsSubstring("2 of 2 runs do not fit") && ContainsSubstring("--memory"));
  CHECK(plan({"--memory", "0.000001", "--keep-going"}).code == 0);
  // What has ended needs none any more.
  REQUIRE(run({"run", folder / "s.json", "--out", folder / "r", "--measure-seconds", "0"}, folder)
              .code == 0);
  CHECK(plan({"--memory", "0.000001"}).code == 0);
}

TEST_CASE("run: a bench suite is measured in turns, continued, and told relative to softmax",
          "[run]") {
  const Scratch folder("suite-bench");
  const auto suite = [&](const char* lengths) {
    std::ofstream(folder / "b.json") << fmt::format(
        R"({{"schema": "lra-suite/1", "name": "b", "attentions": ["softmax", "linear"],
        "preset": "tiny", "bench": {{"n": [{}], "batch": 2, "seconds": 0.02}}}})",
        lengths);
  };
  const std::vector<std::string> arguments{"run", folder / "b.json", "--out", folder / "r"};
  suite("64");
  REQUIRE(run(arguments, folder).code == 0);
  const fs::path file = folder.path() / "r" / "bench-linear_transformer-train.json";
  const auto before = lra::read_json(file);
  suite("64, 128");
  const Ended o = run(arguments, folder);
  INFO(o.err);
  REQUIRE(o.code == 0);
  const auto after = lra::read_json(file);
  REQUIRE(after.at("points").size() == 2);
  CHECK(after.at("points")[0] == before.at("points")[0]);
  CHECK(after.at("points")[1].at("step_ms").at("count").get<int>() >= 3);
  CHECK(after.at("measured") == "exclusive");
  CHECK_THAT(o.out, ContainsSubstring("Inference"));
  CHECK_THAT(o.out, ContainsSubstring("(1.00x)"));
  CHECK(fs::exists(folder.path() / "r" / "report.html"));
  // The plan tries short sequences alone: here 2^20 tokens of softmax would take minutes.
  suite("64, 1048576");
  const Ended plan = run({"run", folder / "b.json", "--dry-run"}, folder);
  CHECK(plan.code == 0);
  CHECK_THAT(plan.out, ContainsSubstring("softmax train") && ContainsSubstring("2 lengths") &&
                           ContainsSubstring(" days"));
}
