#include "results/report/report.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "results/record/load.h"
#include "results/record/testing.h"
#include "tests/catch.h"

using lra::results::Record;
using lra::results::ReportOptions;
using lra::results::testing::sample_bench;
using lra::results::testing::sample_record;
using lra::testing::Approx;
using lra::testing::ContainsSubstring;
namespace fs = std::filesystem;
namespace results = lra::results;

namespace {

const fs::path kFixture = fs::path(lra::testing::source_dir()) / "results" / "testdata" / "fixture";

struct Folder {
  fs::path path = fs::temp_directory_path() / fmt::format("lra-report-{}", ::getpid());
  Folder() { fs::create_directories(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path); }
};

// Two kernels over n = 30, 480; one has a reference and misses a value.
results::StudyRecord sample_study() {
  results::StudyRecord study;
  study.mode = results::StudyMode::theory;
  study.swept = "n";
  study.quantity = "success rate";
  study.source = "a source <&>";
  study.caveat = "A caveat.";
  study.points = {{"linear", 30, 20, 0.8, 0.6, 0.9, {}},
                  {"linear", 480, 20, 0.125, 0.0, 0.2, {}},
                  {"softmax", 30, 20, 0.9, 0.7, 0.97, 0.95},
                  {"softmax", 480, 20, {}, {}, {}, 0.99}};
  return study;
}

std::string fixture_page(const fs::path& folder = kFixture) {
  const auto runs = results::load_records({kFixture}, results::OnFault::refuse);
  const auto benches = results::load_benches({kFixture}, results::OnFault::refuse);
  ReportOptions options;
  options.title = "Fixture <&>";
  options.folder = folder;
  options.table.with = {"lra2021"};
  return results::render_report(runs.records, benches.records, {sample_study()}, {}, options);
}

// Output of a shell command; empty if it cannot run or fails.
std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return text;
  std::array<char, 4096> buffer{};
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    text.append(buffer.data(), got);
  }
  return ::pclose(pipe) == 0 ? text : "";
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++found;
  return found;
}

}  // namespace

TEST_CASE("report: the page is complete in itself and the same each time", "[unit]") {
  const std::string page = fixture_page();
  CHECK(page == fixture_page());
  CHECK_THAT(page, ContainsSubstring("<title>Fixture &lt;&amp;&gt;</title>"));
  CHECK_THAT(page, !ContainsSubstring("{{"));
  for (const char* external : {"src=\"http", "href=\"http", "@import", "url(http", "<link"}) {
    CHECK_THAT(page, !ContainsSubstring(external));
  }
  CHECK_THAT(page, ContainsSubstring("21 completed, 1 diverged, 1 interrupted, 1 failed runs."));
  CHECK_THAT(page, ContainsSubstring("loss is NaN at step 1733"));
  CHECK_THAT(page, ContainsSubstring("Foreign CPU 3"));
  CHECK_THAT(page, ContainsSubstring("stand-in data, not comparable"));
  CHECK_THAT(page, ContainsSubstring("Transformer (Tay et al. 2021)"));
  CHECK(count(page, "/\">") == 24);           // a link for each run's folder
  CHECK(count(page, "<tr id=\"run-") == 23);  // two runs of one specification on two machines
  CHECK_THAT(page, ContainsSubstring("<a href=\"#run-97c779798cd85889-"));
  CHECK_THAT(fixture_page(kFixture.parent_path()), ContainsSubstring("<a href=\"fixture/listops-"));
}

TEST_CASE("report: a search is one curve for all seeds, a trial without a result counts as 0",
          "[unit]") {
  std::vector<results::Record> records;
  for (const std::int64_t seed : {0, 1}) {
    records.push_back(results::testing::sample_record("listops", "softmax", seed));
    records.back().search = results::testing::sample_search();
  }
  records.push_back(results::testing::sample_record("listops", "linear", 0));
  const auto data = results::report_data(records, {}, {}, {});
  REQUIRE(data["searches"].size() == 1);
  const auto& search = data["searches"][0];
  CHECK(search["label"] == "softmax");
  CHECK(search["steps"] == 100);
  REQUIRE(search["points"].size() == 3);
  // First accuracies 0.3, 0.31 and none: of one draw the mean, of two over the 9 pairs
  // (5 x 0.31 + 3 x 0.3 + 1 x 0) / 9.
  CHECK(search["points"][0]["accuracy"].get<double>() == Approx(100 * 0.61 / 3));
  CHECK(search["points"][1]["accuracy"].get<double>() == Approx(100 * 2.45 / 9));
}

