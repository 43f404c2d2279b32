// Wrong use, lists, faulty data, a full disk.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/base/file.h"
#include "tests/catch.h"
#include "tests/tiny_run.h"

namespace lra::testing {
namespace {

namespace fs = std::filesystem;

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
  const Ended table = run({"list", "tasks", "listops", "file", "--format", "md"}, folder);
  CHECK(table.code == 0);
  CHECK_THAT(table.out, ContainsSubstring("the value | 2000 | 96,000 / 2,000 / 2,000 |"));
  CHECK_THAT(table.out, ContainsSubstring("| any |"));
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

}  // namespace
}  // namespace lra::testing
