#include "harness/check/golden.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "attention/attention.h"
#include "engine/base/file.h"
#include "engine/runtime.h"
#include "harness/check/golden_file.h"
#include "harness/check/gradients.h"
#include "tests/catch.h"

namespace lra::harness {
namespace {

using nlohmann::json;
using testing::ContainsSubstring;

const std::filesystem::path kGolden =
    std::filesystem::path(lra::testing::source_dir()) / "tests" / "golden";

// A folder of this process, removed at the end.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "lra-golden-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) fail(ErrorKind::io, "no temporary folder");
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::filesystem::path write(const std::string& name, const json& content) const {
    auto path = path_ / name;
    write_file_atomic(path, content.dump());
    return path;
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

json softmax_file() { return read_json(kGolden / "attention" / "softmax.json"); }

json tensor(std::vector<std::int64_t> shape, std::vector<double> data) {
  return {{"shape", std::move(shape)}, {"dtype", "float"}, {"data", std::move(data)}};
}

// The message that a file fails with.
std::string refusal(const json& content) {
  const Folder folder;
  try {
    static_cast<void>(check_golden_file(folder.write("softmax.json", content)));
  } catch (const Error& e) {
    return fmt::format("{}: {}", exit_code(e.kind()), e.what());
  }
  return "accepted";
}

void require_no_failure(const GoldenReport& report) {
  for (const GoldenResult& result : report.cases) {
    INFO(golden_line(result));
    CHECK(result.status != GoldenStatus::fail);
  }
  for (const auto& error : report.errors) {
    INFO(error.message);
    // A file of a variant that this build lacks.
    CHECK(error.kind == ErrorKind::usage);
  }
}

TEST_CASE("check golden: the reduced files pass, of all variants and blocks", "[golden]") {
  const GoldenReport report = check_golden({kGolden});
  require_no_failure(report);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kGolden)) {
    const std::string name = entry.path().stem().string();
    if (entry.is_directory() || (entry.path().parent_path().filename() == "attention" &&
                                 attention::registry().find(name) == nullptr)) {
      continue;
    }
    INFO(name);
    CHECK(std::any_of(report.cases.begin(), report.cases.end(), [&](const GoldenResult& result) {
      return result.file == entry.path() && result.status == GoldenStatus::pass;
    }));
  }
}

TEST_CASE("check golden: the reduced attention files pass in bf16 at its tolerances", "[golden]") {
  if (!engine::machine().avx512) {
    WARN("skipped: oneDNN has no bf16 on this machine");
    return;
  }
  GoldenOptions options;
  options.precision = engine::DType::bf16;
  for (const char* name : {"softmax", "linear_transformer"}) {
    const auto path = kGolden / "attention" / (std::string(name) + ".json");
    require_no_failure(check_golden({path}, options));
  }
}

TEST_CASE("check golden: blocks around heads and operations inside blocks are run by their level",
          "[golden]") {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"delta_net", "block_both_n2_masked"},
      {"gated_deltanet", "block_both_n2_masked"},
      {"kda", "block_causal_nomask"},
      {"rwkv7", "both_n2_masked"}};
  for (const auto& [file, name] : cases) {
    const auto results = check_golden_file(kGolden / "attention" / (file + ".json"));
    const auto found = std::find_if(results.begin(), results.end(),
                                    [&, &n = name](const auto& r) { return r.name == n; });
    REQUIRE(found != results.end());
    INFO(golden_line(*found));
    CHECK(found->status == GoldenStatus::pass);
  }
}

TEST_CASE("check golden: an operation inside a block goes both ways unless its case says causal",
          "[golden]") {
  const Folder folder;
  for (const char* name : {"hgrn", "mamba", "rwkv7"}) {
    INFO(name);
    json file = read_json(kGolden / "attention" / (std::string(name) + ".json"));
    const json core = file["cases"][0];
    REQUIRE(core["hyper"]["level"] == "core");
    const auto error = [&](const json& causal) {
      file["cases"] = json::array({core});
      json& hyper = file["cases"][0]["hyper"];
      hyper.erase("causal");
      if (!causal.is_null()) hyper["causal"] = causal;
      return check_golden_file(folder.write(fmt::format("{}.json", name), file))[0].output_error;
    };
    CHECK(error(json()) == error(false));
    CHECK(error(json()) != error(true));
  }
}

// Twice the sequences of a tensor [B, ...].
void repeat_sequences(json& tensor) {
  tensor["shape"][0] = 2 * tensor["shape"][0].get<std::int64_t>();
  const json once = tensor["data"];
  for (const json& value : once) tensor["data"].push_back(value);
}

