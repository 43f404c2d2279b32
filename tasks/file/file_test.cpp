// The user's own data sets: what the data leave open is settled by them, and the task that is made
// of them is like any other.

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "engine/base/random.h"
#include "tasks/check_task.h"
#include "tasks/file/testing.h"
#include "tasks/io/fetch.h"
#include "tasks/shortcuts.h"
#include "tasks/test_support.h"

namespace lra::tasks::file {
namespace {

using lra::testing::ContainsSubstring;
using nlohmann::json;
using testing::error_of;
using testing::TempFolder;

TEST_CASE("file: classes, vocabulary and length of a CSV follow from it", "[unit]") {
  const TempFolder folder;
  folder.write("five/train.csv", table(50, 5, "a, longer"));
  folder.write("five/test.csv", table(10, 5, "b"));
  const auto read = read_from(folder, "five");
  CHECK(read->info.classes == 5);
  CHECK(read->info.class_names == std::vector<std::string>{"0", "1", "2", "3", "4"});
  CHECK(read->info.vocabulary == 257);
  CHECK(read->info.max_length == 12);
  CHECK(read->info.set == "five");
  CHECK(read->reading.origin == Origin::own);
  CHECK_THAT(read->reading.description, ContainsSubstring("val taken from train"));
  const auto& test = read->sink[Split::test];
  REQUIRE(test.size() == 10);
  CHECK(text_of(test[7].tokens) == "b 7");
  CHECK(test[7].label == 2);
  CHECK(read->sink[Split::val].size() == 5);
  CHECK(read->sink[Split::train].size() == 45);
  for (const auto& e : read->sink[Split::train]) {
    CHECK(std::stoi(text_of(e.tokens).substr(10)) % 5 == e.label);
  }
}

TEST_CASE("file: the options that were settled are the same for the task that is made of them",
          "[unit]") {
  const TempFolder folder;
  const auto path = folder.write("news.csv", table(60, 3, "x"));
  const OpenOptions open = testing::options_for(path, folder.path() / "cache");
  const auto values = [&](const json& options) {
    const auto task = create_task("file", options, open);
    OptionTable t;
    task->options(t);
    return t.values();
  };
  const json first = values(json::object());
  CHECK(first["labels"] == "0,1,2");
  CHECK(first["name"] == "news");
  CHECK(values(first) == first);
  const auto task = create_task("file", first);
  CHECK_FALSE(task->info().open);
  const TaskData data = task->open(open);
  CHECK(task->open(open).sha256 == data.sha256);
  CHECK(data.details()["labels"] == json({"0", "1", "2"}));
  CHECK(data.details()["origin"] == "own");
  // Another file of the same form is other data, and one without a class refuses nothing silently.
  folder.write("news.csv", table(60, 3, "y"));
  CHECK(task->open(open).sha256 != data.sha256);
  folder.write("news.csv", table(60, 4, "y"));
  CHECK_THAT(error_of([&] { static_cast<void>(task->open(open)); }),
             ContainsSubstring("news.csv:5: label; got '3', expected one of 0, 1, 2"));
}

TEST_CASE("file: shares follow content and seed, not the order, and equal texts stay together",
          "[unit]") {
  const TempFolder folder;
  std::vector<std::string> lines;
  for (int i = 0; i < 200; ++i) lines.push_back(fmt::format("{},text {}\n", i % 2, i / 2 % 90));
  const auto splits = [&](std::int64_t seed) {
    std::string text = "label,text\n";
    for (const auto& line : lines) text += line;
    folder.write("own.csv", text);
    const auto read = read_from(folder, "own.csv", {{"split_seed", seed}, {"test_share", 0.2}});
    std::array<std::set<std::string>, 3> result;
    for (const Split split : kSplits) {
      for (const auto& e : read->sink[split]) {
        result[split_index(split)].insert(text_of(e.tokens));
      }
    }
    return result;
  };
  const auto first = splits(0);
  CHECK(first[0].size() == 63);
  CHECK(first[1].size() == 9);
  CHECK(first[2].size() == 18);
  for (const auto& text : first[2]) CHECK(first[0].count(text) + first[1].count(text) == 0);
  std::reverse(lines.begin(), lines.end());
  CHECK(splits(0) == first);
  CHECK(splits(1) != first);
}

TEST_CASE("file: a part of data that come class by class has all classes", "[unit]") {
  const TempFolder folder;
  std::string rows = "label,text\n";
  for (int i = 0; i < 400; ++i) rows += fmt::format("{},text {}\n", i / 100, i);
  folder.write("sorted.csv", rows);
  OpenOptions open = testing::options_for(folder.path() / "sorted.csv", folder.path() / "cache");
  const auto task = create_task("file", nullptr, open);
  const auto texts = [&](std::int64_t count) {
    open.counts[0] = count;
    const TaskData data = task->open(open);
    CHECK_THAT(data.description, ContainsSubstring(fmt::format("cut to a sample of {} of", count)));
    std::set<std::int32_t> labels;
    std::set<std::string> found;
    const Dataset& train = data.split(Split::train);
    REQUIRE(std::cmp_equal(train.size(), count));
    for (std::size_t i = 0; i < train.size(); ++i) {
      labels.insert(train[i].label);
      found.insert(text_of({train[i].tokens.begin(), train[i].tokens.end()}));
    }
    CHECK(labels.size() == 4);
    CHECK(found.size() == train.size());
    return found;
  };
  const auto few = texts(40);
  const auto more = texts(80);
  CHECK(std::includes(more.begin(), more.end(), few.begin(), few.end()));
  CHECK(few == texts(40));
}

TEST_CASE("file: a file without splits as a test alone, and what such a cache lacks", "[unit]") {
  const TempFolder folder;
  folder.write("lone.csv", table(40, 2, "x"));
  folder.write("folder/test.csv", table(30, 2, "x"));
  const json trained = {{"labels", "0,1"}, {"max_length", 10}, {"vocabulary", 257}};
  const auto opened = [&](const char* name, const json& more, bool whole) {
    OpenOptions open = testing::options_for(folder.path() / name, folder.path() / "cache");
    if (!whole) open.counts = {0, 0, -1};
    json options = trained;
    options.update(more);
    return create_task("file", options, open)->open(open);
  };
  const TaskData all = opened("lone.csv", {{"test_share", 1}}, false);
  CHECK(all.split(Split::test).size() == 40);
  CHECK_THAT(all.description, ContainsSubstring("lone.csv, all of it test"));
  CHECK(opened("lone.csv", json::object(), false).split(Split::test).size() == 4);
  const TaskData named = opened("folder", json::object(), false);
  CHECK(named.split(Split::test).size() == 30);
  CHECK_THAT(named.description, !ContainsSubstring("cut"));
  // What was read for its test alone is nothing to train on.
  CHECK_THAT(error_of([&] { opened("folder", json::object(), true); }),
             ContainsSubstring("no examples for train"));
  CHECK_THAT(error_of([&] {
               opened("lone.csv", {{"test_share", 1}}, true);
             }),
             ContainsSubstring("no examples for train"));
}

TEST_CASE("file: what must hold of every task holds, and it has nothing to fetch or make",
          "[unit]") {
  const TempFolder folder;
  folder.write("t.csv", table(120, 3, "x"));
  const auto make = [](const json& options) { return create_task("file", options); };
  for (const auto& finding :
       check_task(make, json::object(), folder.path() / "t.csv", folder.path() / "scratch")) {
    INFO(finding.check << ": " << (finding.faults.empty() ? "" : finding.faults.front()));
    CHECK(finding.faults.empty());
  }
  const auto task = create_task("file", nullptr);
  for (const std::string& said :
       {error_of([&] { static_cast<void>(task->download()); }, ErrorKind::usage),
        error_of([&] { static_cast<void>(task->make({}, folder.path())); }, ErrorKind::usage)}) {
    CHECK_THAT(said, ContainsSubstring("your own data; give --data PATH"));
  }
}

TEST_CASE("file: a given vocabulary, cut lengths, and the length that is too long", "[unit]") {
  const TempFolder folder;
  folder.write("w/vocabulary.txt", "the\nfilm\nis\ngood\n");
  std::string rows = "label,text\n";
  for (int i = 0; i < 20; ++i) rows += fmt::format("{},the film  is {} good\n", i % 2, i);
  for (const char* name : {"train", "val", "test"})
    folder.write(fmt::format("w/{}.csv", name), rows);
  const json words = {{"words", "vocabulary.txt"}, {"max_length", 4}};
  const auto read = read_from(folder, "w", words);
  CHECK(read->info.vocabulary == 6);
  CHECK(read->sink[Split::train].at(0).tokens == std::vector<Token>{2, 3, 4, 1});
  CHECK_THAT(read->reading.description, ContainsSubstring("60 sequences cut to 4"));
  folder.write("w/vocabulary.txt", "the\nfilm\nthe\n");
  CHECK_THAT(error_of([&] { read_from(folder, "w", words); }),
             ContainsSubstring("vocabulary.txt:3: word 'the' twice"));
}

TEST_CASE("file: baselines of each kind learn what is there to learn", "[unit]") {
  const TempFolder folder;
  std::string ids;
  std::string pixels;
  std::string pairs;
  RandomStream random{RandomKey(5)};
  for (int i = 0; i < 240; ++i) {
    const int label = i % 3;
    const auto r = [&] { return static_cast<int>(random.below(50)); };
    ids += fmt::format("{},{} {} {}\n", label, 3 + r(), label, 3 + r());
    const auto pixel = [&](int place) { return place == label ? 250 : r(); };
    pixels += fmt::format("{},{},{},{}\n", label, pixel(0), pixel(1), pixel(2));
    const std::string a = fmt::format("abcdefgh{}", r());
    pairs +=
        fmt::format("{},{},{}\n", i % 2, a, i % 2 == 1 ? a + "x" : fmt::format("zyxwv{}", r()));
  }
  const auto best = [&](const std::string& name, const std::string& rows, const json& options) {
    folder.write(name, rows);
    OpenOptions open = testing::options_for(folder.path() / name, folder.path() / "cache");
    const auto task = create_task("file", options, open);
    double accuracy = 0;
    for (const auto& s : shortcuts(*task, task->open(open))) {
      accuracy = std::max(accuracy, s.accuracy);
    }
    return accuracy;
  };
  const json share = {{"test_share", 0.3}};
  const auto with = [&](const char* kind) {
    json options = share;
    options["kind"] = kind;
    return options;
  };
  CHECK(best("ids.csv", ids, with("tokens")) > 0.95);
  CHECK(best("pixels.csv", pixels, with("pixels")) > 0.9);
  CHECK(best("pairs.csv", pairs, with("pair")) > 0.95);
}

}  // namespace
}  // namespace lra::tasks::file
