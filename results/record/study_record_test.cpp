#include "results/record/study_record.h"

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "tests/catch.h"

using lra::results::OnFault;
using lra::testing::ContainsSubstring;
using nlohmann::json;
namespace fs = std::filesystem;
namespace results = lra::results;

namespace {

json sample(const std::string& swept) {
  const json point = {
      {"kernel", "softmax"}, {"n", 30},    {"maxpool", true}, {"trials", 20},
      {"value", 0.9},        {"low", 0.7}, {"high", 0.97},    {"reference", nullptr}};
  return {{"schema", "lra.study/1"}, {"study", "separation"},
          {"mode", "theory"},        {"seed", 1},
          {"swept", swept},          {"quantity", "success rate"},
          {"source", "a paper"},     {"caveat", "a caveat"},
          {"points", {point}}};
}

std::vector<fs::path> committed() {
  const fs::path folder = fs::path(lra::testing::source_dir()) / "results/measured/separation";
  return results::find_series({folder}, "separation", OnFault::refuse).files;
}

}  // namespace

TEST_CASE("study record: committed files are written back as they are", "[unit]") {
  REQUIRE(committed().size() >= 2);
  for (const fs::path& file : committed()) {
    INFO(file);
    const auto record = results::study_from_json(lra::read_json(file), file.string());
    CHECK(lra::json_text(results::to_json(record), 2) + "\n" == lra::read_file(file));
  }
}

TEST_CASE("study record: damage of any member is an error with file, member and reason", "[unit]") {
  const json good = lra::read_json(committed().front());
  const auto refusal = [&good](const std::string& member, const json& value) {
    json damaged = good;
    damaged[json::json_pointer(member)] = value;
    try {
      static_cast<void>(results::study_from_json(damaged, "s.json"));
    } catch (const lra::Error& error) {
      CHECK(error.kind() == lra::ErrorKind::data);
      return std::string(error.what());
    }
    return std::string();
  };
  const auto check_members = [&refusal](const json& members, const std::string& at) {
    for (const auto& [name, value] : members.items()) {
      const std::string member = at + "/" + name;
      CHECK_THAT(refusal(member, json::object()), ContainsSubstring("s.json: " + member + ": "));
    }
  };
  check_members(good, "");
  check_members(good["points"][3], "/points/3");
  CHECK(refusal("/mode", "practice") ==
        R"(s.json: /mode: got "practice", expected one of "theory", "noise", "train")");
  CHECK(refusal("/points/3/n", "240") ==
        R"(s.json: /points/3/n: wrong type; got "240", expected integer)");
  CHECK(refusal("/points/0/detections", -1) ==
        "s.json: /points/0/detections: out of range; got -1, expected at least 0");
}

TEST_CASE("study record: a record that no reader would take is not written", "[unit]") {
  auto record = results::study_from_json(sample("n"), "s.json");
  CHECK(results::to_json(record) == sample("n"));
  record.points[0].trials = 0;
  CHECK_THROWS_WITH(results::to_json(record),
                    ContainsSubstring("/points/0/trials: out of range; got 0"));
  record.points[0].low = std::nan("");
  CHECK_THROWS_WITH(results::to_json(record), ContainsSubstring("/points/low: got nan"));
}

TEST_CASE("study record: a point's place is the swept setting, a switch 0 or 1", "[unit]") {
  const auto record = results::study_from_json(sample("n"), "s.json");
  REQUIRE(record.points.size() == 1);
  CHECK(record.points[0].x == 30);
  CHECK(record.points[0].high == 0.97);
  CHECK_FALSE(record.points[0].reference.has_value());
  CHECK(results::study_from_json(sample("maxpool"), "s.json").points[0].x == 1);
  CHECK_THROWS_WITH(results::study_from_json(sample("kernel"), "s.json"),
                    ContainsSubstring("s.json: /points/0/kernel: got \"softmax\", expected"));
  CHECK_THROWS_WITH(results::study_from_json(sample("d"), "s.json"),
                    ContainsSubstring("s.json: /points/0/d: got nothing, expected"));
}

TEST_CASE("study record: files are found, faulty ones named", "[unit]") {
  const fs::path folder = fs::temp_directory_path() / fmt::format("lra-study-{}", ::getpid());
  lra::write_json(folder / "separation.json", sample("n"));
  lra::write_json(folder / "sub" / "separation-train.json", sample("n"));
  lra::write_json(folder / "other.json", sample("n"));
  json wrong = sample("n");
  wrong["schema"] = "lra.study/9";
  lra::write_json(folder / "separation-wrong.json", wrong);
  const auto loaded = results::load_studies({folder}, OnFault::skip);
  CHECK(loaded.records.size() == 2);
  REQUIRE(loaded.faults.size() == 1);
  CHECK_THAT(loaded.faults[0].message,
             ContainsSubstring("separation-wrong.json: /schema") && ContainsSubstring("study/9"));
  CHECK_THROWS_AS(results::load_studies({folder}, OnFault::refuse), lra::Error);
  const fs::path cut = folder / "cut" / "separation.json";
  lra::write_file_atomic(cut, lra::json_text(sample("n")).substr(0, 60));
  CHECK_THROWS_WITH(
      results::load_studies({folder / "cut"}, OnFault::refuse),
      ContainsSubstring(cut.string() + ":1:") && ContainsSubstring("the text is truncated"));
  fs::remove_all(folder);
}