TEST_CASE("report: the options of its tables act, or are refused where there are no runs",
          "[unit]") {
  const std::vector<Record> records{sample_record("listops", "softmax"),
                                    sample_record("listops", "linear"),
                                    sample_record("listops", "cosformer")};
  const std::vector<results::BenchRecord> benches{sample_bench("softmax", 2, 50),
                                                  sample_bench("linear", 1, 100)};
  ReportOptions options;
  CHECK_THAT(results::render_report(records, benches, {}, {}, options),
             ContainsSubstring("paired over common seeds with the row softmax"));
  options.table.baseline = "linear";
  CHECK_THAT(results::render_report(records, benches, {}, {}, options),
             ContainsSubstring("paired over common seeds with the row linear"));
  CHECK_THROWS_WITH(results::render_report({}, benches, {}, {}, options),
                    ContainsSubstring("--baseline has no effect without results of runs"));
  options.table = {};
  options.table.attentions = {"linear"};
  for (const auto& runs : {records, std::vector<Record>{}}) {
    const auto data = results::report_data(runs, benches, {}, options);
    REQUIRE(data["scaling"].size() == 1);
    REQUIRE(data["scaling"][0]["lines"].size() == 1);
    CHECK(data["scaling"][0]["lines"][0]["model"] == "linear");
    CHECK(data["scaling"][0]["lines"][0]["efficiencyLength"] == "2,048");
  }
  CHECK_THROWS_WITH(results::render_report({}, {}, {sample_study()}, {}, options),
                    ContainsSubstring("--attention has no effect"));
  options.table.attentions = {"linaer"};
  CHECK_THROWS_WITH(results::render_report({}, benches, {}, {}, options),
                    ContainsSubstring("unknown attention 'linaer'; did you mean linear"));
  options.table = {};
  options.table.tasks = {"listops"};
  CHECK_THROWS_WITH(results::render_report({}, benches, {}, {}, options),
                    ContainsSubstring("--tasks has no effect"));
}

TEST_CASE("report: differences to the literature are in the leaderboard alone", "[unit]") {
  const auto runs = results::load_records({kFixture}, results::OnFault::refuse);
  ReportOptions options;
  options.table.delta = "lra2021";
  const std::string page = results::render_report(runs.records, {}, {}, {}, options);
  const std::size_t shown = page.find("Δ +21.66");
  REQUIRE(shown != std::string::npos);
  CHECK(page.find("Δ +21.66", shown + 1) == std::string::npos);
}

TEST_CASE("report: the data of its pictures", "[unit]") {
  const auto runs = results::load_records({kFixture}, results::OnFault::refuse);
  const auto benches = results::load_benches({kFixture}, results::OnFault::refuse);
  const auto data = results::report_data(runs.records, benches.records, {sample_study()}, {});
  CHECK(data["tasks"][0]["task"] == "average");
  CHECK(data["tasks"][1]["task"] == "listops");
  CHECK(data["curves"].size() == 24);
  CHECK(data["scaling"].size() == 2);
  REQUIRE(data["studies"].size() == 1);
  CHECK(data["studies"][0]["lines"][0]["kernel"] == "linear");
  CHECK(data["studies"][0]["lines"][0]["points"][1]["value"] == 0.125);
  CHECK(data["studies"][0]["lines"][1]["points"][1]["value"].is_null());
  CHECK(data["studies"][0]["lines"][1]["points"][1]["reference"] == 0.99);
  const auto& line = data["scaling"][0]["lines"][0];
  CHECK(line["label"] == "cosFormer");
  CHECK(line["timeExponent"].get<double>() == Approx(1.02));
  CHECK(line["efficiencyLength"] == "1,792");
  CHECK(data["scaling"][0]["lines"][2]["efficiencyLength"] == "baseline");
  const auto of = [&](const char* task, const char* label) {
    return *std::find_if(data["points"].begin(), data["points"].end(), [&](const auto& point) {
      return point["task"] == task && point["label"] == label;
    });
  };
  const auto average = of("average", "Transformer (f32)");
  CHECK(average["accuracy"].get<double>() == Approx(58.2107).epsilon(1e-5));
  CHECK(average["standIn"] == true);
  CHECK(average["memory"] == 140.0);
  CHECK(of("pathfinder", "cosFormer (f32)")["freeForAll"] == true);
  CHECK(of("listops", "Transformer (bf16)")["low"].get<double>() == Approx(34.52).epsilon(1e-3));
}

