#include "tasks/cache.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "tasks/test_support.h"

using nlohmann::json;
using namespace lra::tasks;
using testing::TempFolder;

namespace {

std::string write_cache(const std::filesystem::path& path, ExampleForm form,
                        const std::vector<Example>& examples, const std::string& key = "k") {
  lra::AtomicFile file(path);
  CacheEncoder encoder(form, key, [&file](std::span<const std::byte> bytes) { file.write(bytes); });
  for (const auto& example : examples) encoder.add(example);
  const std::string digest = encoder.finish();
  file.commit();
  return digest;
}

void poke(const std::filesystem::path& path, std::streamoff at, char value) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(at);
  file.put(value);
}

// A task of ten examples, whose reader counts how often it ran in a file.
class Counting final : public Task {
 public:
  Counting(std::filesystem::path log, std::string identity)
      : log_(std::move(log)), identity_(std::move(identity)) {}
  [[nodiscard]] TaskInfo info() const override {
    TaskInfo info;
    info.name = "counting";
    info.classes = 3;
    info.vocabulary = 11;
    info.max_length = 10;
    return info;
  }
  [[nodiscard]] Source find(const OpenOptions&) const override { return {{}, {}, identity_}; }
  [[nodiscard]] Reading read(const Source&, const OpenOptions&, ExampleSink& sink) const override {
    std::ofstream(log_, std::ios::app) << "x";
    for (const Split split : kSplits) {
      for (Token i = 1; i <= 10; ++i) {
        std::vector<Token> tokens(i);
        std::iota(tokens.begin(), tokens.end(), Token{1});
        Example example;
        example.tokens = tokens;
        example.label = i % 3;
        sink.add(split, example);
        if (i == 9 && identity_ == "faulty") sink.fault("file:9: broken");
      }
    }
    Reading reading;
    reading.description = "ten examples";
    return reading;
  }

 private:
  std::filesystem::path log_;
  std::string identity_;
};

}  // namespace

TEST_CASE("cache: examples come back as they went in, without copies", "[unit]") {
  const TempFolder folder;
  const auto path = folder.path() / "a.lra";
  std::vector<Token> tokens(5000);
  std::iota(tokens.begin(), tokens.end(), Token{0});
  std::vector<Example> examples(400);
  for (std::size_t i = 0; i < examples.size(); ++i) {
    examples[i].tokens = std::span(tokens).subspan(i, 3 * i);
    examples[i].label = static_cast<std::int32_t>(i) - 7;
  }
  const std::string digest = write_cache(path, ExampleForm::plain, examples);
  CHECK(cache_digest(path) == digest);
  const auto data = map_cache(path, "k");
  REQUIRE(data);
  REQUIRE(data->size() == 400);
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const Example example = (*data)[i];
    CHECK(std::equal(example.tokens.begin(), example.tokens.end(), examples[i].tokens.begin(),
                     examples[i].tokens.end()));
    CHECK(example.label == examples[i].label);
  }
  CHECK((*data)[1].tokens.data() == (*data)[1].tokens.data());
  CHECK(map_cache(path, "other") == nullptr);
  CHECK(map_cache(folder.path() / "none", "k") == nullptr);
}

TEST_CASE("cache: equal documents of pairs are stored once", "[unit]") {
  const TempFolder folder;
  const std::vector<Token> a(1000, 1);
  const std::vector<Token> b(1000, 2);
  const std::vector<Token> none;
  const std::vector<Example> examples{
      {a, b, 1, {}}, {b, a, 0, {}}, {a, a, 1, {}}, {a, none, 0, {}}};
  write_cache(folder.path() / "p.lra", ExampleForm::pair, examples);
  CHECK(std::filesystem::file_size(folder.path() / "p.lra") < 5000);
  const auto data = map_cache(folder.path() / "p.lra", "k");
  REQUIRE(data);
  CHECK((*data)[1].tokens[0] == 2);
  CHECK((*data)[1].second[999] == 1);
  CHECK((*data)[2].second.data() == (*data)[0].tokens.data());
  CHECK((*data)[3].second.empty());
}

TEST_CASE("cache: token labels lie beside their tokens", "[unit]") {
  const TempFolder folder;
  const std::vector<Token> tokens{4, 5, 6};
  const std::vector<std::int32_t> labels{-100, 7, 70000};
  const std::vector<Example> examples{{tokens, {}, 0, labels}, {tokens, {}, 0, labels}};
  write_cache(folder.path() / "t.lra", ExampleForm::token_labels, examples);
  const auto data = map_cache(folder.path() / "t.lra", "k");
  REQUIRE(data);
  const Example second = (*data)[1];
  CHECK(second.token_labels[2] == 70000);
  CHECK(second.token_labels[0] == -100);
  CHECK(second.tokens[2] == 6);
  CHECK_THROWS_AS(
      write_cache(folder.path() / "u.lra", ExampleForm::token_labels, {{tokens, {}, 0, {}}}),
      lra::Error);
}

