#include "tasks/task.h"

#include <array>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tasks/check_task.h"
#include "tasks/locate.h"
#include "tasks/shortcuts.h"
#include "tasks/test_support.h"

using lra::testing::ContainsSubstring;
using nlohmann::json;
using namespace lra::tasks;
using testing::error_of;
using testing::TempFolder;

TEST_CASE("tasks: every registered task states itself fully", "[unit]") {
  for (const auto& name : task_registry().names()) {
    INFO(name);
    const auto task = create_task(name, nullptr);
    const TaskInfo info = task->info();
    CHECK(info.name == name);
    CHECK(!info.title.empty());
    CHECK(!info.cite.empty());
    CHECK(info.version >= 1);
    if (!info.open) {
      CHECK(info.vocabulary >= 2);
      CHECK(info.max_length >= 1);
      CHECK((info.head == Head::token || info.classes >= 2));
    }
    CHECK_THAT(error_of(
                   [&] {
                     (void)create_task(name, {{"no_such_option", 1}});
                   },
                   lra::ErrorKind::config),
               ContainsSubstring("tasks/" + name + ": unknown option 'no_such_option'"));
    lra::OptionTable table;
    task->options(table);
    for (const auto& option : table.describe()) CHECK(!option["help"].get<std::string>().empty());
  }
  CHECK_THAT(error_of([] { (void)create_task("listop", nullptr); }, lra::ErrorKind::usage),
             ContainsSubstring("did you mean listops?"));
}

TEST_CASE("tasks: what must hold of every task holds", "[unit]") {
  const TempFolder folder;
  const testing::Variable no_data("LRA_DATA", "");
  const testing::Variable no_cache("XDG_CACHE_HOME", folder.path() / "none");
  std::size_t checked = 0;
  for (const auto& name : task_registry().names()) {
    if (name == "file" || name == "pathx") continue;  // has its own data; seconds per example
    const auto make = [&name = name](const json& options) { return create_task(name, options); };
    for (const auto& finding : check_task(make, json::object(), {}, folder.path() / name)) {
      INFO(name << ": " << finding.check << ": "
                << (finding.faults.empty() ? "" : finding.faults.front()));
      CHECK(finding.faults.empty());
    }
    ++checked;
  }
  CHECK(checked >= 9);
}

namespace {

// A task of ones with one thing wrong at a time.
struct Wrong {
  bool over = false, label = false, seed = false, count = false, shared = false, thrice = false;
};

class Ones final : public Task {
 public:
  explicit Ones(Wrong wrong) : wrong_(wrong) {}
  [[nodiscard]] TaskInfo info() const override {
    TaskInfo info;
    info.name = info.title = info.cite = "ones";
    info.source = {"numbers", "made", {9, 9, 9}, "none", ""};
    info.classes = 2;
    info.vocabulary = 40;
    info.max_length = 8;
    return info;
  }
  [[nodiscard]] Source find(const OpenOptions& options) const override {
    Source source;
    source.identity =
        json({wrong_.seed ? 0 : options.seed, wanted_counts(options, {9, 9, 9})}).dump();
    return source;
  }
  [[nodiscard]] Reading read(const Source&, const OpenOptions& options,
                             ExampleSink& sink) const override {
    const auto counts = wanted_counts(options, {9, 9, 9});
    for (const Split split : kSplits) {
      const std::size_t s = wrong_.shared ? 0 : split_index(split);
      const auto count = static_cast<std::size_t>(counts[split_index(split)]);
      for (std::size_t i = 0; i < count; ++i) {
        const std::size_t seed = wrong_.seed ? 0 : options.seed;
        const std::size_t more = wrong_.count ? count : 0;
        const auto digit = [](std::size_t n) { return static_cast<Token>(1 + n % 32); };
        const std::vector<Token> tokens{digit(s), digit(i), digit(i / 32), digit(seed + more),
                                        static_cast<Token>(wrong_.over ? 40 : 39)};
        Example example;
        example.tokens = tokens;
        example.label = wrong_.label ? 2 : static_cast<std::int32_t>(i % 2);
        sink.add(split, example);
      }
    }
    return {Origin::generated, "ones", nullptr};
  }
  [[nodiscard]] std::vector<Predictor> predictors() const override {
    Predictor few = majority_class();
    few.answer = [](const TaskData&) { return std::vector<std::int32_t>(3); };
    few.name = "few";
    return wrong_.thrice ? std::vector{majority_class(), few} : std::vector{majority_class()};
  }

