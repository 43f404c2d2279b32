// Faults of the user's own data sets name file and line, and what would be read for something else
// is refused.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tasks/check.h"
#include "tasks/file/testing.h"
#include "tasks/test_support.h"

namespace lra::tasks::file {
namespace {

namespace fs = std::filesystem;
using lra::testing::ContainsSubstring;
using nlohmann::json;
using testing::error_of;
using testing::TempFolder;

TEST_CASE("file: an option that the form or the kind does not use is refused", "[unit]") {
  const TempFolder folder;
  std::string hundred;
  for (int i = 0; i < 20; ++i) {
    hundred += static_cast<char>(i % 2);       // coarse
    hundred += static_cast<char>(50 + i % 4);  // fine
    hundred += std::string(3072, static_cast<char>(i));
  }
  for (const char* split : {"train", "test"}) {
    folder.write(fmt::format("c100/{}.bin", split), hundred);
    for (const char* name : {"a", "b"}) {
      for (int i = 0; i < 20; ++i) {
        folder.write(fmt::format("tree/{}/{}/{}.txt", split, name, i), fmt::format("{}", i));
      }
    }
  }
  folder.write("t.csv", table(40, 2, "x"));
  const auto classes = [&](const json& options) {
    return read_from(folder, "c100", options)->info.class_names;
  };
  CHECK(classes({{"kind", "pixels"}}) == std::vector<std::string>{"50", "51", "52", "53"});
  CHECK(classes({{"kind", "pixels"}, {"label_column", "coarse"}}) ==
        std::vector<std::string>{"0", "1"});
  const auto refused = [&](const std::string& name, const json& options) {
    return error_of([&] { read_from(folder, name, options); }, ErrorKind::config);
  };
  CHECK_THAT(
      refused("c100", {{"kind", "pixels"}, {"label_column", "corse"}}),
      ContainsSubstring("label_column; got 'corse' for CIFAR-100's batches, expected fine or "
                        "coarse"));
  CHECK_THAT(refused("tree", {{"label_column", "2"}}), ContainsSubstring("they have no columns"));
  CHECK_THAT(refused("tree", {{"text_columns", "2"}}), ContainsSubstring("they have no columns"));
  CHECK_THAT(refused("t.csv", {{"colour", "grey"}}),
             ContainsSubstring("colour; got the kind text, expected pixels"));
  CHECK_THAT(refused("t.csv", {{"high", 1}}), ContainsSubstring("high; got the kind text"));
  CHECK_THAT(refused("t.csv", {{"padding", 0}}), ContainsSubstring("expected tokens"));
}

TEST_CASE("file: data check names file and line, and what is no data set is refused", "[unit]") {
  const TempFolder folder;
  folder.write("d/train.csv", table(40, 2, "x") + "1\n2,unknown later\n");
  folder.write("d/test.csv", "label,text\n0,\n1,fine\n9,other\n");
  const OpenOptions open = testing::options_for(folder.path() / "d", folder.path() / "cache");
  const auto task = create_task("file", {{"labels", "0,1"}}, open);
  const DataCheck checked = check(*task, open);
  CHECK(checked.origin == Origin::own);
  REQUIRE(checked.faults.size() == 4);
  CHECK_THAT(checked.faults[0], ContainsSubstring("train.csv:42: columns; got 1, expected 2"));
  CHECK_THAT(checked.faults[1], ContainsSubstring("train.csv:43: label; got '2'"));
  CHECK_THAT(checked.faults[2], ContainsSubstring("test.csv:2: the document is empty"));
  CHECK_THAT(checked.faults[3], ContainsSubstring("test.csv:4: label; got '9'"));
  CHECK(checked.to_json()["class_names"] == json({"0", "1"}));
  const auto refused = [&](const std::string& name, const json& options, ErrorKind kind) {
    return error_of([&] { read_from(folder, name, options); }, kind);
  };
  folder.write("none/readme.pdf", "x");
  CHECK_THAT(refused("none", nullptr, ErrorKind::data),
             ContainsSubstring("no data set of a known form; got a folder of readme.pdf"));
  folder.write("one.csv", table(40, 1, "x"));
  CHECK_THAT(refused("one.csv", nullptr, ErrorKind::data), ContainsSubstring("got one class, '0'"));
  CHECK_THAT(refused("one.csv", {{"name", "listops"}}, ErrorKind::config),
             ContainsSubstring("which is the name of a task"));
  CHECK_THAT(refused("one.csv", {{"name", "My set"}}, ErrorKind::config),
             ContainsSubstring("name; got 'My set', expected at most 40 lower-case letters"));
  folder.write("My-set 2/train.csv", table(40, 2, "x"));
  CHECK(read_from(folder, "My-set 2")->info.set == "my_set_2");
  folder.write("text/train.csv", table(40, 2, "x"));
  CHECK(read_from(folder, "text")->info.set == "own_text");
  CHECK_THAT(refused("one.csv", {{"labels", "a,b,a"}}, ErrorKind::config),
             ContainsSubstring("labels: 'a' twice"));
  CHECK_THAT(
      error_of([] { static_cast<void>(create_task("file", nullptr)->find({})); }, ErrorKind::usage),
      ContainsSubstring("give --data PATH"));
}

TEST_CASE("file: a link among the data that leads nowhere is refused with its target", "[unit]") {
  const TempFolder folder;
  const std::string ids(8, '\0');
  const std::string labels(2, '\1');
  const std::string pixels =
      big_endian(0x803) + big_endian(2) + big_endian(2) + big_endian(2) + ids;
  const std::string digits = big_endian(0x801) + big_endian(2) + labels;
  folder.write("csv/train.csv", table(40, 2, "x"));
  folder.write("csv/test.csv", table(4, 2, "y"));
  folder.write("lines/train.jsonl", "{\"label\": \"up\", \"text\": \"v\"}\n");
  folder.write("arrays/x_train.npy", npy("<i4", "2, 1", ids));
  folder.write("arrays/y_train.npy", npy("|u1", "2,", labels));
  for (const char* name : {"idx", "raw/raw"}) {
    folder.write(fmt::format("{}/train-images-idx3-ubyte", name), pixels);
    folder.write(fmt::format("{}/train-labels-idx1-ubyte", name), digits);
  }
  folder.write("cifar/data_batch_1.bin", "x");
  folder.write("splits/train/a/1.txt", "x");
  folder.write("splits/train/b/1.txt", "y");
  folder.write("classes/a/1.txt", "x");
  folder.write("classes/b/1.txt", "y");
  folder.write("class/a/1.txt", "x");
  const std::vector<std::pair<std::string, std::string>> links{
      {"csv", "val.csv"},
      {"lines", "test.jsonl"},
      {"arrays", "x_test.npy"},
      {"idx", "t10k-images-idx3-ubyte.gz"},
      {"raw", "raw/t10k-labels-idx1-ubyte"},
      {"cifar", "test_batch.bin"},
      {"splits", "test"},
      {"classes", "c"},
      {"classes", "a/2.txt"},
      {"class", "b"}};
  for (const auto& [data, name] : links) {
    INFO(data << ": " << name);
    const fs::path link = folder.path() / data / name;
    fs::create_symlink("nowhere", link);
    const json options = data == "arrays" || data == "idx" || data == "raw" || data == "cifar"
                             ? json{{"kind", "pixels"}}
                             : json();
    CHECK_THAT(error_of([&] { read_from(folder, data, options); }),
               ContainsSubstring(link.string() + ": cannot read: a link to nowhere"));
    fs::remove(link);
  }
  // What is no data may lead nowhere.
  fs::create_symlink("nowhere", folder.path() / "csv" / "notes");
  fs::create_symlink("nowhere", folder.path() / "csv" / ".val.csv");
  CHECK(read_from(folder, "csv")->sink[Split::val].size() == 4);
}

TEST_CASE("file: a split in another form than train's is refused, not drawn from train", "[unit]") {
  const TempFolder folder;
  const std::string rows = table(40, 2, "x");
  const std::string lines = "{\"label\": 0, \"text\": \"v\"}\n{\"label\": 1, \"text\": \"w\"}\n";
  const auto refused = [&](const std::string& name, const std::string& first,
                           const std::string& second) {
    INFO(name);
    const std::string said = error_of([&] { read_from(folder, name); });
    CHECK_THAT(said, ContainsSubstring(fmt::format("got {} and {}, expected", first, second)));
    return said;
  };
  int number = 0;
  for (const char* other : {"test.jsonl", "val.jsonl", "Test.csv.gz", "dev.parquet", "x_test.npy",
                            "t10k-images-idx3-ubyte.gz", "test/pos/1.txt", "test/1.txt"}) {
    const std::string data = fmt::format("mixed-{}", number++);
    folder.write(data + "/train.csv", rows);
    folder.write(fmt::format("{}/{}", data, other), lines);
    CHECK_THAT(refused(data, "train.csv (tables)", fs::path(other).begin()->string()),
               ContainsSubstring("train, val and test in one form"));
  }
  folder.write("lines/train.jsonl", lines);
  folder.write("lines/test.csv", rows);
  refused("lines", "test.csv (tables)", "train.jsonl");
  folder.write("lone/reviews.csv", rows);
  folder.write("lone/test.jsonl", lines);
  refused("lone", "reviews.csv (tables)", "test.jsonl");
  for (const char* name : {"tree/train/a/1.txt", "tree/train/b/1.txt", "tree/test/1.txt"}) {
    folder.write(name, name);
  }
  refused("tree", "train (folders of classes)", "test");
  folder.write("twice/train.csv", rows);
  folder.write("twice/test.csv", rows);
  folder.write("twice/test.jsonl", lines);
  refused("twice", "train.csv (tables)", "test.jsonl");

  // Two names of one split.
  folder.write("files/train.csv", rows);
  folder.write("files/val.csv", rows);
  folder.write("files/dev.csv", rows);
  CHECK_THAT(error_of([&] { read_from(folder, "files"); }),
             ContainsSubstring("val: got dev.csv and val.csv, expected one file"));
  for (const char* split : {"train", "val", "dev"}) {
    for (const char* label : {"a", "b"}) {
      folder.write(fmt::format("folders/{}/{}/1.txt", split, label), split);
    }
  }
  CHECK_THAT(error_of([&] { read_from(folder, "folders"); }),
             ContainsSubstring("val: got dev and val, expected one folder"));

  // What is no data, hidden, or a packed copy takes nothing away.
  for (const char* other : {"test.md", ".test.jsonl", "train.csv.gz", "tests.jsonl", "notes.txt",
                            "test/run.py", "train_vectors.npy"}) {
    folder.write(fmt::format("plain/{}", other), "x");
  }
  fs::create_directories(folder.path() / "plain" / "val");
  folder.write("plain/train.csv", rows);
  CHECK(read_from(folder, "plain")->sink[Split::test].size() == 4);
  for (const char* label : {"dev", "ops"}) {  // classes, although one is named like a split
    for (int i = 0; i < 20; ++i) {
      folder.write(fmt::format("classes/{}/{}.txt", label, i), fmt::format("{} {}", label, i));
    }
  }
  CHECK(read_from(folder, "classes")->info.class_names == std::vector<std::string>{"dev", "ops"});
}

TEST_CASE("file: data check says how many examples of the test train has as well", "[unit]") {
  const TempFolder folder;
  folder.write("d/train.csv", table(40, 2, "x"));
  folder.write("d/val.csv", table(40, 2, "y"));
  folder.write("d/test.csv", table(30, 3, "x") + "1,another\n");  // their labels do not matter
  const OpenOptions open = testing::options_for(folder.path() / "d", folder.path() / "cache");
  const DataCheck checked = check(*create_task("file", {{"labels", "0,1,2"}}, open), open);
  CHECK(checked.faults.empty());
  CHECK(checked.splits[split_index(Split::test)].in_train == 30);
  CHECK(checked.splits[split_index(Split::val)].in_train == 0);
  CHECK(checked.to_json()["splits"]["test"]["in_train"] == 30);
}

}  // namespace
}  // namespace lra::tasks::file
