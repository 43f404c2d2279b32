#include "results/table/table.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "results/record/testing.h"
#include "results/table/test_fixture.h"
#include "tests/catch.h"

using lra::results::Record;
using lra::results::TableFormat;
using lra::results::TableOptions;
using lra::results::testing::fixture;
using lra::results::testing::kData;
using lra::results::testing::kFormats;
using lra::results::testing::sample_record;
using lra::testing::ContainsSubstring;
namespace fs = std::filesystem;
namespace results = lra::results;

namespace {

// Compares with a checked-in file; with LRA_UPDATE_GOLDEN set, writes it instead.
void check_golden(const std::string& name, const std::string& text) {
  const fs::path path = kData / "golden" / name;
  if (std::getenv("LRA_UPDATE_GOLDEN") != nullptr) lra::write_file_atomic(path, text);
  INFO(name);
  CHECK(lra::read_file(path) == text);
}

TableOptions suite_options() {
  TableOptions options;
  options.with = {"published:lra-2021", "published:cosformer-2022", "published:s5_2022"};
  options.delta = "published:lra-2021";
  options.caption = "Fixture: five tasks";
  options.sort = "listops";
  return options;
}

TableOptions listops_options() {
  TableOptions options;
  options.tasks = {"listops"};
  options.columns = {"listops", "interval", "versus",    "agreement:root_operator",
                     "speed",   "memory",   "precision", "verdict"};
  options.caption = "Fixture: ListOps, 50 % & more_";
  return options;
}

}  // namespace

TEST_CASE("table: the fixture renders to the checked-in tables in every format", "[golden]") {
  for (const TableFormat format : kFormats) {
    const auto word = lra::name_of(format);
    TableOptions suite = suite_options();
    suite.format = format;
    check_golden(fmt::format("suite.{}", word), results::render_table(fixture(), suite));
    TableOptions listops = listops_options();
    listops.format = format;
    check_golden(fmt::format("listops.{}", word), results::render_table(fixture(), listops));
  }
  check_golden("default.md", results::render_table(fixture(), TableOptions{}));
  TableOptions bold;
  bold.format = TableFormat::tex;
  bold.bold = true;
  bold.seeds = false;
  bold.label = "tab:bold";
  check_golden("bold.tex", results::render_table(fixture(), bold));
  TableOptions board;
  board.format = TableFormat::leaderboard;
  check_golden("leaderboard.json", results::render_table(fixture(), board));
}

TEST_CASE("table: wrong words are refused with near matches", "[unit]") {
  const auto with = [](auto change) {
    TableOptions options;
    change(options);
    return results::render_table(fixture(), options);
  };
  CHECK_THROWS_WITH(with([](TableOptions& o) { o.columns = {"listop"}; }),
                    ContainsSubstring("unknown column 'listop'; did you mean listops"));
  CHECK_THROWS_WITH(with([](TableOptions& o) { o.columns = {"speed:txt"}; }),
                    ContainsSubstring("column speed:txt: unknown task 'txt'; did you mean text"));
  CHECK_THROWS_WITH(with([](TableOptions& o) { o.columns = {"agreement:root"}; }),
                    ContainsSubstring("unknown baseline 'root'; did you mean root_operator"));
  CHECK_THROWS_WITH(
      with([](TableOptions& o) { o.sort = "speed:text"; }),
      ContainsSubstring("sort: column 'speed:text' is not in the table; it has model"));
  CHECK_THROWS_WITH(with([](TableOptions& o) { o.with = {"published:lra2020"}; }),
                    ContainsSubstring("unknown published table 'lra2020'; did you mean"));
  CHECK_THROWS_WITH(
      with([](TableOptions& o) { o.with = {"lra2021_table2"}; }),
      ContainsSubstring("has nothing for these columns; it is a table of efficiency"));
  CHECK_THROWS_WITH(with([](TableOptions& o) { o.tasks = {"pathx"}; }),
                    ContainsSubstring("unknown task 'pathx'; did you mean pathfinder"));
  CHECK_THROWS_WITH(with([](TableOptions& o) { o.division = "free"; }),
                    ContainsSubstring("unknown division 'free'; did you mean free-for-all"));
  try {
    static_cast<void>(with([](TableOptions& o) { o.columns = {"x"}; }));
    FAIL("not refused");
  } catch (const lra::Error& error) {
    CHECK(lra::exit_code(error.kind()) == 2);
  }
}

TEST_CASE("table: what is missing is a dash, in text and in numbers", "[unit]") {
  TableOptions options;
  options.columns = {"text", "avg5"};
  options.attentions = {"cosformer", "softmax"};
  options.format = TableFormat::json;
  const auto json = nlohmann::json::parse(results::render_table(fixture(), options));
  for (const auto& row : json["rows"]) {
    for (const auto& [id, cell] : row["cells"].items()) {
      INFO(row["model"] << " " << id);
      CHECK((cell["value"].is_null() ? cell["text"] == "—" : cell["value"] > 1.0));
    }
  }
  CHECK(json["rows"][0]["cells"]["accuracy:text"]["value"].is_null());
}