 private:
  Wrong wrong_;
};

}  // namespace

TEST_CASE("tasks: a task with something wrong is found out", "[unit]") {
  const TempFolder folder;
  int number = 0;
  const auto failing = [&](Wrong wrong) {
    const auto make = [wrong](const json&) { return std::make_unique<Ones>(wrong); };
    std::string failed;
    for (const auto& finding :
         check_task(make, json::object(), {}, folder.path() / std::to_string(number++))) {
      if (!finding.faults.empty()) failed += (failed.empty() ? "" : "; ") + finding.check;
    }
    return failed;
  };
  CHECK(failing({}).empty());
  CHECK(failing({.over = true}) == "examples fit what it says: ids, lengths, labels");
  CHECK_THAT(failing({.label = true}), ContainsSubstring("examples fit"));
  CHECK(failing({.seed = true}) == "another seed gives other examples");
  CHECK(failing({.count = true}) == "example i does not depend on how many there are");
  CHECK(failing({.shared = true}) == "no two splits share an example");
  CHECK(failing({.thrice = true}) == "every predictor answers every label of the test");
}

TEST_CASE("locate: outer, inner and own folder, the inner one first", "[unit]") {
  const TempFolder folder;
  const auto accept = [](const std::filesystem::path& path) {
    return std::filesystem::exists(path / "data.txt");
  };
  const auto find = [&] {
    return locate(testing::options_for(folder.path(), {}), {"task-1"}, accept, "data.txt")->path;
  };
  CHECK_THAT(error_of([&] { static_cast<void>(find()); }),
             ContainsSubstring("contains no such data; expected data.txt"));
  const std::vector<std::string> worst_first{"", "task-1", "lra_release/task-1",
                                             "lra_release/lra_release/task-1"};
  for (const auto& place : worst_first) {
    folder.write(place.empty() ? "data.txt" : place + "/data.txt", "x");
    CHECK(find().lexically_normal().string() + "/" ==
          (folder.path() / place / "").lexically_normal().string());
  }
  CHECK_THAT(
      error_of([&] {
        static_cast<void>(locate(testing::options_for("/no/such", {}), {"t"}, accept, "data.txt"));
      }),
      ContainsSubstring("/no/such: does not exist"));
}

TEST_CASE("locate: $LRA_DATA, which has to be there, then the user's cache, then nothing",
          "[unit]") {
  const TempFolder folder;
  const testing::Variable data("LRA_DATA", folder.path() / "env");
  const testing::Variable cache("XDG_CACHE_HOME", folder.path() / "user");
  const auto accept = [](const std::filesystem::path& path) {
    return std::filesystem::exists(path / "data.txt");
  };
  const auto find = [&] { return locate({}, {"t"}, accept, "data.txt"); };
  CHECK_THAT(error_of([&] { static_cast<void>(find()); }),
             ContainsSubstring("$LRA_DATA: ") && ContainsSubstring("does not exist"));
  folder.write("env/other.txt", "x");
  CHECK(!find());
  folder.write("user/lra/t/data.txt", "x");
  CHECK(find()->via == "the user's cache");
  folder.write("env/t/data.txt", "x");
  CHECK(find()->via == "$LRA_DATA");
}

