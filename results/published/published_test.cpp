#include "results/published/published.h"

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "embedded/published.h"
#include "engine/base/error.h"
#include "tests/catch.h"

using lra::testing::Approx;
using lra::testing::ContainsSubstring;
using nlohmann::json;
namespace results = lra::results;

namespace {

json table_json(const char* key) {
  return json::parse(
      lra::find_embedded(lra::embedded::published(), std::string(key) + ".json")->content);
}

void implausible(const json& table, const std::string& message) {
  CHECK_THROWS_WITH(results::parse_published(table.dump(), "t.json"), ContainsSubstring(message));
}

}  // namespace

TEST_CASE("published: every shipped table is read, under the key of its file", "[unit]") {
  const auto& tables = results::published_tables();
  REQUIRE(tables.size() == lra::embedded::published().size());
  std::set<std::string> keys;
  std::size_t rows = 0;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    CHECK(lra::embedded::published()[i].name == tables[i].key + ".json");
    keys.insert(tables[i].key);
    rows += tables[i].rows.size();
  }
  CHECK(keys.size() == 29);
  CHECK(rows == 130);
}

TEST_CASE("published: figures of the LRA paper and of cosFormer", "[unit]") {
  const auto lra = results::find_published("lra-2021");
  const auto* transformer = lra.row_of("softmax");
  REQUIRE(transformer != nullptr);
  CHECK(transformer->scores.at("listops").percent == 36.37);
  CHECK(transformer->scores.at("pathx").failed);
  CHECK(results::average_of(*transformer, 5).value() == Approx(54.388));
  CHECK_FALSE(results::average_of(*transformer, 6).has_value());
  CHECK(lra.short_name() == "Tay et al. 2021");
  CHECK_THAT(lra.source_line(),
             ContainsSubstring("arXiv:2011.04006") && ContainsSubstring("primary"));
  const auto cosformer = results::find_published("cosFormer_2022");
  CHECK(cosformer.row_of("cosformer")->scores.at("listops").percent == 37.9);
  CHECK(cosformer.row_of("softmax")->copied_from == "lra2021");
  const auto speed = results::find_published("cosformer2022_speed");
  CHECK_FALSE(speed.row_of("softmax")->series.at("train_steps_per_second").at("4096").has_value());
  CHECK(speed.row_of("cosformer")->series.at("train_steps_per_second").at("4096") == 2.64);
  CHECK(results::find_published("s5_2022").secondary);
  CHECK(results::find_published("trivial").rows[1].scores.at("listops").percent == 17.0);
}

TEST_CASE("published: rows marked as copied repeat their source", "[unit]") {
  for (const auto& table : results::published_tables()) {
    for (const auto& row : table.rows) {
      if (row.copied_from.empty()) continue;
      const auto source = results::find_published(row.copied_from);
      const auto* original = source.row_of(*row.attention);
      REQUIRE(original != nullptr);
      for (const auto& [task, score] : row.scores) {
        INFO(table.key << " " << row.model << " " << task);
        CHECK(original->scores.at(task).percent == score.percent);
      }
    }
  }
}

TEST_CASE("published: unknown keys list near matches", "[unit]") {
  CHECK_THROWS_WITH(results::find_published("lra-2022"),
                    ContainsSubstring("did you mean") && ContainsSubstring("lra2021"));
}

TEST_CASE("published: obvious slips are refused", "[unit]") {
  json table = table_json("s4_2022");
  CHECK_NOTHROW(results::parse_published(table.dump(), "t.json"));
  table["rows"][0]["scores"]["listops"] = 0.5835;
  implausible(table, "listops 0.5835 looks like a fraction");
  table["rows"][0]["scores"]["listops"] = 58.35;
  table["rows"][0]["scores"]["text"] = 26.02;
  implausible(table, "text 26.02 is far below chance (50)");
  table["rows"][0]["scores"]["text"] = 67.02;  // digits exchanged: the average gives it away
  implausible(table, "printed average 80.48, but rule 'six' gives 78.978");
  table = table_json("s4_2022");
  table["rows"][1]["model"] = table["rows"][0]["model"];
  implausible(table, "S4 (original): occurs twice");
  table = table_json("s4_2022");
  table["rows"][0].erase("average_rule");
  implausible(table, "without average_rule");
  table["rows"][0]["average_rule"] = "other";
  implausible(table, "without a note");
  table = table_json("s4_2022");
  table["rows"][0]["scores"]["listop"] = 58.35;
  implausible(table, "unknown task 'listop'");
  table = table_json("s4_2022");
  table["rows"][0]["scores"]["listops"] = 583.5;
  implausible(table, "/rows/0/scores/listops: fits no alternative (out of range; got 583.5");
  table = table_json("lra2021_table2");
  table["rows"][1]["peak_memory"] = 3;
  implausible(table, "unknown field 'peak_memory'");
  table = table_json("lra2021_table2");
  table["rows"][1]["series"]["peak_memory_gb_per_device"]["3072"] = 0.106;
  implausible(table, "peak_memory_gb_per_device falls from 0.76 to 0.106 at n = 3072");
  table = table_json("lra2021_table2");
  table["rows"][1]["series"]["relative"]["2048"] = 7.1;
  implausible(table, "relative speed 7.1 at n = 2048, but 8.4 / 4.9");
}
