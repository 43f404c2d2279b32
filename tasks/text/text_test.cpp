#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "tasks/bytes.h"
#include "tasks/check.h"
#include "tasks/test_support.h"
#include "tasks/text/reviews.h"
#include "tasks/text/stand_in.h"

using lra::testing::ContainsSubstring;
using nlohmann::json;
using namespace lra::tasks;
using testing::error_of;
using testing::MemorySink;
using testing::TempFolder;

namespace {

const std::vector<std::pair<std::string, std::string>> kTree{
    {"train/pos/0_9.txt", "Bromwell High\xe2\x80\x99s fine.<br />"},
    {"train/pos/1_7.txt", "good"},
    {"train/neg/0_1.txt", "bad \xff\xfe bytes"},
    {"train/neg/12_4.txt", "worse"},
    {"test/pos/0_10.txt", "liked"},
    {"test/neg/5_2.txt", std::string("nul \0 byte", 10)},
};

void write_tree(const TempFolder& folder, const std::string& below = "aclImdb/") {
  for (const auto& [name, content] : kTree) folder.write(below + name, content);
}

void read_into(MemorySink& sink, const std::filesystem::path& data, const json& options = nullptr) {
  const auto task = create_task("text", options);
  const auto open = testing::options_for(data, {});
  static_cast<void>(task->read(task->find(open), open, sink));
}

std::vector<MemorySink::Kept> all_of(const MemorySink& sink) {
  std::vector<MemorySink::Kept> all;
  for (const auto& split : sink.splits) all.insert(all.end(), split.begin(), split.end());
  return all;
}

std::string tree_fault(const std::string& name, const std::string& content) {
  const TempFolder folder;
  write_tree(folder);
  folder.write("aclImdb/" + name, content);
  MemorySink sink;
  read_into(sink, folder.path());
  REQUIRE(sink.faults.size() == 1);
  CHECK(all_of(sink).size() == kTree.size());
  return sink.faults[0];
}

std::vector<text::Review> table(const std::string& content, bool csv,
                                std::vector<std::string>& faults) {
  std::vector<text::Review> reviews;
  text::read_review_table(content, "t.csv", csv, Split::train, reviews,
                          [&faults](const std::string& fault) { faults.push_back(fault); });
  return reviews;
}

}  // namespace

TEST_CASE("text: the folder tree, bytes as they are, id = byte + 1", "[unit]") {
  const TempFolder folder;
  write_tree(folder);
  folder.write("aclImdb/train/unsup/0_0.txt", "not used");
  folder.write("aclImdb/train/pos/.hidden", "not used");
  MemorySink sink;
  read_into(sink, folder.path());
  CHECK(sink.faults.empty());
  CHECK(sink[Split::train].size() + sink[Split::val].size() == 4);
  REQUIRE(sink[Split::test].size() == 2);
  for (const auto& kept : sink[Split::test]) {
    const std::string& content = kept.label == 1 ? kTree[4].second : kTree[5].second;
    std::vector<Token> expected;
    byte_tokens(content, 4000, expected);
    CHECK(kept.tokens == expected);
    CHECK(std::count(kept.tokens.begin(), kept.tokens.end(), 0) == 0);
  }
}

TEST_CASE("text: tree, archive and tables of the same reviews are the same data", "[unit]") {
  const TempFolder folder;
  write_tree(folder);
  const auto tar = folder.path() / "aclImdb_v1.tar.gz";
  struct archive* out = archive_write_new();
  archive_write_add_filter_gzip(out);
  archive_write_set_format_ustar(out);
  REQUIRE(archive_write_open_filename(out, tar.c_str()) == ARCHIVE_OK);
  for (const auto& [name, content] : kTree) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, ("aclImdb/" + name).c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_write_header(out, entry);
    archive_write_data(out, content.data(), content.size());
    archive_entry_free(entry);
  }
  archive_write_free(out);
  std::string csv[2] = {"text,label\r\n", "label,text\n"};
  for (const auto& [name, content] : kTree) {
    const bool train = name.starts_with("train");
    const bool positive = name.find("pos") != std::string::npos;
    csv[train ? 0 : 1] += train ? "\"" + content + "\"," + (positive ? "pos" : "neg") + "\r\n"
                                : std::string(positive ? "1" : "0") + "," + content + "\n";
  }
  folder.write("tables/train.csv", csv[0]);
  folder.write("tables/test.csv", csv[1]);
  MemorySink from_tree;
  MemorySink from_archive;
  MemorySink from_tables;
  read_into(from_tree, folder.path());
  read_into(from_archive, tar);
  read_into(from_tables, folder.path() / "tables");
  CHECK(from_tree.splits == from_archive.splits);
  CHECK(from_tree.splits == from_tables.splits);
}