TEST_CASE("locate: a file edited in place is another, though size and time are as before",
          "[unit]") {
  const TempFolder folder;
  // As an editor in place, and a copy that keeps the time (cp -p).
  const auto edit = [](const std::filesystem::path& file, bool copy) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the system's clock of files
    const auto time = std::filesystem::last_write_time(file);
    std::string text = lra::read_file(file);
    text.back() = text.back() == 'x' ? 'y' : 'x';
    if (copy) {
      lra::write_file_atomic(file, text);
    } else {
      std::ofstream(file, std::ios::in | std::ios::out) << text;
    }
    std::filesystem::last_write_time(file, time);
  };
  const std::vector<std::pair<std::string, std::string>> data{
      {"text", "tree/train/pos/0_9.txt"},
      {"text", "tables/train.csv"},
      {"listops", "listops/basic_val.tsv"},
      {"retrieval", "retrieval/new_aan_pairs.eval.tsv"},
      {"image", "image/data_batch_1.bin"},
      {"pathfinder", "pathfinder32/curv_contour_length_14/metadata/0.npy"},
      {"pathfinder", "pathfinder32/curv_contour_length_14/imgs/0/sample_0.png"},
      {"file", "own/train.csv"}};
  for (const char* name :
       {"tree/train/neg/0_1.txt", "tree/test/pos/0_9.txt", "tree/test/neg/0_1.txt",
        "tables/test.csv", "listops/basic_train.tsv", "listops/basic_test.tsv",
        "retrieval/new_aan_pairs.train.tsv", "retrieval/new_aan_pairs.test.tsv"}) {
    folder.write(name, "x");
  }
  for (const auto& [name, file] : data) folder.write(file, "x");
  for (const auto& [name, file] : data) {
    INFO(file);
    const auto path = folder.path() / file;
    const auto place = folder.path() / std::filesystem::path(file).begin()->string();
    const auto identity = [&, task_name = name] {
      const json options = task_name == "file"
                               ? json{{"labels", "0,1"}, {"vocabulary", 9}, {"max_length", 9}}
                               : json();
      return create_task(task_name, options)->find(testing::options_for(place, {})).identity;
    };
    for (const bool copy : {false, true}) {
      const std::string before = identity();
      CHECK(identity() == before);
      edit(path, copy);
      CHECK(identity() != before);
    }
  }
}

TEST_CASE("locate: links are followed, archives are known by their content", "[unit]") {
  const TempFolder folder;
  const TempFolder store;
  std::filesystem::create_symlink(store.write("file", "x"), folder.path() / "link");
  std::filesystem::create_symlink(folder.path() / "none", folder.path() / "dangling");
  std::filesystem::create_symlink("round", folder.path() / "round");
  CHECK(is_file(folder.path() / "link"));
  CHECK(!is_file(folder.path()));
  CHECK(!is_file(folder.path() / "nothing"));
  CHECK(is_folder(folder.path()));
  CHECK(!is_folder(folder.path() / "link"));
  CHECK(!is_folder(folder.path() / "nothing"));
  for (const auto& call : {is_file, is_folder}) {
    CHECK_THAT(error_of([&] { static_cast<void>(call(folder.path() / "dangling")); }),
               ContainsSubstring(fmt::format("{}: cannot read: a link to {}, which does not exist",
                                             (folder.path() / "dangling").string(),
                                             (folder.path() / "none").string())));
    CHECK_THAT(error_of([&] { static_cast<void>(call(folder.path() / "round")); }),
               ContainsSubstring("a link to round: "));
  }
  // One that a task's folder could be.
  std::filesystem::create_symlink(folder.path() / "none", folder.path() / "task-1");
  CHECK_THAT(error_of([&] {
               static_cast<void>(locate(
                   testing::options_for(folder.path(), {}), {"task-1"},
                   [](const std::filesystem::path&) { return false; }, "data.txt"));
             }),
             ContainsSubstring("task-1: cannot read: a link to"));
  static constexpr std::array<const char*, 2> kNames{"a.bin", "a.tar.gz"};
  CHECK(archive_in(folder.path(), kNames).empty());
  folder.write("a.bin", "text");
  CHECK(archive_in(folder.path(), kNames).empty());
  folder.write("a.tar.gz", "");
  CHECK(archive_in(folder.path(), kNames) == folder.path() / "a.tar.gz");
  for (const std::string& start : {std::string("\x1f\x8b"),
                                   std::string("\xfd"
                                               "7zXZ"),
                                   std::string(257, 'x') + "ustar" + std::string(250, '\0')}) {
    folder.write("a.bin", start);
    CHECK(archive_in(folder.path(), kNames) == folder.path() / "a.bin");
    CHECK(archive_in(folder.path() / "a.bin", kNames) == folder.path() / "a.bin");
  }
  CHECK(archive_in(folder.path() / "link", kNames).empty());
  CHECK(last_parts("/a/b/c/", 2) == "b/c");
  CHECK(last_parts("/a/b/./c/..", 2) == "a/b");
  CHECK(last_parts("/") == "/");
  const std::string here = std::filesystem::current_path().filename();
  CHECK(last_parts(".", 1) == here);
  CHECK(last_parts("x", 2) == here + "/x");
}