TEST_CASE("table: filters, sorting and metric columns of several tasks", "[unit]") {
  TableOptions options;
  options.division = "free-for-all";
  options.format = TableFormat::csv;
  CHECK_THAT(results::render_table(fixture(), options),
             ContainsSubstring("accuracy:pathfinder") && !ContainsSubstring("accuracy:image"));
  options = {};
  options.attentions = {"softmax", "linear_transformer"};
  options.columns = {"speed:listops", "memory", "params:image"};
  options.sort = "memory:listops";
  options.ladder = false;
  const auto table = results::build_table(fixture(), options);
  REQUIRE(table.columns.size() == 7);
  CHECK(table.columns[1].id == "peak_tensor_bytes:listops");
  CHECK(table.columns[1].title == "ListOps peak tensors");
  CHECK(table.rows[0].label == "Linear Trans. (f32)");  // least memory first
  CHECK(table.rows[0].cells[1].value == 80.0);
  CHECK_FALSE(table.rows.back().cells[1].value.has_value());
  options.sort = "-memory:listops";
  CHECK(results::build_table(fixture(), options).rows[0].cells[1].value == 140.0);
}

TEST_CASE("table: cells name the runs behind them", "[unit]") {
  const std::vector<Record> records{sample_record("listops", "softmax", 0),
                                    sample_record("listops", "softmax", 1)};
  TableOptions options;
  options.columns = {"listops"};
  options.format = TableFormat::json;
  const auto json = nlohmann::json::parse(results::render_table(records, options));
  const auto runs = json.at("rows")[0].at("cells").at("accuracy:listops").at("runs");
  CHECK(runs == nlohmann::json{records[0].run_id, records[1].run_id});
  options.format = TableFormat::csv;
  CHECK_THAT(results::render_table(records, options),
             ContainsSubstring("accuracy:listops.runs") &&
                 ContainsSubstring(records[0].run_id + " " + records[1].run_id));
}

TEST_CASE("table: a row names the options that are off their defaults", "[unit]") {
  const auto with = [](const std::string& attention, const std::string& options,
                       const std::vector<std::string>& changed) {
    Record record = sample_record("listops", attention);
    record.attention.options = {options};
    record.attention.changed = changed;
    return record;
  };
  const auto labels = [](const std::vector<Record>& records) {
    std::vector<std::string> all;
    const auto table = results::build_table(records, TableOptions{});
    for (const auto& row : table.rows) {
      if (row.kind == results::TableRow::Kind::measured) all.push_back(row.label);
    }
    return all;
  };
  using Texts = std::vector<std::string>;
  const Record plain = with("cosformer", R"({"causal":false,"reweight":true})", {});
  const Record without = with("cosformer", R"({"causal":false,"reweight":false})", {"reweight"});
  const Record linear = with("linear_transformer", R"({"causal":false})", {});
  CHECK(labels({plain}) == Texts{"cosformer"});
  CHECK(labels({without}) == Texts{"cosformer (reweight=false)"});
  CHECK(labels({without, linear}) == Texts{"cosformer (reweight=false)", "linear_transformer"});
  // What all attentions share is said once.
  const std::vector<Record> causal{
      with("cosformer", R"({"causal":true,"reweight":false})", {"causal", "reweight"}),
      with("linear_transformer", R"({"causal":true})", {"causal"})};
  CHECK(labels(causal) == Texts{"cosformer (reweight=false)", "linear_transformer"});
  CHECK_THAT(results::render_table(causal, TableOptions{}),
             ContainsSubstring("Every attention with causal=true."));
}

TEST_CASE("table: a predictor with a rule for each task has one row without any of them",
          "[unit]") {
  Record a = sample_record("induction", "softmax");
  Record b = sample_record("modular", "softmax");
  a.baselines = {{"solution", "the task's rule: what followed the trigger", 1, {}, 100, true}};
  b.baselines = {{"solution", "the task's rule: the sum so far", 1, {}, 100, true}};
  CHECK_THAT(results::render_table({a, b}, TableOptions{}),
             ContainsSubstring("| *the task's rule* | 100.00 | 100.00 |"));
  CHECK_THAT(results::render_table({a}, TableOptions{}),
             ContainsSubstring("| *the task's rule: what followed the trigger* | 100.00 |"));
}

TEST_CASE("table: an unknown baseline is refused", "[unit]") {
  TableOptions options;
  options.baseline = "linear";
  CHECK_THROWS_WITH(results::render_table(fixture(), options),
                    ContainsSubstring("unknown baseline attention 'linear'; did you mean"));
}