TEST_CASE("text: faults of the tree name the file", "[unit]") {
  CHECK_THAT(tree_fault("train/pos/7.txt", "x"), ContainsSubstring("train/pos/7.txt: name; got"));
  CHECK_THAT(tree_fault("train/pos/7_3.txt", "x"),
             ContainsSubstring("rating; got 3, expected 7..10"));
  CHECK_THAT(tree_fault("test/neg/7_7.txt", "x"),
             ContainsSubstring("rating; got 7, expected 1..4"));
  for (const char* beside :
       {"train/pos/7_6.txt", "train/pos/7_11.txt", "train/neg/7_5.txt", "train/neg/7_0.txt"}) {
    CHECK_THAT(tree_fault(beside, "x"), ContainsSubstring("rating; got"));
  }
  CHECK_THAT(tree_fault("test/neg/5_3.txt", "x"), ContainsSubstring("id 5 twice in one folder"));
  CHECK_THAT(tree_fault("test/neg/6_3.txt", ""),
             ContainsSubstring("6_3.txt: the document is empty"));
  const TempFolder folder;
  const TempFolder store;
  write_tree(folder);
  // Links into a store are followed; one that leads nowhere is a fault.
  std::filesystem::create_symlink(store.write("9_9.txt", "x"),
                                  folder.path() / "aclImdb/train/pos/9_9.txt");
  std::filesystem::create_symlink(store.path() / "none",
                                  folder.path() / "aclImdb/train/pos/8_9.txt");
  MemorySink sink;
  read_into(sink, folder.path());
  CHECK(all_of(sink).size() == kTree.size() + 1);
  REQUIRE(sink.faults.size() == 1);
  CHECK_THAT(sink.faults[0], ContainsSubstring("8_9.txt: cannot read: a link to"));
  CHECK_THAT(error_of([] {
               MemorySink none;
               read_into(none, "/no/such");
             }),
             ContainsSubstring("expected the aclImdb tree"));
}

TEST_CASE("text: tables with CSV quotes, tables with tabs and none", "[unit]") {
  std::vector<std::string> faults;
  auto reviews = table("label,text\n1,\"a, \"\"b\"\"\nc\"\r\n0,plain\r\n", true, faults);
  REQUIRE(reviews.size() == 2);
  CHECK(reviews[0].content == "a, \"b\"\nc");
  CHECK(reviews[1].content == "plain");
  reviews = table("positive\t\"quote, kept\nneg\tx\n", false, faults);
  CHECK(reviews[0].content == "\"quote, kept");
  CHECK(faults.empty());
  reviews =
      table("review,sentiment\n\"one\ntwo\",positive\nlost\nx,maybe\n,0\ny,1\n", true, faults);
  CHECK(reviews.size() == 2);
  REQUIRE(faults.size() == 3);
  CHECK(faults[0] == "t.csv:4: columns; got 1, expected 2");
  CHECK_THAT(faults[1], ContainsSubstring("t.csv:5: label; got 'maybe'"));
  CHECK(faults[2] == "t.csv:6: the document is empty");
  CHECK_THAT(error_of([&] { table("1,x\n0,\"open\n", true, faults); }),
             ContainsSubstring("t.csv:2: a quotation mark that is never closed"));
  CHECK_THAT(error_of([&] { table("0,\"a\"b\n", true, faults); }),
             ContainsSubstring("t.csv:1: text after a closing quotation mark"));
  CHECK_THAT(error_of([&] { table("", true, faults); }),
             ContainsSubstring("t.csv:1: the file is empty"));
}

TEST_CASE("text: byte order mark, letter case, labels as floating-point numbers", "[unit]") {
  std::vector<std::string> faults;
  for (const char* start : {"\xef\xbb\xbflabel,text\n0,a\n1,b\n", "Label,TEXT\n0.0,a\n1.0,b\n",
                            "\xef\xbb\xbf"
                            "0,a\nPOS,b\n"}) {
    INFO(start);
    const auto reviews = table(start, true, faults);
    REQUIRE(reviews.size() == 2);
    CHECK(reviews[0].label == 0);
    CHECK(reviews[1].label == 1);
    CHECK(reviews[0].content == "a");
  }
  const auto swapped = table("Text,Label\n\"a dull, slow film\",0\nfine,1\n", true, faults);
  CHECK(swapped[0].content == "a dull, slow film");
  CHECK(faults.empty());
  CHECK_THAT(error_of([&] { table("\xff\xfel\0a\0", true, faults); }),
             ContainsSubstring("t.csv:1: got UTF-16, expected UTF-8"));
  table("label,text\n1,a\n2,b\n", true, faults);  // a task of more classes
  REQUIRE(faults.size() == 1);
  CHECK_THAT(faults[0], ContainsSubstring("t.csv:3: label; got '2', expected 0 or 1") &&
                            ContainsSubstring("two classes; try --task file"));
}