TEST_CASE("check golden: without words for it, a draw of B rows of N is one per sequence",
          "[golden]") {
  const Folder folder;
  const auto passes = [&](const std::string& variant, const std::string& name, bool each) {
    json file = read_json(kGolden / "attention" / (variant + ".json"));
    file.erase("convention");
    const json cases = file["cases"];
    file["cases"] = json::array();
    for (json c : cases) {
      if (c["name"] != name) continue;
      for (const char* part : {"inputs", "expected", "grad_out", "grad"}) {
        for (json& t : c[part]) repeat_sequences(t);
      }
      if (c["mask"].is_object()) repeat_sequences(c["mask"]);
      for (json& t : c["fixed"]) {
        REQUIRE(t["shape"][0] == (each ? 1 : 2));
        if (each) repeat_sequences(t);
      }
      file["cases"].push_back(c);
    }
    const auto results = check_golden_file(folder.write(variant + ".json", file));
    REQUIRE(results.size() == 1);
    INFO(golden_line(results[0]));
    CHECK(results[0].status == GoldenStatus::pass);
  };
  passes("longformer", "masked", true);  // global [B, N]
  passes("bigbird", "nomask", false);    // rand [H, blocks, picks], with as many heads as sequences
  passes("rwkv7", "both_n2_masked", true);  // an operation, with more sequences than heads
}

TEST_CASE("check golden: the whole official set passes", "[golden][slow]") {
  const char* folder = std::getenv("LRA_TEST_GOLDEN");
  if (folder == nullptr) {
    WARN("LRA_TEST_GOLDEN is not set; the official golden files were not run");
    return;
  }
  require_no_failure(check_golden({folder}));
}

TEST_CASE("check golden: a wrong number is found, named and gives exit code 1", "[unit]") {
  const Folder folder;
  json file = softmax_file();
  json& c = file["cases"][0];
  json& value = c["grad"]["k"]["data"][0];
  double largest = 0;
  for (const auto& [name, gradient] : c["grad"].items()) {
    for (const json& g : gradient["data"]) largest = std::max(largest, std::abs(g.get<double>()));
  }
  value = value.get<double>() + 6e-5 * largest;
  GoldenReport report = check_golden({folder.write("softmax.json", file)});
  CHECK(report.count(GoldenStatus::fail) == 1);
  CHECK(report.exit_code() == 1);
  CHECK(report.cases[0].worst == "grad k");
  CHECK_THAT(golden_line(report.cases[0]), ContainsSubstring("FAIL softmax/"));
  CHECK_THAT(golden_summary(report), ContainsSubstring("1 failed"));

  file = softmax_file();
  file["cases"][0]["expected"]["out"]["data"][1] = 1e6;
  report = check_golden({folder.write("softmax.json", file)});
  CHECK(report.cases[0].worst == "out");
}

TEST_CASE("check golden: tolerances follow what float32 got elsewhere", "[unit]") {
  const Folder folder;
  json file = softmax_file();
  file["cases"][0]["f32_observed_rel"] = {{"out", 1e-3}, {"grad", -1}};
  const auto results = check_golden_file(folder.write("softmax.json", file));
  CHECK(results[0].output_tolerance == testing::Approx(8e-3));
  CHECK(results[0].gradient_tolerance == testing::Approx(5e-5));
}

TEST_CASE("check golden: an optional mode that is not offered is skipped, a required one fails",
          "[unit]") {
  const Folder folder;
  json file = softmax_file();
  json extra = file["cases"][0];
  extra["name"] = "quirk";
  extra["hyper"]["mode"] = "some_code";
  extra["optional"] = true;
  file["cases"].push_back(extra);
  GoldenReport report = check_golden({folder.write("softmax.json", file)});
  CHECK(report.cases.back().status == GoldenStatus::skip);
  CHECK_THAT(report.cases.back().note, ContainsSubstring("mode = \"some_code\""));
  CHECK(report.exit_code() == 0);

  file["cases"].back()["hyper"] = {{"form", "no_such_form"}};
  CHECK(check_golden({folder.write("softmax.json", file)}).cases.back().status ==
        GoldenStatus::skip);
  file["cases"].back()["optional"] = false;
  report = check_golden({folder.write("softmax.json", file)});
  CHECK(report.cases.back().status == GoldenStatus::fail);
  CHECK_THAT(report.cases.back().note, ContainsSubstring("no_such_form"));
}

TEST_CASE("check golden: a file is found by its variant or by its name, aliases included",
          "[unit]") {
  const Folder folder;
  json file = read_json(kGolden / "attention" / "linear_transformer.json");
  file["variant"] = "linear";
  CHECK(check_golden_file(folder.write("any.json", file))[0].variant == "linear_transformer");
  file["variant"] = "something";
  CHECK(check_golden_file(folder.write("linear.json", file))[0].variant == "linear_transformer");
  CHECK_THROWS_WITH(check_golden_file(folder.write("any.json", file)),
                    ContainsSubstring("unknown variant or block 'something'"));
}

