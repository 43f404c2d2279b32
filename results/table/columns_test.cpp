// Which columns a table has, and what of the literature stands in them.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "results/record/testing.h"
#include "results/table/table.h"
#include "results/table/test_fixture.h"
#include "tests/catch.h"

using lra::results::Record;
using lra::results::TableFormat;
using lra::results::TableOptions;
using lra::results::testing::fixture;
using lra::results::testing::sample_record;
using lra::testing::ContainsSubstring;
namespace results = lra::results;

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