TEST_CASE("text: quotes in a table with tabs are those of a data-frame library, or text",
          "[unit]") {
  std::vector<std::string> faults;
  const auto contents = [&](const std::string& rows) {
    std::vector<std::string> result;
    for (const auto& review : table("label\ttext\n" + rows, false, faults)) {
      result.push_back(review.content);
    }
    return result;
  };
  using Texts = std::vector<std::string>;
  CHECK(contents("0\t\"They said \"\"weak\"\", twice\"\n1\tplain\n") ==
        Texts{"They said \"weak\", twice", "plain"});
  CHECK(contents("0\t\"two\nlines\"\r\n1\t\"a\tb\"\r\n") == Texts{"two\nlines", "a\tb"});
  // One mark that breaks the rules, and all of them are text.
  CHECK(contents("0\t\"whole\"\n1\tso \"called\"\n") == Texts{"\"whole\"", "so \"called\""});
  CHECK(contents("0\t\"a\" b\n1\tc\n") == Texts{"\"a\" b", "c"});
  CHECK(contents("0\t\"open\n1\tc\n") == Texts{"\"open", "c"});
  CHECK(faults.empty());
}

TEST_CASE("text: a table for validation is used", "[unit]") {
  const TempFolder folder;
  std::string train = "label,text\n";
  for (int i = 0; i < 40; ++i) train += fmt::format("{},film {}\n", i % 2, i);
  folder.write("train.csv", train);
  folder.write("test.tsv", "0\tt1\n1\tt2\n");
  MemorySink hashed;
  read_into(hashed, folder.path());
  CHECK(hashed[Split::train].size() + hashed[Split::val].size() == 40);
  const auto task = create_task("text", nullptr);
  const auto options = testing::options_for(folder.path(), folder.path() / "cache");
  const auto identity = [&] { return task->find(options).identity; };
  const std::string before = identity();
  CHECK_THAT(task->open(options).description, !ContainsSubstring("for validation"));
  folder.write("val.csv", "label,text\n0,v1\n1,v2\n1,v3\n");
  CHECK(identity() != before);
  MemorySink sink;
  read_into(sink, folder.path());
  CHECK(sink[Split::train].size() == 40);
  CHECK(sink[Split::val].size() == 3);
  CHECK(sink[Split::test].size() == 2);
  const TaskData data = task->open(options);
  CHECK_THAT(data.description, ContainsSubstring("one of them for validation"));
  CHECK(data.details()["reviews"].contains("val"));
  MemorySink quirk;
  read_into(quirk, folder.path(), {{"validation", "test"}});
  CHECK(quirk[Split::val] == quirk[Split::test]);
}

TEST_CASE("text: a link that leads nowhere is refused in place of other data", "[unit]") {
  namespace fs = std::filesystem;
  for (const auto& [kept, link] :
       std::vector<std::pair<std::string, std::string>>{{"train.csv", "val.csv"},
                                                        {"train.csv", "test.tsv"},
                                                        {"train/pos/0_9.txt", "train/neg"},
                                                        {"", "aclImdb"},
                                                        {"", "aclImdb_v1.tar.gz"}}) {
    INFO(link);
    const TempFolder folder;
    if (!kept.empty()) folder.write(kept, "1,x\n0,y\n");
    if (link == "val.csv") folder.write("test.csv", "1,z\n");
    fs::create_symlink("nowhere", folder.path() / link);
    MemorySink sink;
    CHECK_THAT(error_of([&] { read_into(sink, folder.path()); }),
               ContainsSubstring((folder.path() / link).string() +
                                 ": cannot read: a link to nowhere, which does not exist"));
  }
}

