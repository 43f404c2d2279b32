#include <nlohmann/json.hpp>
#include <string>

#include "tasks/check.h"
#include "tasks/listops/generator.h"
#include "tasks/listops/ladder.h"
#include "tasks/listops/tree.h"
#include "tasks/listops/tsv.h"
#include "tasks/shortcuts.h"
#include "tasks/test_support.h"

using lra::ErrorKind;
using lra::testing::ContainsSubstring;
using nlohmann::json;
using namespace lra::tasks;
using testing::error_of;
using testing::TempFolder;

namespace {

constexpr const char* kGood = "( ( ( [MAX 3 ) 7 ) ] )\t7";

// Faults and rows of a file's text.
struct Result {
  std::vector<std::vector<Token>> trees;
  std::vector<std::string> faults;
};

Result read(const std::string& text, bool verify = true) {
  Result result;
  listops::read_tsv(
      text, "f.tsv", {10, verify},
      [&](std::span<const Token> tree, int) {
        result.trees.emplace_back(tree.begin(), tree.end());
      },
      [&](const std::string& message) { result.faults.push_back(message); });
  return result;
}

std::string fault_of(const std::string& row) {
  const auto result = read(std::string("Source\tTarget\r\n") + kGood + "\r\n" + row + "\r\n");
  REQUIRE(result.faults.size() == 1);
  CHECK(result.trees.size() == 1);
  return result.faults[0];
}

void write_splits(const TempFolder& folder, const std::string& train) {
  folder.write("basic_train.tsv", train);
  for (const char* name : {"basic_val.tsv", "basic_test.tsv"}) {
    folder.write(name, std::string("Source\tTarget\n") + kGood + "\n");
  }
}

json small_shape() { return {{"min_tokens", 20}, {"max_tokens", 60}}; }

OpenOptions small(const TempFolder& folder) {
  OpenOptions options = testing::options_for("", folder.path() / "cache");
  options.counts = {300, 50, 60};
  options.seed = 4;
  return options;
}

}  // namespace

TEST_CASE("listops tsv: LF and CR LF line ends are the same data", "[unit]") {
  const std::string lf = std::string("Source\tTarget\n") + kGood + "\n5\t5\n";
  const std::string crlf = std::string("Source\tTarget\r\n") + kGood + "\r\n5\t5\r\n";
  CHECK(read(lf).trees == read(crlf).trees);
  CHECK(read(lf).trees.size() == 2);
  CHECK(read(crlf).faults.empty());
}

TEST_CASE("listops tsv: faults name file and line", "[unit]") {
  CHECK_THAT(fault_of("( ( ( [MAX 3 ) 7 ) ] )"),
             ContainsSubstring("f.tsv:3: expected Source<TAB>"));
  CHECK_THAT(fault_of("( ( ( [MAX 3 ) 7 ) ]\t7"), ContainsSubstring("f.tsv:3: word 9: brackets"));
  CHECK_THAT(fault_of("( ( ( [MAX 3 ) 7 ) ] )\t10"), ContainsSubstring("f.tsv:3: label; got '10'"));
  CHECK_THAT(fault_of("( ( ( [MAX 3 ) 7 ) ] )\t-1"), ContainsSubstring("label; got '-1'"));
  CHECK_THAT(fault_of("( ( ( [MAX 3 ) 7 ) ] )\t"), ContainsSubstring("label; got ''"));
  CHECK_THAT(fault_of("( ( ( [MAX 3 ) 7 ) ] )\t3"),
             ContainsSubstring("f.tsv:3: label; got 3, expected 7, the value"));
  CHECK_THAT(fault_of(""), ContainsSubstring("f.tsv:3: expected Source<TAB>"));
  CHECK(read(std::string("Source\tTarget\n( ( ( [MAX 3 ) 7 ) ] )\t3\n"), false).faults.empty());
}

TEST_CASE("listops tsv: faults of the whole file", "[unit]") {
  CHECK_THAT(error_of([] { read(""); }), ContainsSubstring("f.tsv:1: the file is empty"));
  CHECK_THAT(error_of([] { read("source\ttarget\n"); }), ContainsSubstring("f.tsv:1: header"));
  CHECK_THAT(error_of([] { read("Source\tTarget\n"); }), ContainsSubstring("f.tsv:2: no examples"));
  const auto cut = read(std::string("Source\tTarget\n") + kGood + "\n( ( ( [MAX 3 ) 7");
  REQUIRE(cut.faults.size() == 1);
  CHECK_THAT(cut.faults[0], ContainsSubstring("f.tsv:3: the last line is truncated"));
  // Also where only the line end is missing: nobody can tell.
  CHECK(read(std::string("Source\tTarget\n") + kGood).faults.size() == 1);
}

TEST_CASE("listops: the first fault in the file's order ends opening, no cache is left", "[unit]") {
  const TempFolder folder;
  std::string text = "Source\tTarget\n";
  for (int i = 0; i < 500; ++i) text += std::string(kGood) + "\n";
  write_splits(folder, text + "x\t1\n" + text.substr(14) + "y\t2\n");
  const auto task = create_task("listops", nullptr);
  const auto options = testing::options_for(folder.path(), folder.path() / "cache");
  CHECK_THAT(error_of([&] { static_cast<void>(task->open(options)); }),
             ContainsSubstring("basic_train.tsv:502: word 1: unknown word; got 'x'"));
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "cache")) {
    CHECK(entry.path().extension() == ".lock");
  }
  const DataCheck report = check(*task, options);
  CHECK(report.fault_count == 2);
  CHECK(report.faults.size() == 2);
  CHECK(check(*task, options, 1).faults.size() == 1);
  CHECK(report.complete);
  CHECK(report.splits[0].examples == 1000);
  CHECK(report.to_json()["splits"]["train"]["labels"][7] == 1000);
}

