#include "results/table/table.h"

#include <fmt/format.h>

#include <algorithm>
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
using lra::results::TableFormat;
using lra::results::TableOptions;
using lra::results::testing::sample_record;
using lra::testing::ContainsSubstring;
namespace fs = std::filesystem;
namespace results = lra::results;

namespace {

const fs::path kData = fs::path(lra::testing::source_dir()) / "results" / "testdata";

// All formats of a table.
constexpr auto kFormats = {TableFormat::text, TableFormat::md,   TableFormat::csv,
                           TableFormat::tex,  TableFormat::html, TableFormat::json};

const std::vector<Record>& fixture() {
  static const auto loaded = results::load_records({kData / "fixture"}, results::OnFault::refuse);
  return loaded.records;
}

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

TEST_CASE("table: numbers keep three digits or fixed decimals", "[unit]") {
  using results::format_number;
  CHECK(format_number(36.374, 2) == "36.37");
  CHECK(format_number(-0.004, 2) == "0.00");
  CHECK(format_number(0.63, 2, true) == "+0.63");
  CHECK(format_number(-1.5, 1, true) == "-1.5");
  CHECK(format_number(1234567, 0) == "1,234,567");
  CHECK(format_number(256789.0, -1) == "257,000");
  CHECK(format_number(123.4, -1) == "123");
  CHECK(format_number(9.0449, -1) == "9.04");
  CHECK(format_number(0.01234, -1) == "0.0123");
  CHECK(format_number(0, -1) == "0.00");
  CHECK(results::format_number_like(0.0636, 9.04, -1) == "0.06");
  CHECK(results::format_number_like(1234, 256789, -1) == "1,000");
  CHECK(results::format_p(0.0416) == "p = 0.042");
  CHECK(results::format_p(0.0005) == "p = 0.001");
  CHECK(results::format_p(0.00049) == "p < 0.001");
  CHECK(results::mark_letter(0) == "a");
  CHECK(results::mark_letter(27) == "ab");
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

TEST_CASE("table: the literature's difference is shown for comparable data only", "[unit]") {
  TableOptions options;
  options.columns = {"listops", "text"};
  options.attentions = {"softmax"};
  options.delta = "lra2021";
  options.format = TableFormat::json;
  const auto json = nlohmann::json::parse(results::render_table(fixture(), options));
  bool seen = false;
  for (const auto& row : json["rows"]) {
    if (row["kind"] != "measured") continue;
    CHECK(row["cells"]["accuracy:text"]["delta"].is_null());
    if (row["cells"]["accuracy:listops"]["n"] == 3) {
      seen = true;
      CHECK(row["cells"]["accuracy:listops"]["delta"].get<double>() ==
            lra::testing::Approx(36.6333 - 36.37).epsilon(1e-3));
    }
  }
  CHECK(seen);
}

TEST_CASE("table: a difference to the literature that no cell would show is refused", "[unit]") {
  Record own = sample_record();
  own.run_id = std::string(16, 'a');
  own.task.name = own.task.title = "psmnist";
  own.task.origin = results::Origin::own;
  own.task.options.text = R"({"kind":"pixels","vocabulary":257,"max_length":784})";
  Record stand_in = sample_record();
  stand_in.task.origin = results::Origin::stand_in;
  const Record image = sample_record("image");
  TableOptions options;
  options.delta = "published:lra2021";
  options.format = TableFormat::csv;
  const auto refused = [&](const std::vector<Record>& records, const std::string& what) {
    CHECK_THROWS_WITH(results::render_table(records, options),
                      ContainsSubstring(what + ": gives no difference; it is a table of"));
  };
  refused({own}, "published:lra2021");
  refused({stand_in}, "published:lra2021");
  refused({sample_record("listops", "mine")}, "published:lra2021");
  // Beside own data the tasks of the benchmark have theirs.
  CHECK_THAT(
      results::render_table({own, sample_record()}, options),
      ContainsSubstring("accuracy:listops.delta") && !ContainsSubstring("accuracy:psmnist.delta"));
  options.columns = {"memory"};
  refused({sample_record()}, "published:lra2021");
  options.delta = "lra2021_table2";
  options.columns.clear();
  refused({sample_record()}, "published:lra2021_table2");
  // Accuracies on train are no comparison for those on test.
  options.delta = "lra2021_table3_image_train_accuracy";
  options.columns = {"image"};
  refused({image}, "published:lra2021_table3_image_train_accuracy");
  options.columns = {"image", "train_accuracy:image"};
  CHECK_THAT(results::render_table({image}, options),
             ContainsSubstring("accuracy:image.n,accuracy:image.runs,train_accuracy:image") &&
                 ContainsSubstring("train_accuracy:image.delta"));
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

TEST_CASE("table: the numbers of seeds can be left out of CSV as well", "[unit]") {
  const std::vector<Record> records{sample_record("listops", "softmax", 1),
                                    sample_record("listops", "softmax", 2)};
  TableOptions options;
  options.columns = {"listops"};
  options.format = TableFormat::csv;
  CHECK_THAT(results::render_table(records, options),
             ContainsSubstring("listops.sd,accuracy:listops.n,accuracy:listops.runs,notes") &&
                 ContainsSubstring("measured,softmax,37,0,2,"));
  options.seeds = false;
  CHECK_THAT(results::render_table(records, options),
             ContainsSubstring("listops.sd,accuracy:listops.runs,notes") &&
                 ContainsSubstring("measured,softmax,37,0,") &&
                 !ContainsSubstring("measured,softmax,37,0,2,"));
}

TEST_CASE("table: special characters are escaped in every format", "[unit]") {
  Record record = sample_record();
  record.attention.label = "a_b & <c> | \"d\", 5 % $x$";
  TableOptions options;
  options.columns = {"listops"};
  const auto render = [&](TableFormat format) {
    options.format = format;
    return results::render_table({record}, options);
  };
  CHECK_THAT(render(TableFormat::md), ContainsSubstring(R"(| a\_b & &lt;c> \| "d", 5 % $x$ |)"));
  CHECK_THAT(
      render(TableFormat::tex),
      ContainsSubstring(R"(a\_b \& \textless{}c\textgreater{} \textbar{} ''d'', 5 \% \$x\$ &)"));
  CHECK_THAT(render(TableFormat::html),
             ContainsSubstring("a_b &amp; &lt;c&gt; | &quot;d&quot;, 5 % $x$</td>"));
  CHECK_THAT(render(TableFormat::csv), ContainsSubstring(R"("a_b & <c> | ""d"", 5 % $x$")"));
}

TEST_CASE("table: timings taken beside other runs are marked", "[unit]") {
  Record record = sample_record();
  record.speed.measured = lra::results::Timing::shared;
  TableOptions options;
  options.columns = {"listops", "speed"};
  const auto table = results::build_table({record}, options);
  CHECK(table.rows[0].cells[0].marks.empty());
  REQUIRE(table.rows[0].cells[1].marks.size() == 1);
  CHECK(table.notes[table.rows[0].cells[1].marks[0]] == "measured while other runs ran beside");
}

TEST_CASE("table: times of a run that was continued with other threads are marked", "[unit]") {
  Record record = sample_record();
  record.time.stretches = {{2, 3000}, {1, 2000}};
  TableOptions options;
  options.columns = {"accuracy", "seconds"};
  const auto table = results::build_table({record}, options);
  CHECK(table.rows[0].cells[0].marks.empty());
  REQUIRE(table.rows[0].cells[1].marks.size() == 1);
  CHECK(table.notes[table.rows[0].cells[1].marks[0]] ==
        "ListOps, seed 0: continued with another number of threads: 2, then 1");
}

TEST_CASE("table: a suite that changes a setting everywhere says so once", "[unit]") {
  std::vector<Record> records;
  int standard = 1000;
  for (const char* task : {"listops", "text", "retrieval", "image", "pathfinder"}) {
    standard += 1000;
    for (const char* attention : {"softmax", "linear_transformer", "cosformer"}) {
      Record record = sample_record(task, attention);
      record.deviations = {fmt::format("train.steps: 20 instead of {}", standard),
                           fmt::format("train.batch_size: {} instead of 8", standard / 1000)};
      results::judge_division(record, 200000);
      records.push_back(record);
    }
  }
  TableOptions options;
  options.ladder = false;
  const auto table = results::build_table(records, options);
  REQUIRE(table.rows.size() == 3);
  REQUIRE(table.columns.size() == 6);
  for (const auto& row : table.rows) {
    CHECK(row.marks.empty());
    CHECK_THAT(row.label, !ContainsSubstring("="));
    for (const auto& cell : row.cells) {
      CHECK(cell.value.has_value());
      CHECK(cell.marks.empty());
    }
  }
  CHECK(table.head.at(1) == "Every run is free-for-all, changed alike: train.steps=20.");
  CHECK_THAT(table.legend.at(1),
             ContainsSubstring("every run free-for-all: train.batch_size: 2 instead of 8."));
  for (const TableFormat format : kFormats) {
    const std::string text = results::format_table(table, format);
    INFO(text);
    if (format != TableFormat::csv) CHECK_THAT(text, ContainsSubstring("train.steps=20"));
    CHECK_THAT(text, !ContainsSubstring("[a]"));
  }
}

TEST_CASE("table: a setting of one attention alone is a footnote, not a row", "[unit]") {
  std::vector<Record> records{sample_record("listops", "softmax"), sample_record("text", "softmax"),
                              sample_record("listops", "linear_transformer"),
                              sample_record("text", "linear_transformer")};
  records[2].deviations = {"train.lr: 0.1 instead of 0.2"};
  records[3].deviations = {"train.lr: 0.1 instead of 0.3", "train.steps: 7 instead of 9"};
  for (auto& record : records) results::judge_division(record, 200000);
  const auto table = results::build_table(records, {});
  const auto& row = table.rows.at(0);
  CHECK(row.label == "linear_transformer");
  REQUIRE(row.marks.size() == 1);
  CHECK_THAT(table.notes[row.marks[0]],
             ContainsSubstring("deviates") && ContainsSubstring("train.lr=0.1"));
  CHECK(row.cells[0].marks.empty());
  REQUIRE(row.cells[1].marks.size() == 1);
  CHECK(table.notes[row.cells[1].marks[0]] == "free-for-all: train.steps: 7 instead of 9");
}

TEST_CASE(
    "table: other data of a task are a column of their own, stand-in data never beside others",
    "[unit]") {
  Record official = sample_record("text", "softmax");
  official.task.origin = results::Origin::official;
  Record other = sample_record("text", "linear_transformer");
  other.task.origin = results::Origin::stand_in;
  other.task.data_sha256 = std::string(64, 'b');
  TableOptions options;
  options.ladder = false;
  options.with = {"lra2021"};
  const auto table = results::build_table({official, other}, options);
  REQUIRE(table.columns.size() == 2);
  CHECK(table.columns[1].id == "accuracy:text@bbbbbbbb");
  CHECK(table.columns[1].title == "text (stand-in data)");
  CHECK(table.columns[0].marks.empty());
  REQUIRE(table.columns[1].marks.size() == 1);
  CHECK_FALSE(table.rows[0].cells[0].value.has_value());
  CHECK(table.rows[0].cells[1].value.has_value());
  for (const auto& row : table.rows) {
    if (row.kind == results::TableRow::Kind::published) CHECK_FALSE(row.cells[1].value.has_value());
  }
  // Alone, the stand-in data keep the literature out of their column.
  const auto alone = results::build_table({other}, options);
  REQUIRE(alone.columns.size() > 1);
  CHECK(alone.columns[1].id == "accuracy:text:published");
  CHECK_FALSE(alone.rows.back().cells[0].value.has_value());
  CHECK(alone.rows.back().cells[1].value.has_value());
}

TEST_CASE("table: a data set may be called as a column is, and is reached by accuracy:NAME",
          "[unit]") {
  for (const char* name : {"data", "accuracy", "versus", "avg5", "val", "machine"}) {
    CAPTURE(name);
    Record own = sample_record("text", "softmax");
    own.task.name = name;
    own.task.origin = results::Origin::own;
    TableOptions options;
    options.ladder = false;
    const auto ids = [&](const std::vector<std::string>& columns) {
      options.columns = columns;
      std::vector<std::string> found;
      for (const auto& column : results::build_table({own}, options).columns) {
        found.push_back(column.id);
      }
      return found;
    };
    const std::string accuracy = std::string("accuracy:") + name;
    CHECK(ids({}).front() == accuracy);
    CHECK(ids({accuracy}) == std::vector<std::string>{accuracy});
    if (std::string(name) != "accuracy") CHECK(ids({name}).front() != accuracy);
  }
}

TEST_CASE("table: an accuracy whose settings were searched for names the search's price",
          "[unit]") {
  Record searched = sample_record("listops", "softmax");
  searched.search = results::testing::sample_search();
  const std::vector<Record> records{searched, sample_record("listops", "linear_transformer"),
                                    sample_record("text", "softmax")};
  TableOptions options;
  options.columns = {"listops", "text", "trials:listops"};
  const auto table = results::build_table(records, options);
  const std::string text = results::format_table(table, TableFormat::md);
  const std::string note =
      "settings chosen by a search: best validation of 3 trials of 100 and 200 steps, 1.5 M tokens";
  REQUIRE(std::count(table.notes.begin(), table.notes.end(), note) == 1);
  CHECK_THAT(text, ContainsSubstring("where none is noted, settings were not searched for"));
  const auto mark = static_cast<std::size_t>(
      std::find(table.notes.begin(), table.notes.end(), note) - table.notes.begin());
  for (const auto& row : table.rows) {
    if (row.kind != results::TableRow::Kind::measured) continue;
    const auto marked = [mark](const results::TableCell& cell) {
      return std::find(cell.marks.begin(), cell.marks.end(), mark) != cell.marks.end();
    };
    CHECK(marked(row.cells[0]) == (row.label.starts_with("softmax")));
    CHECK_FALSE(marked(row.cells[1]));
    CHECK(row.cells[2].value.has_value() == row.label.starts_with("softmax"));
  }
  const std::vector<Record> plain{sample_record("listops", "softmax")};
  CHECK_THAT(results::render_table(plain, TableOptions{}), !ContainsSubstring("search"));
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

TEST_CASE("table: metrics have the decimals of their list, runs of several versions a note",
          "[unit]") {
  std::vector<Record> records{sample_record("listops", "softmax", 0),
                              sample_record("listops", "softmax", 1)};
  TableOptions options;
  options.columns = {"listops", "loss"};
  CHECK_THAT(results::render_table(records, options), !ContainsSubstring("runs of versions"));
  for (Record& record : records) record.loss.test = 1.23456;
  records[1].environment.version = "9.8.7";
  const std::string table = results::render_table(records, options);
  CHECK_THAT(table, ContainsSubstring("1.2346"));
  CHECK_THAT(table, !ContainsSubstring("1.23456"));
  CHECK_THAT(table, ContainsSubstring(
                        fmt::format("runs of versions {}, 9.8.7", records[0].environment.version)));
}

TEST_CASE("table: labels that a spreadsheet or a page would run are text", "[unit]") {
  Record record = sample_record();
  record.attention.label = "=cmd|' /C calc'!A0";
  record.task.title = "[x](javascript:alert(1))";
  TableOptions options;
  options.columns = {"listops", "versus"};
  options.format = TableFormat::csv;
  CHECK_THAT(results::render_table({record}, options), ContainsSubstring("measured,'=cmd|"));
  options.format = TableFormat::md;
  CHECK_THAT(results::render_table({record}, options),
             ContainsSubstring(R"(\[x\](javascript:alert(1)))") && !ContainsSubstring(" [x]("));
  record.attention.label = "a\x1b[2Jb";
  options.format = TableFormat::text;
  CHECK_THAT(results::render_table({record}, options), !ContainsSubstring("\x1b"));
}

TEST_CASE("table: own data have no column of the literature, and say what was made of the files",
          "[unit]") {
  Record own = sample_record("listops", "softmax");
  own.run_id = std::string(16, 'a');
  own.task.name = "psmnist";
  own.task.origin = results::Origin::own;
  own.task.options.text =
      R"({"kind":"pixels","vocabulary":257,"max_length":784,"permute":3,"colour":"keep","words":""})";
  TableOptions options;
  options.ladder = false;
  options.with = {"lra2021"};
  const auto table = results::build_table({own, sample_record("listops", "softmax")}, options);
  std::vector<std::string> ids;
  for (const auto& column : table.columns) ids.push_back(column.id);
  INFO(results::format_table(table, TableFormat::text));
  CHECK(std::find(ids.begin(), ids.end(), "accuracy:psmnist") != ids.end());
  CHECK(std::find(ids.begin(), ids.end(), "accuracy:psmnist:published") == ids.end());
  CHECK_THAT(results::format_table(table, TableFormat::md),
             ContainsSubstring("own data, pixels, 257 ids, length 784, permute 3"));
}

TEST_CASE("table: the best number of each column is bold on request, ties as they are shown",
          "[unit]") {
  std::vector<Record> records{sample_record("listops", "softmax"),
                              sample_record("listops", "linear_transformer"),
                              sample_record("listops", "cosformer")};
  records[0].accuracy.value.test = 0.36;
  records[1].memory.peak_tensor_bytes = 1000000;
  TableOptions options;
  options.columns = {"listops", "memory", "parameters"};
  options.bold = true;
  const auto table = results::build_table(records, options);
  CHECK(table.rows[0].label == "cosformer");
  CHECK(table.rows[0].cells[0].best);
  CHECK(table.rows[1].cells[0].best);
  CHECK_FALSE(table.rows[2].cells[0].best);
  CHECK(table.rows[1].cells[1].best);
  CHECK_FALSE(table.rows[0].cells[1].best);
  CHECK_FALSE(table.rows[0].cells[2].best);  // neither is better
  CHECK_THAT(results::format_table(table, TableFormat::md), ContainsSubstring("**37.00 (1)**"));
  CHECK_THAT(results::format_table(table, TableFormat::tex), ContainsSubstring("\\textbf{37.00}"));
  CHECK_THROWS_WITH(results::format_table(table, TableFormat::leaderboard),
                    ContainsSubstring("leaderboard is made of records"));
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

TEST_CASE("table: long names of rows leave the numbers their room", "[unit]") {
  Record record = sample_record("listops", "softmax");
  record.baselines[0].title =
      "the most frequent label of train for how well bars placed as the generator places them lead "
      "from one disc to the other";
  TableOptions options;
  options.columns = {"listops"};
  const auto longest = [](const std::string& text) {
    std::size_t most = 0;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      most = std::max(most, end - at);
      at = end + 1;
    }
    return most;
  };
  options.format = TableFormat::text;
  const std::string text = results::render_table({record}, options);
  INFO(text);
  CHECK_THAT(text, ContainsSubstring("the most frequent label of train for") &&
                       ContainsSubstring("\n  how well bars placed as the"));
  CHECK(longest(text.substr(text.find("model"), text.find("Mean") - text.find("model"))) < 180);
  options.format = TableFormat::tex;
  const std::string tex = results::render_table({record}, options);
  CHECK_THAT(tex, ContainsSubstring("\\begin{tabular}[t]{@{}l@{}}the most frequent label of train "
                                    "for\\\\how well bars placed as the"));
}

TEST_CASE("table: LaTeX has a caption for its label, and no line is an argument", "[unit]") {
  Record record = sample_record("listops", "softmax");
  record.attention.label = "[x] of mine";
  record.task.title = "*own";
  TableOptions options;
  options.columns = {"listops"};
  options.format = TableFormat::tex;
  const std::string tex = results::render_table({record}, options);
  INFO(tex);
  // \\label takes the number of the caption before it.
  CHECK(tex.find("\\caption{Accuracy in percent") < tex.find("\\label{tab:lra}"));
  CHECK_THAT(tex, ContainsSubstring("\n{}[x] of mine") && ContainsSubstring("\n{}*own: generated"));
  options.caption = "Mine";
  CHECK_THAT(results::render_table({record}, options),
             ContainsSubstring("\\caption{Mine}\n\\label{tab:lra}"));
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
