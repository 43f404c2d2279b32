#include "results/record/study_record.h"

#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/base/error.h"
#include "engine/base/file.h"
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

}  // namespace

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
  fs::remove_all(folder);
}