TEST_CASE("check golden: unusable files are reported and the others run", "[unit]") {
  const Folder folder;
  static_cast<void>(folder.write("a.json", {{"format_version", 2}}));
  static_cast<void>(folder.write("softmax.json", softmax_file()));
  const GoldenReport report = check_golden({folder.path()});
  CHECK(report.errors.size() == 1);
  CHECK(report.exit_code() == 3);
  CHECK(report.count(GoldenStatus::pass) == static_cast<std::int64_t>(report.cases.size()));
  CHECK(check_golden({folder.path() / "absent.json"}).exit_code() == 3);
  const Folder empty;
  CHECK_THROWS_WITH(check_golden({empty.path()}), ContainsSubstring("no .json files"));
}

TEST_CASE("check golden: malformed files are refused with file and case", "[unit]") {
  const auto changed = [](const auto& change) {
    json file = softmax_file();
    change(file["cases"][0]);
    return refusal(file);
  };
  const std::string name = softmax_file()["cases"][0]["name"];
  CHECK_THAT(refusal(json::array()), ContainsSubstring("3: "));
  CHECK_THAT(refusal({{"format_version", 1}}), ContainsSubstring("'variant' is missing"));
  CHECK_THAT(refusal({{"format_version", 1}, {"variant", "softmax"}, {"cases", json::array()}}),
             ContainsSubstring("at least one case"));
  CHECK_THAT(changed([](json& c) { c.erase("name"); }), ContainsSubstring("cases[0]"));
  CHECK_THAT(changed([](json& c) { c["inputs"]["q"]["data"].erase(0); }),
             ContainsSubstring("case " + name + ": inputs.q: data has"));
  CHECK_THAT(changed([](json& c) { c["inputs"]["q"]["data"][0] = nullptr; }),
             ContainsSubstring("null"));
  CHECK_THAT(changed([](json& c) { c["inputs"]["q"]["shape"][0] = -2; }),
             ContainsSubstring("expected sizes"));
  CHECK_THAT(changed([](json& c) { c["inputs"]["q"]["dtype"] = "half"; }),
             ContainsSubstring("dtype"));
  CHECK_THAT(changed([](json& c) { c["grad"].erase("k"); }),
             ContainsSubstring("inputs.k has no counterpart"));
  CHECK_THAT(changed([](json& c) { c["grad"]["k"] = tensor({1}, {0}); }),
             ContainsSubstring("grad.k has shape"));
  CHECK_THAT(changed([](json& c) {
               c["mask"] = tensor({1, 2}, {0, 1});
             }),
             ContainsSubstring("not ones followed by zeros"));
  CHECK_THAT(changed([](json& c) {
               c["mask"] = tensor({1, 2}, {1, 1});
             }),
             ContainsSubstring("case " + name));
  CHECK_THAT(changed([](json& c) { c["expected"] = json::object(); }),
             ContainsSubstring("'expected' is empty"));
  CHECK_THAT(changed([](json& c) { c["hyper"] = 3; }), ContainsSubstring("'hyper'"));
  CHECK_THAT(changed([](json& c) { c["optional"] = "yes"; }), ContainsSubstring("'optional'"));
  CHECK_THAT(changed([](json& c) {
               for (const char* member : {"inputs", "grad"}) c[member].erase("v");
             }),
             ContainsSubstring("input v is missing"));
  const Folder folder;
  write_file_atomic(folder.path() / "softmax.json", "{\"format_version\": 1,");
  CHECK_THROWS_WITH(check_golden_file(folder.path() / "softmax.json"),
                    ContainsSubstring("softmax.json"));
}

TEST_CASE("check gradients: reports each setting and the worst errors of a variant", "[grad]") {
  std::int64_t seen = 0;
  const auto results = check_gradients("linear", [&](const GradientResult&) { ++seen; });
  REQUIRE_FALSE(results.empty());
  CHECK(seen == static_cast<std::int64_t>(results.size()));
  CHECK(gradient_exit_code(results) == 0);
  CHECK(results[0].variant == "linear_transformer");
  CHECK(results[0].gradient_errors.count("q") == 1);
  CHECK_THAT(gradient_line(results[0]), ContainsSubstring("PASS linear_transformer"));
  CHECK_THAT(gradient_summary(results),
             ContainsSubstring("settings of 1 variant: ") && ContainsSubstring("0 failed"));
  CHECK_THROWS_WITH(check_gradients("softmx"), ContainsSubstring("softmax"));
  auto failed = results;
  failed[0].passed = false;
  CHECK(gradient_exit_code(failed) == 1);
  CHECK_THAT(gradient_summary(failed), ContainsSubstring("1 failed"));
}

}  // namespace
}  // namespace lra::harness