TEST_CASE("listops: made files read back as the data that are generated directly", "[unit]") {
  const TempFolder folder;
  const testing::Variable no_data("LRA_DATA", "");
  const testing::Variable no_cache("XDG_CACHE_HOME", folder.path() / "none");
  const auto task = create_task("listops", small_shape());
  OpenOptions options = small(folder);
  const TaskData direct = task->open(options);
  CHECK(direct.origin == Origin::generated);
  CHECK(direct.details()["counts"]["train"] == 300);
  const json card = task->make(options, folder.path() / "lra_release/lra_release/listops-1000");
  CHECK(card["plan"]["seed"] == 4);
  OpenOptions files = testing::options_for(folder.path(), folder.path() / "cache");
  const TaskData read_back = task->open(files);
  CHECK(read_back.origin == Origin::generated);
  CHECK(read_back.sha256 == direct.sha256);
  CHECK(direct.details()["digests"] == read_back.details()["digests"]);
  CHECK_THAT(read_back.description, ContainsSubstring("lra_release/listops-1000 (--data)"));
  const DataCheck report = check(*task, files);
  CHECK(report.sha256 == direct.sha256);
  CHECK(report.fault_count == 0);
  // A card that is not of these files is not believed.
  const auto val = folder.path() / "lra_release/lra_release/listops-1000/basic_val.tsv";
  lra::write_file_atomic(val, lra::read_file(val) + "5\t5\n");
  CHECK_THAT(error_of([&] { static_cast<void>(task->open(files)); }),
             ContainsSubstring("lra_data.json: the data card does not belong"));
  // Nor one of files that were changed at the same size.
  static_cast<void>(task->make(options, folder.path() / "again"));
  const auto train = folder.path() / "again/basic_train.tsv";
  std::string text = lra::read_file(train);
  text.replace(text.find("MAX"), 3, "MIN");
  lra::write_file_atomic(train, text);
  const auto changed = create_task("listops", [] {
    json shape = small_shape();
    shape["verify"] = false;
    return shape;
  }());
  const auto again = testing::options_for(folder.path() / "again", folder.path() / "cache");
  CHECK_THAT(error_of([&] { static_cast<void>(changed->open(again)); }),
             ContainsSubstring("basic_train.tsv: was changed after it was generated"));
  std::filesystem::remove(folder.path() / "again/lra_data.json");
  CHECK(changed->open(again).origin == Origin::stand_in);
}

TEST_CASE("listops: known bug: the end bracket is kept, losing it is a quirk by name", "[unit]") {
  const TempFolder folder;
  write_splits(folder, std::string("Source\tTarget\n") + kGood + "\n");
  const auto options = testing::options_for(folder.path(), folder.path() / "cache");
  const TaskData kept = create_task("listops", nullptr)->open(options);
  const auto tokens = kept.split(Split::train)[0].tokens;
  CHECK(std::vector<Token>(tokens.begin(), tokens.end()) == std::vector<Token>{2, 9, 13, 5});
  CHECK(kept.origin == Origin::stand_in);  // not the official counts
  const auto quirk = create_task("listops", {{"brackets", "drop"}});
  const TaskData dropped = quirk->open(options);
  CHECK(dropped.split(Split::train)[0].tokens.size() == 3);
  CHECK(dropped.sha256 != kept.sha256);
  CHECK(quirk->predictors().size() == 2);
  const TaskData cut = create_task("listops", {{"max_length", 2}})->open(options);
  CHECK(cut.split(Split::train)[0].tokens.size() == 2);
}

TEST_CASE("listops: known bug: the vocabulary is the same in every process", "[unit]") {
  // Ids by a set of byte strings would change with the hash seed; here they are constants, and
  // these digests were computed in another process.
  const TempFolder folder;
  const testing::Variable no_data("LRA_DATA", "");
  const testing::Variable no_cache("XDG_CACHE_HOME", folder.path() / "none");
  const TaskData data = create_task("listops", small_shape())->open(small(folder));
  CHECK(data.sha256 == "287ef0a99a6f53cee45918192dfea857416d7c67e7264e35e8a08a97fea4281b");
}

TEST_CASE("listops: the ladder's figures on the official distribution", "[unit]") {
  const TempFolder folder;
  const testing::Variable no_data("LRA_DATA", "");
  const testing::Variable no_cache("XDG_CACHE_HOME", folder.path() / "none");
  OpenOptions options = testing::options_for("", folder.path() / "cache");
  options.counts = {4000, 1, 6000};
  const auto task = create_task("listops", nullptr);
  const TaskData data = task->open(options);
  const auto rungs = shortcuts(*task, data);
  // Published for 60,000 examples; four standard errors at 6,000 are 2 to 2.6 points.
  const std::array<double, 5> expected{0.169, 0.364, 0.481, 0.565, 0.719};
  REQUIRE(rungs.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO(rungs[i].name);
    CHECK(std::abs(rungs[i].accuracy - expected[i]) < 0.026);
  }
  CHECK(agreement(rungs[1], rungs[1].predictions) == 1.0);
  CHECK(agreement(rungs[0], rungs[1].predictions) < 0.9);
}

TEST_CASE("listops: official files have the official look", "[unit]") {
  const auto folder = testing::official_data("listops");
  if (!folder) return;
  const TempFolder temporary;
  const DataCheck report =
      check(*create_task("listops", nullptr), testing::options_for(*folder, temporary.path()));
  CHECK(report.fault_count == 0);
  for (const auto& split : report.splits) {
    CHECK(split.examples >= 500);
    CHECK(split.lengths.min > 500);
    CHECK(split.lengths.max < 2000);
  }
}
