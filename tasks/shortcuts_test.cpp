#include "tasks/shortcuts.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "tasks/test_support.h"

namespace lra::tasks {
namespace {

using testing::TempFolder;

class Listed final : public Dataset {
 public:
  struct Item {
    std::vector<Token> tokens;
    std::int32_t label = 0;
  };
  explicit Listed(std::vector<Item> items) : items_(std::move(items)) {}
  [[nodiscard]] std::size_t size() const override { return items_.size(); }
  [[nodiscard]] Example operator[](std::size_t i) const override {
    return {items_[i].tokens, {}, items_[i].label, {}};
  }

 private:
  std::vector<Item> items_;
};

// Train: labels by length; test: three lengths.
TaskData by_length() {
  TaskData data;
  std::vector<Listed::Item> train;
  for (std::size_t i = 0; i < 30; ++i) {
    train.push_back({std::vector<Token>(1 + i), static_cast<std::int32_t>(i / 10)});
  }
  train.push_back({std::vector<Token>(1), 2});
  data.splits[0] = std::make_shared<Listed>(train);
  data.splits[1] = std::make_shared<Listed>(std::vector<Listed::Item>{});
  data.splits[2] =
      std::make_shared<Listed>(std::vector<Listed::Item>{{std::vector<Token>(2), 0},
                                                         {std::vector<Token>(15), 1},
                                                         {std::vector<Token>(25), 0},
                                                         {std::vector<Token>(500), 2}});
  data.sha256 = "digest";
  return data;
}

double length_of(const Example& example) { return static_cast<double>(example.tokens.size()); }

// A task whose one predictor counts how often it is fitted.
class Counted final : public Task {
 public:
  explicit Counted(int& fits) : fits_(fits) {}
  [[nodiscard]] TaskInfo info() const override {
    TaskInfo info;
    info.name = "counted";
    return info;
  }
  [[nodiscard]] Source find(const OpenOptions&) const override { return {}; }
  [[nodiscard]] Reading read(const Source&, const OpenOptions&, ExampleSink&) const override {
    return {};
  }
  [[nodiscard]] std::vector<Predictor> predictors() const override {
    Predictor p{"zeros", "nothing: always 0", {}, {}, false};
    p.answer = [this](const TaskData& data) {
      ++fits_;
      return std::vector<std::int32_t>(data.split(Split::test).size());
    };
    return {p};
  }

 private:
  int& fits_;
};

TEST_CASE("shortcuts: the label given a number follows train's groups", "[unit]") {
  const TaskData data = by_length();
  const auto result = judge(majority_given_number("n", "", 3, 1000, length_of), data);
  CHECK(result.predictions == std::vector<std::int32_t>{0, 1, 2, 2});
  CHECK(result.accuracy == 0.75);
  CHECK(result.count == 4);
  // Fitted on the first ten of train alone, there is one label.
  CHECK(judge(majority_given_number("n", "", 3, 10, length_of), data).predictions ==
        std::vector<std::int32_t>{0, 0, 0, 0});
  CHECK(judge(majority_class(), data).predictions == std::vector<std::int32_t>{2, 2, 2, 2});
  Predictor wrong{"short", "", {}, {}, true};
  wrong.answer = [](const TaskData&) { return std::vector<std::int32_t>{1}; };
  CHECK(testing::error_of([&] { static_cast<void>(judge(wrong, data)); }, ErrorKind::shape) ==
        "tasks/shortcuts: short: answers; got 1, expected 4");
}

TEST_CASE("shortcuts: agreement is that of single answers", "[unit]") {
  Shortcut s;
  s.predictions = {1, 0, 1, 1};
  CHECK(agreement(s, std::vector<std::int32_t>{1, 1, 1, 0}) == 0.5);
  // A protocol that leaves out the last incomplete batch: the first examples count.
  CHECK(agreement(s, std::vector<std::int32_t>{1, 0}) == 1.0);
  CHECK(!agreement(s, std::vector<std::int32_t>(5)));
  CHECK(!agreement(s, {}));
  CHECK(!agreement({}, std::vector<std::int32_t>(2)));
}

TEST_CASE("shortcuts: fitted once for the same data, damaged or other files are made anew",
          "[unit]") {
  const TempFolder folder;
  int fits = 0;
  const Counted task(fits);
  TaskData data = by_length();
  static_cast<void>(shortcuts(task, data));
  CHECK(fits == 1);  // data without a cache: nothing is kept
  data.cache = folder.path();
  int told = 0;
  const auto first =
      shortcuts(task, data, [&](std::string_view name, std::int64_t n, std::int64_t of) {
        CHECK(name == "zeros");
        CHECK((n == 1 && of == 1));
        ++told;
      });
  const auto again =
      shortcuts(task, data, [&](std::string_view, std::int64_t, std::int64_t) { ++told; });
  CHECK(fits == 2);
  CHECK(told == 1);
  REQUIRE(again.size() == 1);
  CHECK(again[0].predictions == first[0].predictions);
  CHECK(again[0].accuracy == first[0].accuracy);
  CHECK(again[0].count == 4);
  CHECK(again[0].description == "nothing: always 0");
  CHECK(!again[0].looks);
  data.sha256 = "other";
  static_cast<void>(shortcuts(task, data));
  CHECK(fits == 3);
  for (const char* damage : {"", "{", "[]", "{\"shortcuts\":[{\"name\":\"zeros\"}]}"}) {
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
      if (entry.path().extension() == ".json") write_file_atomic(entry.path(), damage);
    }
    const int before = fits;
    CHECK(shortcuts(task, data)[0].predictions == first[0].predictions);
    CHECK(fits == before + 1);
  }
  data.cache = folder.path() / "none" / "such";
  CHECK(shortcuts(task, data)[0].predictions == first[0].predictions);
}

}  // namespace
}  // namespace lra::tasks