TEST_CASE("report: accuracy over the length of test sequences, what is not applicable left out",
          "[unit]") {
  Record record = sample_record();
  record.lengths.points.push_back({4, {}, {}, {}, {}, {}, "a table of positions ends before"});
  const auto data = results::report_data({record}, {}, {}, {});
  REQUIRE(data["lengths"].size() == 1);
  const auto& points = data["lengths"][0]["points"];
  REQUIRE(points.size() == 2);
  CHECK(points[1]["n"] == 4000);
  CHECK(points[1]["accuracy"].get<double>() == Approx(45));
}

TEST_CASE("report: a study is shown, beside runs or alone", "[unit]") {
  for (const std::string& page :
       {fixture_page(), results::render_report({}, {}, {sample_study()}, {}, ReportOptions{})}) {
    CHECK_THAT(page, ContainsSubstring("<th>n = 30</th><th>n = 480</th>"));
    CHECK_THAT(page, ContainsSubstring("<td data-value=\"0.9\">0.900</td><td>—</td>"));
    CHECK_THAT(page, ContainsSubstring("A caveat. Source: a source &lt;&amp;&gt;."));
  }
}

TEST_CASE("report: a damaged learning curve is named and the page goes on", "[unit]") {
  const Folder folder;
  Record record = sample_record();
  record.file = folder.path / "result.json";
  lra::write_file_atomic(folder.path / "metrics.jsonl", "{\"step\": \"x\"}\n");
  const std::string page = results::render_report({record}, {}, {}, {}, ReportOptions{});
  CHECK_THAT(page, ContainsSubstring("Skipped: ") && ContainsSubstring("metrics.jsonl:1: /"));
  CHECK_THAT(page, ContainsSubstring("\"curves\":[]"));
}

TEST_CASE("report: predictors have one decimal, links to runs are escaped", "[unit]") {
  Record record = sample_record();
  record.file = "/runs/09 az-AZ_.~é/result.json";
  record.baselines = {{"rule", "a rule", 0.12345, 0.5}};
  ReportOptions options;
  options.folder = "/runs";
  const std::string page = results::render_report({record}, {}, {}, {}, options);
  CHECK_THAT(page, ContainsSubstring("href=\"09%20az-AZ_.~%C3%A9/\""));
  const std::size_t row = page.find("a rule</td>", page.find("<h2>Trivial predictors"));
  REQUIRE(row != std::string::npos);
  CHECK_THAT(page.substr(row, 80), ContainsSubstring(">12.3<"));
}

TEST_CASE("report: text of records cannot break out of the page", "[unit]") {
  Record record = sample_record();
  record.attention.label = "</script><script>alert(1)</script>";
  const std::string page = results::render_report(
      {record}, {}, {}, {{"x/result.json", "x/result.json: <b>cut</b>"}}, ReportOptions{});
  CHECK_THAT(page, !ContainsSubstring("<script>alert") && !ContainsSubstring("<b>cut"));
  CHECK_THAT(page, ContainsSubstring("Skipped: x/result.json: &lt;b&gt;cut"));
  CHECK(count(page, "</script>") == count(page, "<script"));
}

