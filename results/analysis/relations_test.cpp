#include "results/analysis/relations.h"

#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "results/record/testing.h"
#include "tests/catch.h"

using lra::results::Record;
using lra::results::SummaryFormat;
using lra::results::testing::sample_record;
using lra::testing::Approx;
using lra::testing::ContainsSubstring;
namespace results = lra::results;

namespace {

// A cell of an ablation: accuracy and one recorded number, FLOPs a token, that differ by seed.
Record cell(const char* act, std::int64_t seed, double accuracy, double flops) {
  Record record = sample_record("listops", "cosformer", seed);
  record.attention.options = {fmt::format(R"({{"act":"{}","eps":1e-06}})", act)};
  record.accuracy.value.test = accuracy;
  record.cost.train_flops_per_token = flops;
  return record;
}

std::vector<Record> ablation() {
  return {cell("relu", 0, 0.30, 1),   cell("relu", 1, 0.32, 3),   // means 0.31, 2
          cell("elu+1", 0, 0.35, 4),  cell("elu+1", 1, 0.35, 4),  // 0.35, 4
          cell("exp", 0, 0.40, 7),    cell("exp", 1, 0.44, 5),    // 0.42, 6
          cell("square", 0, 0.20, 1), cell("square", 1, 0.20, 1)};
}

}  // namespace

TEST_CASE("relations: means over seeds, correlations over cells", "[unit]") {
  const auto groups = results::relate(ablation(), {"train_flops_per_token", "energy_joules"});
  REQUIRE(groups.size() == 1);
  const auto& group = groups[0];
  REQUIRE(group.cells.size() == 4);
  CHECK(group.cells[0].attention == "cosformer (act=exp)");  // what is equal in all is not said
  CHECK(group.cells[0].accuracy.mean == Approx(0.42));
  CHECK(group.cells[0].accuracy.n == 2);
  CHECK(group.cells[0].values[0].value() == Approx(6));
  CHECK_FALSE(group.cells[0].values[1].has_value());  // not measured is not zero
  const auto& r = group.relations[0];
  CHECK(r.cells == 4);
  // x = 2, 4, 6, 1 and y = 0.31, 0.35, 0.42, 0.20: r = 0.9476, t = 4.194, p = 0.0524.
  CHECK(r.pearson.value() == Approx(0.9476).margin(5e-4));
  CHECK(r.p.value() == Approx(0.0524).margin(5e-4));
  CHECK(r.spearman.value() == Approx(1));
  CHECK(group.relations[1].cells == 0);
  CHECK_FALSE(group.relations[1].pearson.has_value());
}

TEST_CASE("relations: unlike runs are not mixed, unfinished ones are left out", "[unit]") {
  auto records = ablation();
  records[0].preset = records[0].protocol = "skyformer";
  records.push_back(results::testing::failed_record(cell("identity", 0, 0.3, 1),
                                                    results::Status::diverged, "NaN"));
  const auto groups = results::relate(records, {"flops"});
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].cells.size() == 4);
  CHECK(groups[1].cells.size() == 1);
  CHECK_THAT(groups[1].setting, ContainsSubstring("skyformer"));
  CHECK_FALSE(groups[1].relations[0].pearson.has_value());
}

TEST_CASE("relations: both formats, wrong requests are refused", "[unit]") {
  const auto groups = results::relate(ablation(), {"flops"});
  const std::string md = results::format_relations(groups, SummaryFormat::md);
  CHECK_THAT(md, ContainsSubstring("| cosformer (act=exp) | 0.4200 ± 0.0283 (2) | 6 |"));
  CHECK_THAT(md, ContainsSubstring("| *Spearman's ρ* | | *1* |"));
  const auto json = nlohmann::json::parse(results::format_relations(groups, SummaryFormat::json));
  CHECK(json[0]["cells"][3]["accuracy"] == 0.2);
  CHECK(json[0]["relations"][0]["cells"] == 4);
  CHECK_THROWS_WITH(results::relate(ablation(), {"flop"}), ContainsSubstring("did you mean"));
  CHECK_THROWS_WITH(results::relate({}, {"flops"}), ContainsSubstring("no completed runs"));
}
