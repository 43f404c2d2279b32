// Where the data of a run are looked for, what is said of the place, and how many of them are
// taken.

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "tests/catch.h"
#include "tests/process.h"
#include "tests/two_data.h"

namespace lra::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

}  // namespace

TEST_CASE("identity: data that are gone are named with the place where the run had them", "[run]") {
  const TwoData data("gone");
  const Scratch& folder = data.folder;
  const std::string odd = folder / "odd \xff";  // no UTF-8
  fs::copy(data.a(), odd);
  auto file = training(data.a(), folder / "file");
  file[2] = "file";
  auto of_odd = training(odd, folder / "odd-file");
  of_odd[2] = "file";
  for (const auto& arguments :
       {training(data.a(), folder / "text"), file, training(odd, folder / "odd-text"), of_odd}) {
    const Ended o = run_program(arguments, folder);
    INFO(o.err);
    REQUIRE(o.code == 0);
  }
  // By default the place is that of the training, whatever its bytes.
  CHECK(run_program({"evaluate", folder / "odd-file"}, folder).code == 0);
  fs::rename(data.a(), folder / "moved");
  fs::rename(odd, folder / "odd-moved");
  const auto evaluated = [&](const char* run, const std::string& place, const std::string& now) {
    for (const char* command : {"evaluate", "diagnose"}) {
      const Ended o = run_program({command, folder / run}, folder);
      INFO(command << " " << run << ": " << o.err);
      CHECK(o.code == 3);
      CHECK_THAT(o.err, ContainsSubstring(place + ", which is missing") &&
                            ContainsSubstring("give --data PATH"));
      CHECK(std::count(o.err.begin(), o.err.end(), '\n') == 1);
    }
    CHECK(run_program({"evaluate", folder / run, "--data", now}, folder).code == 0);
  };
  evaluated("text", data.a().string(), folder / "moved");
  evaluated("file", data.a().string(), folder / "moved");
  evaluated("odd-text", "odd \\xff", folder / "odd-moved");
  evaluated("odd-file", "odd \\xff", folder / "odd-moved");
  // The same data elsewhere are found, others are not taken for them.
  const auto with = [&](const fs::path& place) {
    return run_program({"evaluate", folder / "text"}, folder,
                       [place] { ::setenv("LRA_DATA", place.c_str(), 1); });
  };
  CHECK(with(folder / "moved").code == 0);
  const Ended other = with(data.b());
  CHECK(other.code == 3);
  CHECK_THAT(other.err, ContainsSubstring(data.a().string() + ", which is missing"));
}

TEST_CASE("identity: a description tells how the data were found this time", "[run]") {
  const TwoData data("found");
  const Scratch& folder = data.folder;
  const auto described = [&](std::vector<std::string> more, const std::function<void()>& prepare) {
    more.insert(more.begin(), {"data", "check", "text"});
    const Ended o = run_program(more, folder, prepare);
    INFO(o.err);
    REQUIRE(o.code == 0);
    auto arguments = training("", folder / fmt::format("run-{}", more.size()));
    std::erase(arguments, "--data");
    std::erase(arguments, "");
    arguments.insert(arguments.end(), more.begin() + 3, more.end());
    REQUIRE(run_program(arguments, folder, prepare).code == 0);
    const json record =
        read_json(fs::path(folder / fmt::format("run-{}", more.size())) / "result.json");
    std::string text = record["task"]["data"]["description"];
    CHECK_THAT(o.out, ContainsSubstring(text));
    return text;
  };
  const std::string name = data.a().parent_path().filename().string() + "/A";
  CHECK_THAT(described({"--data", "."}, [&] { fs::current_path(data.a()); }),
             ContainsSubstring("in " + name + " (--data)"));
  CHECK_THAT(described({}, [&] { ::setenv("LRA_DATA", data.a().c_str(), 1); }),
             ContainsSubstring("in " + name + " ($LRA_DATA)"));
  const Ended tested = run_program({"evaluate", folder / "run-3"}, folder);
  CHECK_THAT(tested.out, ContainsSubstring("in " + name + " (where they were in training)"));
}

TEST_CASE("identity: what the preset wishes binds no folder, what the user asks for does",
          "[run]") {
  const TwoData data("identity-counts");
  const Scratch& folder = data.folder;
  const Ended whole = run_program(training(data.a(), folder / "whole"), folder);
  INFO(whole.err);
  REQUIRE(whole.code == 0);
  CHECK_THAT(whole.out, ContainsSubstring("--set data.train=N"));
  const auto counts =
      read_json(fs::path(folder / "whole") / "result.json")["task"]["data"]["counts"];
  CHECK(counts["train"].get<int>() + counts["val"].get<int>() == 60);
  const Ended asked =
      run_program(training(data.a(), folder / "asked", {"--set", "data.train=61"}), folder);
  CHECK(asked.code == 3);
  CHECK_THAT(asked.err, ContainsSubstring("expected 61"));
  const Ended cut =
      run_program(training(data.a(), folder / "cut", {"--set", "data.test=10"}), folder);
  CHECK(cut.code == 0);
  CHECK_THAT(cut.out, ContainsSubstring("cut to the first 10 of 60 test examples"));
}

TEST_CASE("identity: $LRA_DATA that names a missing folder is an error", "[run]") {
  const Scratch folder("identity-environment");
  const Ended o = run_program({"train", "--task", "text", "--attention", "linear", "--preset",
                               "tiny", "--out", folder / "run"},
                              folder, [] { ::setenv("LRA_DATA", "/nowhere/data", 1); });
  CHECK(o.code == 3);
  CHECK_THAT(o.err, ContainsSubstring("$LRA_DATA: /nowhere/data: does not exist"));
}

}  // namespace lra::testing