TEST_CASE("cache: damaged files are not mapped", "[unit]") {
  const TempFolder folder;
  const auto path = folder.path() / "a.lra";
  const std::vector<Token> tokens(100, 3);
  const std::vector<Example> examples(20, Example{tokens, {}, 1, {}});
  write_cache(path, ExampleForm::plain, examples);
  const auto size = static_cast<std::streamoff>(std::filesystem::file_size(path));
  const std::string whole = lra::read_file(path);
  const auto survives = [&](const std::string& content) {
    lra::write_file_atomic(path, content);
    return map_cache(path, "k") != nullptr;
  };
  CHECK(survives(whole));
  CHECK(!survives(whole.substr(0, whole.size() - 1)));
  CHECK(!survives(whole.substr(0, 100)));
  CHECK(!survives(""));
  CHECK(!survives(whole + "x"));
  for (const std::streamoff at :
       {std::streamoff{0}, std::streamoff{8}, size - 160 + 9, size - 160 + 17, size - 160 + 33,
        std::streamoff{64 + 20 * 200 + 48 + 7}}) {
    survives(whole);
    poke(path, at, '\x7f');
    INFO(at);
    CHECK(map_cache(path, "k") == nullptr);
  }
  // One changed bit anywhere, in the tokens too.
  for (std::size_t at = 0; at < whole.size(); at += 131) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    INFO(at);
    CHECK(!survives(changed));
  }
}

TEST_CASE("cache: a file that is cut while it is mapped ends the program with a message",
          "[unit]") {
  const TempFolder folder;
  const auto path = folder.path() / "a.lra";
  const std::vector<Token> tokens(10000, 3);
  write_cache(path, ExampleForm::plain, std::vector<Example>(20, Example{tokens, {}, 1, {}}));
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::close(STDERR_FILENO);
    const auto data = map_cache(path, "k");
    if (::truncate(path.c_str(), 100) != 0) ::_exit(100);
    Token sum = 0;
    for (std::size_t i = 0; i < data->size(); ++i) {
      for (const Token token : (*data)[i].tokens) sum = static_cast<Token>(sum + token);
    }
    ::_exit(sum == 0 ? 101 : 102);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 3);
}

TEST_CASE("hash: pieces of any size give the same", "[unit]") {
  std::vector<std::byte> bytes(1000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 37);
  for (const std::size_t step : {1, 3, 7, 8, 64, 999}) {
    Hasher128 hasher(bytes.size());
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      hasher.update(std::span(bytes).subspan(at, std::min(step, bytes.size() - at)));
    }
    CHECK(hasher.finish() == hash128(bytes));
  }
}

TEST_CASE("cache: built once, then mapped, another identity is another cache", "[unit]") {
  const TempFolder folder;
  const auto log = folder.path() / "log";
  const auto options = testing::options_for("", folder.path() / "cache");
  const Counting task(log, "one");
  const TaskData first = task.open(options);
  const TaskData again = task.open(options);
  CHECK(lra::read_file(log) == "x");
  CHECK(first.sha256 == again.sha256);
  CHECK(again.details()["counts"]["val"] == 10);
  CHECK(again.cache == options.cache);
  CHECK(again.description == "ten examples");
  static_cast<void>(Counting(log, "two").open(options));
  CHECK(lra::read_file(log) == "xx");
}

TEST_CASE("cache: a damaged or unfinished cache is built again", "[unit]") {
  const TempFolder folder;
  const auto log = folder.path() / "log";
  const auto cache = folder.path() / "cache";
  const auto options = testing::options_for("", cache);
  const Counting task(log, "one");
  const std::string digest = task.open(options).sha256;
  std::string builds = "x";
  for (const auto& entry : std::filesystem::directory_iterator(cache)) {
    const auto extension = entry.path().extension();
    if (extension != ".lra" && extension != ".json") continue;
    lra::write_file_atomic(entry.path(), "{");
    CHECK(task.open(options).sha256 == digest);
    CHECK(lra::read_file(log) == (builds += "x"));
  }
}

TEST_CASE("cache: a fault leaves nothing partial, stale temporaries are removed", "[unit]") {
  const TempFolder folder;
  const auto cache = folder.path() / "cache";
  const auto options = testing::options_for("", cache);
  const Counting faulty(folder.path() / "log", "faulty");
  CHECK_THROWS_AS(faulty.open(options), lra::Error);
  std::string stem;
  for (const auto& entry : std::filesystem::directory_iterator(cache)) {
    CHECK(entry.path().extension() == ".lock");
    stem = entry.path().stem().string();
  }
  folder.write("cache/" + stem + ".train.lra.123-0.tmp", "left by a killed process");
  CHECK_THROWS_AS(faulty.open(options), lra::Error);
  CHECK(std::distance(std::filesystem::directory_iterator(cache),
                      std::filesystem::directory_iterator()) == 1);
  std::filesystem::create_directory(folder.path() / "file");
  CHECK_THROWS_AS(Counting(folder.path() / "log", "one")
                      .open(testing::options_for("", "/proc/lra-no-such-folder")),
                  lra::Error);
}

TEST_CASE("cache: processes that build at the same time build once", "[unit]") {
  const TempFolder folder;
  const auto log = folder.path() / "log";
  const auto options = testing::options_for("", folder.path() / "cache");
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      try {
        ::_exit(Counting(log, "one").open(options).split(Split::test).size() == 10 ? 0 : 1);
      } catch (const lra::Error&) {
        ::_exit(2);
      }
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  }
  CHECK(lra::read_file(log) == "x");
}

TEST_CASE("cache: wanted sizes cut a split and mark the data", "[unit]") {
  const TempFolder folder;
  auto options = testing::options_for("", folder.path() / "cache");
  const Counting task(folder.path() / "log", "one");
  const TaskData whole = task.open(options);
  options.counts = {4, -1, 10};
  const TaskData cut = task.open(options);
  CHECK(cut.split(Split::train).size() == 4);
  CHECK(cut.split(Split::val).size() == 10);
  CHECK(cut.origin == Origin::generated);
  CHECK(cut.sha256 != whole.sha256);
  CHECK(cut.details()["digests"]["test"] == whole.details()["digests"]["test"]);
  options.counts = {11, -1, -1};
  CHECK_THROWS_AS(task.open(options), lra::Error);
}