TEST_CASE("report: pictures are saved as SVG", "[run]") {
  if (!results::report_has_pictures() || output_of("node --version").empty()) {
    WARN("skipped: needs the program node, and D3 at build time");
    return;
  }
  const Folder folder;
  const fs::path page = folder.path / "report.html";
  lra::write_file_atomic(page, fixture_page());
  const auto files = results::save_pictures(page, folder.path / "pictures");
  CHECK(files.size() == 27);
  for (const auto& file : files) {
    const std::string svg = lra::read_file(file);
    INFO(file);
    CHECK_THAT(svg, ContainsSubstring("<svg xmlns=\"http://www.w3.org/2000/svg\"") &&
                        ContainsSubstring("</svg>") && !ContainsSubstring("NaN") &&
                        !ContainsSubstring("undefined"));
    CHECK(count(svg, "<circle") > 1);
  }
  const std::string study = lra::read_file(folder.path / "pictures" / "study-1-theory.svg");
  CHECK_THAT(study, ContainsSubstring(">0.8</text>") && !ContainsSubstring("800m"));
  const std::string bubble = lra::read_file(folder.path / "pictures" / "bubble-listops.svg");
  CHECK(count(bubble, "<circle") == 7);  // six entries and the scale
  CHECK_THAT(bubble, ContainsSubstring("most frequent label given the first token 36.4"));
  // Two seeds far apart: the interval is everything, and a share has no axis beyond it.
  Record low = sample_record("listops", "softmax", 0);
  Record high = sample_record("listops", "softmax", 1);
  low.accuracy.value.test = 0.05;
  high.accuracy.value.test = 0.99;
  ReportOptions options;
  options.folder = folder.path;
  lra::write_file_atomic(page, results::render_report({low, high}, {}, {}, {}, options));
  static_cast<void>(results::save_pictures(page, folder.path / "wide"));
  for (const char* name : {"bubble-listops.svg", "accuracy-listops.svg"}) {
    const std::string svg = lra::read_file(folder.path / "wide" / name);
    INFO(svg);
    CHECK_THAT(svg, ContainsSubstring(">100</text>") && ContainsSubstring(">0</text>") &&
                        !ContainsSubstring(">120</text>") && !ContainsSubstring(">−20</text>") &&
                        !ContainsSubstring(">-20</text>"));
  }
  lra::write_file_atomic(page, "<html></html>");
  CHECK_THROWS_WITH(results::save_pictures(page, folder.path),
                    ContainsSubstring("drawing failed: Error: ") && ContainsSubstring("no script"));
}

TEST_CASE("report: sorting, filtering and drawing work in a browser", "[run]") {
#ifndef LRA_CHROMIUM
  WARN("skipped: needs chromium at configuration time");
#else
  if (!results::report_has_pictures()) {
    WARN("skipped: built without D3");
    return;
  }
  const Folder folder;
  const fs::path page = folder.path / "report.html";
  std::string html = fixture_page();
  // Errors are caught from the first script on; the checks run after the page's own.
  html.insert(html.find("<body>"),
              "<script>window.faults = [];\n"
              "window.onerror = (text) => window.faults.push(text);\n"
              "console.error = console.warn = (text) => window.faults.push(text);</script>\n");
  html.insert(html.find("</body>"), lra::read_file(fs::path(lra::testing::source_dir()) /
                                                   "results/testdata/browser_checks.html"));
  lra::write_file_atomic(page, html);
  const std::string command = fmt::format(
      "{} --headless --no-sandbox --disable-gpu --user-data-dir={} --dump-dom 'file://{}' 2>{}",
      LRA_CHROMIUM, (folder.path / "profile").string(), page.string(),
      (folder.path / "log").string());
  const std::string dom = output_of("timeout 60 " + command);
  if (dom.empty()) {
    WARN("skipped: chromium does not run here");
    return;
  }
  const std::size_t at = dom.find("<pre id=\"checks\">");
  REQUIRE(at != std::string::npos);
  const std::string checks = dom.substr(at, dom.find("</pre>", at) - at);
  INFO(checks);
  CHECK_THAT(checks, !ContainsSubstring("FAILED"));
  CHECK(count(checks, "passed: ") == 10);
#endif
}
