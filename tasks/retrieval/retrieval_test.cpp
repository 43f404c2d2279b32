#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "tasks/bytes.h"
#include "tasks/check.h"
#include "tasks/retrieval/pairs.h"
#include "tasks/retrieval/stand_in.h"
#include "tasks/test_support.h"

using lra::testing::ContainsSubstring;
using nlohmann::json;
using namespace lra::tasks;
using testing::error_of;
using testing::MemorySink;
using testing::TempFolder;

namespace {

void read_into(MemorySink& sink, const std::filesystem::path& data, const json& options = nullptr) {
  const auto task = create_task("retrieval", options);
  const auto open = testing::options_for(data, {});
  static_cast<void>(task->read(task->find(open), open, sink));
}

void write_splits(const TempFolder& folder, const std::string& train) {
  folder.write("tsv_data/new_aan_pairs.train.tsv", train);
  folder.write("tsv_data/new_aan_pairs.eval.tsv", "1\tA\tB\tb'a'\tb'b'\n");
  folder.write("tsv_data/new_aan_pairs.test.tsv", "0\tA\tB\tb'a'\tb'b'\n");
}

std::string fault_of(const std::string& row) {
  std::vector<std::string> faults;
  int good = 0;
  retrieval::read_pairs(
      "1.0\tA\tB\ttext a\ttext b\n" + row, "f.tsv",
      [&good](std::int32_t, std::string_view, std::string_view) { ++good; },
      [&faults](const std::string& fault) { faults.push_back(fault); });
  CHECK(good == 1);
  REQUIRE(faults.size() == 1);
  return faults[0];
}

}  // namespace

TEST_CASE("retrieval: known bug: quotation marks are text, not CSV quoting", "[unit]") {
  const TempFolder folder;
  // With CSV quoting the first text would run on to the second quotation mark, a line below.
  write_splits(folder,
               "1.0\tP05-1\tJ97-2\t\"open quote\tplain\r\n0.0\tA\tB\tx\" y\tz\n1\tA\tC\t\"\"\tz\n");
  MemorySink sink;
  read_into(sink, folder.path());
  CHECK(sink.faults.empty());
  REQUIRE(sink[Split::train].size() == 3);
  std::vector<Token> expected;
  byte_tokens("\"open quote", 4000, expected);
  CHECK(sink[Split::train][0].tokens == expected);
  byte_tokens("plain", 4000, expected);
  CHECK(sink[Split::train][0].second == expected);
  CHECK(sink[Split::train][0].label == 1);
  CHECK(sink[Split::train][1].label == 0);
  CHECK(sink[Split::train][2].tokens.size() == 2);
  CHECK(sink[Split::val].size() == 1);
}

TEST_CASE("retrieval: faults name file and line", "[unit]") {
  CHECK(fault_of("1.0\tA\tB\ttext\n") == "f.tsv:2: columns; got 4, expected 5");
  CHECK(fault_of("1.0\tA\tB\ttext\tmore\ttab\n") == "f.tsv:2: columns; got 6, expected 5");
  CHECK_THAT(fault_of("2\tA\tB\ta\tb\n"),
             ContainsSubstring("f.tsv:2: label; got '2', expected 0, 1"));
  CHECK_THAT(fault_of("1.00\tA\tB\ta\tb\n"), ContainsSubstring("label; got '1.00'"));
  CHECK(fault_of("1\tA\tB\ta\t\n") == "f.tsv:2: column 5 is empty");
  CHECK(fault_of("1\t\tB\ta\tb\n") == "f.tsv:2: column 2 is empty");
  CHECK(fault_of("\n") == "f.tsv:2: columns; got 1, expected 5");
  CHECK_THAT(fault_of("1\tA\tB\ta\tb"), ContainsSubstring("f.tsv:2: the last line is truncated"));
  CHECK_THAT(error_of([] { retrieval::read_pairs("", "f.tsv", {}, {}); }),
             ContainsSubstring("f.tsv:1: the file is empty"));
}

TEST_CASE("retrieval: any byte is legal, long documents are cut each", "[unit]") {
  const TempFolder folder;
  write_splits(folder,
               "1\tA\tB\t" + std::string(9000, '\xff') + "\t" + std::string("a\0b", 3) + "\n");
  MemorySink sink;
  read_into(sink, folder.path());
  CHECK(sink[Split::train][0].tokens.size() == 4000);
  CHECK(sink[Split::train][0].tokens[0] == 256);
  CHECK(sink[Split::train][0].second == std::vector<Token>{98, 1, 99});
}

