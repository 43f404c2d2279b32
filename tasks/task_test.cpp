#include "tasks/task.h"

#include <array>
#include <nlohmann/json.hpp>

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
    CHECK(info.vocabulary >= 2);
    CHECK(info.max_length >= 1);
    CHECK((info.head == Head::token || info.classes >= 2));
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

TEST_CASE("locate: outer, inner and own folder, the inner one first", "[unit]") {
  const TempFolder folder;
  const auto accept = [](const std::filesystem::path& path) {
    return std::filesystem::exists(path / "data.txt");
  };
  const auto find = [&] {
    return locate(testing::options_for(folder.path(), {}), {"task-1"}, accept, "data.txt")->path;
  };
  CHECK_THAT(error_of([&] { static_cast<void>(find()); }),
             ContainsSubstring("holds none; expected data.txt"));
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

TEST_CASE("locate: links are followed, archives are known by their content", "[unit]") {
  const TempFolder folder;
  const TempFolder store;
  std::filesystem::create_symlink(store.write("file", "x"), folder.path() / "link");
  std::filesystem::create_symlink(folder.path() / "none", folder.path() / "dangling");
  CHECK(is_file(folder.path() / "link"));
  CHECK(!is_file(folder.path() / "dangling"));
  CHECK(!is_file(folder.path()));
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
}