TEST_CASE("text: an empty split is a fault, a folder's name may be any bytes", "[unit]") {
  const TempFolder folder;
  const auto data = folder.path() / "caf\xe9";
  std::filesystem::create_directory(data);
  std::string csv = "label,text\n";
  for (int i = 0; i < 4; ++i) csv += fmt::format("{},film {}\n", i % 2, i);
  lra::write_file_atomic(data / "train.csv", csv);
  lra::write_file_atomic(data / "test.csv", csv);
  const auto task = create_task("text", nullptr);
  const auto options = testing::options_for(data, folder.path() / "cache");
  CHECK_THAT(error_of([&] { static_cast<void>(task->open(options)); }),
             ContainsSubstring("no examples for val; expected at least one"));
  const DataCheck report = check(*task, options);
  CHECK(report.fault_count == 1);
  CHECK_THAT(report.description, ContainsSubstring("caf\\xe9"));
  lra::write_file_atomic(data / "val.csv", csv);
  CHECK_THAT(task->open(options).description, ContainsSubstring("caf\\xe9"));
  CHECK(!check(*task, options).to_json().dump().empty());  // valid UTF-8
  lra::write_file_atomic(data / "val.csv", "label,text\n9,\xff\n");
  CHECK(check(*task, options).fault_count > 0);
}

TEST_CASE("text: a document longer than the limit is cut to its first bytes", "[unit]") {
  const TempFolder folder;
  write_tree(folder);
  MemorySink sink;
  read_into(sink, folder.path(), {{"max_length", 3}});
  for (const auto& kept : all_of(sink)) CHECK(kept.tokens.size() == 3);
  CHECK(create_task("text", {{"max_length", 1000}})->info().max_length == 1000);
}

TEST_CASE("text: known bug: the validation split is its own and always the same", "[unit]") {
  const TempFolder folder;
  for (int i = 0; i < 400; ++i) {
    const std::string name = fmt::format("{}_{}.txt", i, i % 2 == 0 ? 8 : 2);
    const char* label = i % 2 == 0 ? "pos" : "neg";
    // Each text occurs twice: copies stay in one split.
    folder.write(fmt::format("train/{}/{}", label, name), fmt::format("film {}", i / 4));
    folder.write(fmt::format("test/{}/{}", label, name), fmt::format("other {}", i));
  }
  MemorySink sink;
  MemorySink again;
  MemorySink quirk;
  read_into(sink, folder.path());
  read_into(again, folder.path());
  read_into(quirk, folder.path(), {{"validation", "test"}});
  CHECK(sink.splits == again.splits);
  CHECK(sink[Split::val].size() > 10);
  CHECK(sink[Split::val].size() < 90);
  for (const auto& kept : sink[Split::val]) {
    const auto same = [&kept](const MemorySink::Kept& other) {
      return other.tokens == kept.tokens;
    };
    CHECK(std::none_of(sink[Split::train].begin(), sink[Split::train].end(), same));
    CHECK(std::none_of(sink[Split::test].begin(), sink[Split::test].end(), same));
  }
  CHECK(quirk[Split::val] == quirk[Split::test]);
  CHECK(quirk[Split::train].size() == 400);
}

TEST_CASE("text: the stand-in can be learned, and not from its length or label counts", "[unit]") {
  const TempFolder folder;
  const testing::Variable no_data("LRA_DATA", "");
  const testing::Variable no_cache("XDG_CACHE_HOME", folder.path() / "none");
  OpenOptions options = testing::options_for("", folder.path() / "cache");
  options.counts = {400, 50, 100};
  const TaskData data = create_task("text", nullptr)->open(options);
  CHECK(data.origin == Origin::stand_in);
  CHECK(data.split(Split::train).size() == 400);
  CHECK_THAT(data.description, ContainsSubstring("stand-in"));
  // Counting one bigram of each kind's syllables is far above chance.
  int right = 0;
  int positive = 0;
  for (std::uint64_t i = 0; i < 400; ++i) {
    const text::Review review = text::stand_in_review(0, Split::train, i);
    CHECK(review.content.size() >= 200);
    const auto count = [&review](std::string_view part) {
      int n = 0;
      for (auto at = review.content.find(part); at != std::string::npos;
           at = review.content.find(part, at + 1)) {
        ++n;
      }
      return n;
    };
    right += (count("glo") + count("joy") > count("dru") + count("murk")) == (review.label == 1);
    positive += review.label;
  }
  CHECK(right > 300);
  CHECK((positive > 160 && positive < 240));
}

TEST_CASE("text: the official reviews", "[unit]") {
  const auto folder = testing::official_data("aclImdb");
  if (!folder) return;
  const TempFolder temporary;
  const DataCheck report =
      check(*create_task("text", nullptr), testing::options_for(*folder, temporary.path()));
  CHECK(report.fault_count == 0);
  CHECK(report.origin == Origin::official);
  CHECK(report.splits[0].examples == 22546);
  CHECK(report.splits[1].examples == 2454);
  CHECK(report.splits[2].labels == std::vector<std::int64_t>{12500, 12500});
}