TEST_CASE("retrieval: numbered documents are joined, each is stored once", "[unit]") {
  const TempFolder folder;
  folder.write("papers.tsv", "A\ttext of a\nB\ttext of b\n");
  for (const char* part : {"train", "eval", "test"}) {
    folder.write(fmt::format("new_aan_pairs.{}.ids.tsv", part), "1.0\tA\tB\n0.0\tB\tA\n");
  }
  const auto options = testing::options_for(folder.path(), folder.path() / "cache");
  const TaskData data = create_task("retrieval", nullptr)->open(options);
  CHECK(data.origin == Origin::stand_in);
  CHECK(data.split(Split::train)[0].tokens.data() == data.split(Split::train)[1].second.data());
  folder.write("papers.tsv", "A\ttext\nA\ttwice\n");
  folder.write("new_aan_pairs.eval.ids.tsv", "1.0\tA\tA\n1\tA\tX\n");
  const DataCheck report = check(*create_task("retrieval", nullptr), options);
  REQUIRE(report.faults.size() == 6);
  CHECK_THAT(report.faults[0], ContainsSubstring("papers.tsv:2: document 'A' occurs twice"));
  CHECK_THAT(report.faults[3], ContainsSubstring("new_aan_pairs.eval.ids.tsv:2: no document 'X'"));
}

TEST_CASE("retrieval: the benchmark's files of numbered documents, a byte order mark", "[unit]") {
  const TempFolder folder;
  folder.write("papers.tsv", "\xef\xbb\xbfP0\ttext of paper 0\nP1\ttext of paper 1\n");
  for (const char* part : {"train", "eval", "test"}) {
    folder.write(fmt::format("new_aan_pairs.{}.only_ids.tsv", part), "0.0\tP0\tP1\n1.0\tP1\tP0\n");
  }
  MemorySink sink;
  read_into(sink, folder.path());
  CHECK(sink.faults.empty());
  REQUIRE(sink[Split::train].size() == 2);
  std::vector<Token> expected;
  byte_tokens("text of paper 1", 4000, expected);
  CHECK(sink[Split::train][0].second == expected);
  CHECK(sink[Split::train][1].label == 1);
  std::filesystem::remove(folder.path() / "papers.tsv");
  CHECK_THAT(error_of([&] { read_into(sink, folder.path()); }),
             ContainsSubstring(".only_ids.tsv of each beside papers.tsv"));
}

TEST_CASE("retrieval: the stand-in is balanced and only the pair tells the label", "[unit]") {
  const auto made = retrieval::stand_in_split(3, Split::train, 2000);
  const auto again = retrieval::stand_in_split(3, Split::train, 2000);
  CHECK(made.documents == again.documents);
  // Subject of a document by the syllables that only it has.
  std::map<std::uint32_t, std::size_t> subject;
  for (std::uint32_t i = 0; i < made.documents.size(); ++i) {
    std::array<std::ptrdiff_t, 8> counts{};
    for (std::size_t k = 0; k < 8; ++k) {
      const char letter = "bcfghqvw"[k];
      counts[k] = std::count(made.documents[i].begin(), made.documents[i].end(), letter);
    }
    subject[i] =
        static_cast<std::size_t>(std::max_element(counts.begin(), counts.end()) - counts.begin());
    CHECK(made.documents[i].size() >= 4000);
  }
  int right = 0;
  int positive = 0;
  std::array<int, 8> positive_first{};
  std::array<int, 8> first{};
  for (const auto& pair : made.pairs) {
    CHECK(pair.first != pair.second);
    right += (subject[pair.first] == subject[pair.second]) == (pair.label == 1);
    positive += pair.label;
    ++first[subject[pair.first]];
    positive_first[subject[pair.first]] += pair.label;
  }
  CHECK(right > 1900);
  CHECK((positive > 910 && positive < 1090));
  for (std::size_t k = 0; k < 8; ++k)
    CHECK(std::abs(2 * positive_first[k] - first[k]) < first[k] / 2);
}

TEST_CASE("retrieval: real pairs in the official form", "[unit]") {
  const auto folder = testing::official_data("lra_format_sample");
  if (!folder) return;
  const TempFolder temporary;
  const DataCheck report =
      check(*create_task("retrieval", nullptr), testing::options_for(*folder, temporary.path()));
  CHECK(report.fault_count == 0);
  CHECK(report.splits[0].labels == std::vector<std::int64_t>{300, 300});
  CHECK(report.splits[2].examples == 104);
}
