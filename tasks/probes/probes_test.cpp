#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "tasks/probes/probe_task.h"
#include "tasks/shortcuts.h"
#include "tasks/test_support.h"

namespace lra::tasks::testing {
namespace {

using nlohmann::json;

std::vector<probes::Drawn> drawn(const char* name, const json& options, int count) {
  const auto task = create_task(name, options);
  const auto& probe = dynamic_cast<const probes::ProbeTask&>(*task);
  std::vector<probes::Drawn> all;
  for (int i = 0; i < count; ++i) {
    RandomStream random(RandomKey(7).of(static_cast<std::uint64_t>(i)));
    all.push_back(probe.draw(random));
  }
  return all;
}

TEST_CASE("mqar: every key is queried once and its label is its value", "[unit]") {
  for (const int passes : {1, 2}) {
    constexpr std::size_t K = 4;
    const json options{{"vocabulary", 256}, {"length", 64}, {"pairs", K}, {"passes", passes}};
    for (const auto& e : drawn("mqar", options, 200)) {
      REQUIRE(e.tokens.size() == 64);
      const std::size_t context = 2 * K * static_cast<std::size_t>(passes);
      std::map<Token, Token> value;
      for (std::size_t i = 0; i < context; i += 2) {
        CHECK((e.tokens[i] >= 2 && e.tokens[i] <= 128));
        CHECK((e.tokens[i + 1] >= 129 && e.tokens[i + 1] <= 256));
        CHECK((value.count(e.tokens[i]) == 0 || value[e.tokens[i]] == e.tokens[i + 1]));
        value[e.tokens[i]] = e.tokens[i + 1];
      }
      CHECK(value.size() == K);
      std::set<Token> queried;
      for (std::size_t p = 0; p < e.tokens.size(); ++p) {
        if (e.labels[p] == probes::kNoLabel) continue;
        CHECK((p >= context && (p - context) % 2 == 0));
        CHECK(e.labels[p] == value.at(e.tokens[p]));
        queried.insert(e.tokens[p]);
      }
      CHECK(queried.size() == K);
      CHECK(std::count(e.labels.begin(), e.labels.end(), probes::kNoLabel) == 64 - std::int64_t{K});
    }
  }
}

TEST_CASE("mqar: the first query's slot follows the power law", "[unit]") {
  // One pair: the slot's distribution is the weights themselves.
  const json options{{"vocabulary", 64}, {"length", 22}, {"pairs", 1}, {"alpha", 0.5}};
  constexpr int kCount = 20000;
  std::vector<double> seen(10, 0.0);
  for (const auto& e : drawn("mqar", options, kCount)) {
    for (std::size_t p = 2; p < e.tokens.size(); ++p) {
      if (e.labels[p] != probes::kNoLabel) ++seen[(p - 2) / 2];
    }
  }
  double total = 0;
  for (int j = 1; j <= 10; ++j) total += std::pow(j, -0.5);
  double chi = 0;
  for (int j = 1; j <= 10; ++j) {
    const double expected = kCount * std::pow(j, -0.5) / total;
    chi += std::pow(seen[static_cast<std::size_t>(j - 1)] - expected, 2) / expected;
  }
  CHECK(chi < 27.9);  // 0.1 % of chi-square with 9 degrees of freedom
}

TEST_CASE("mqar: sizes that do not go together are refused", "[unit]") {
  for (const json& options : {json{{"length", 63}}, json{{"length", 64}, {"pairs", 17}},
                              json{{"vocabulary", 64}, {"length", 64}}}) {
    CHECK(error_of([&] { static_cast<void>(create_task("mqar", options)->find({})); },
                   ErrorKind::config)
              .starts_with("tasks/mqar"));
  }
}

TEST_CASE("induction: exactly two triggers, the answer behind the first, distances uniform",
          "[unit]") {
  constexpr int kCount = 20000;
  std::vector<double> places(29, 0.0);
  for (const auto& e : drawn("induction", {{"length", 32}}, kCount)) {
    REQUIRE(e.tokens.size() == 32);
    CHECK(std::count(e.tokens.begin(), e.tokens.end(), Token{17}) == 2);
    CHECK(e.tokens.back() == 17);
    const auto first = static_cast<std::size_t>(
        std::find(e.tokens.begin(), e.tokens.end(), Token{17}) - e.tokens.begin());
    REQUIRE(first < places.size());
    ++places[first];
    CHECK(e.labels.back() == e.tokens[first + 1]);
    CHECK(std::count(e.labels.begin(), e.labels.end(), probes::kNoLabel) == 31);
  }
  double chi = 0;
  for (const double n : places) chi += std::pow(n - kCount / 29.0, 2) / (kCount / 29.0);
  CHECK(chi < 56.9);  // 0.1 % of chi-square with 28 degrees of freedom
}

TEST_CASE("selective copy: tokens in order behind noise, plain and reversed too", "[unit]") {
  for (const bool selective : {true, false}) {
    for (const bool reverse : {true, false}) {
      const json options{
          {"noise", 20}, {"memory", 5}, {"selective", selective}, {"reverse", reverse}};
      for (const auto& e : drawn("selective_copy", options, 200)) {
        REQUIRE(e.tokens.size() == 30);
        std::vector<std::int32_t> letters;
        for (std::size_t i = 0; i < 25; ++i) {
          if (e.tokens[i] != 1) letters.push_back(e.tokens[i]);
          CHECK(e.labels[i] == probes::kNoLabel);
          if (!selective) CHECK((e.tokens[i] != 1) == (i < 5));
        }
        if (reverse) std::reverse(letters.begin(), letters.end());
        CHECK(letters == std::vector<std::int32_t>(e.labels.begin() + 25, e.labels.end()));
        CHECK(std::all_of(e.tokens.begin() + 25, e.tokens.end(), [](Token t) { return t == 16; }));
      }
    }
  }
}

TEST_CASE("needle: one needle has the key, its value is the label, places are uniform", "[unit]") {
  constexpr std::size_t N = 200;
  constexpr int kCount = 4000;
  const json options{{"length", N}, {"distractors", 3}};
  std::vector<int> quarters(4, 0);
  for (const auto& e : drawn("needle", options, kCount)) {
    std::string text;
    for (const Token token : e.tokens) text += static_cast<char>(token - 1);
    REQUIRE(text.size() == N);
    CHECK(std::count(text.begin(), text.end(), '#') == 4);
    const std::size_t question = text.find('?');
    REQUIRE(question == N - 5);
    const std::string key = text.substr(question + 1, 2);
    const std::size_t place = text.find("#" + key + "=");
    REQUIRE(place != std::string::npos);
    CHECK(text.find("#" + key + "=", place + 1) == std::string::npos);
    CHECK(text[N - 1] == text[place + 4]);
    CHECK(e.labels[N - 2] == text[place + 4] + 1);
    CHECK(e.labels[N - 1] == text[place + 5] + 1);
    CHECK(std::count(e.labels.begin(), e.labels.end(), probes::kNoLabel) == N - 2);
    ++quarters[std::min<std::size_t>(3, 4 * place / (N - 5 - 7))];
  }
  for (const int count : quarters) CHECK(std::abs(count - kCount / 4) < 5 * std::sqrt(kCount / 4));
  CHECK_THROWS_AS(create_task("needle", {{"length", 40}, {"distractors", 9}})->open({}), Error);
}

TEST_CASE("parity: the label is the count of ones so far, bits are fair", "[unit]") {
  int ones = 0;
  for (const auto& e : drawn("parity", {{"length", 50}}, 200)) {
    REQUIRE(e.tokens.size() == 50);
    int seen = 0;
    for (std::size_t p = 0; p < e.tokens.size(); ++p) {
      REQUIRE((e.tokens[p] == 1 || e.tokens[p] == 2));
      seen += e.tokens[p] == 2 ? 1 : 0;
      CHECK(e.labels[p] == (seen % 2 == 1 ? 2 : 1));
    }
    ones += seen;
  }
  CHECK(std::abs(ones - 5000) < 250);  // five standard deviations of 10,000 bits
  const auto last = drawn("parity", {{"length", 9}, {"every_position", false}}, 1).front();
  CHECK(std::count(last.labels.begin(), last.labels.end(), probes::kNoLabel) == 8);
  CHECK(last.labels.back() == 1 + std::count(last.tokens.begin(), last.tokens.end(), 2) % 2);
}

TEST_CASE("modular: sums of summands, and of steps forth and back", "[unit]") {
  for (const bool steps : {false, true}) {
    std::set<Token> tokens;
    for (const auto& e : drawn("modular", {{"modulus", 7}, {"steps", steps}}, 50)) {
      int sum = 0;
      for (std::size_t p = 0; p < e.tokens.size(); ++p) {
        const int element = e.tokens[p] - 1;
        sum += steps && element == 2 ? -1 : element;
        CHECK(e.labels[p] == 1 + (sum % 7 + 7) % 7);
        tokens.insert(e.tokens[p]);
      }
    }
    CHECK(tokens.size() == (steps ? 3 : 7));
  }
  CHECK_THROWS_AS(create_task("modular", {{"modulus", 2}, {"steps", true}})->find({}), Error);
}

// Against products of permutation matrices; permutations are found by counting through all tuples.
TEST_CASE("s5 words: the labels are the products so far", "[unit]") {
  using Matrix = std::array<std::array<int, 5>, 5>;  // [to][from]
  std::vector<Matrix> all;
  std::vector<std::size_t> swaps;
  for (int code = 0; code < 5 * 5 * 5 * 5 * 5; ++code) {
    Matrix m{};
    std::set<int> images;
    int fixed = 0;
    for (int i = 4, rest = code; i >= 0; --i, rest /= 5) {
      const int image = rest % 5;
      images.insert(image);
      fixed += image == i ? 1 : 0;
      m[static_cast<std::size_t>(image)][static_cast<std::size_t>(i)] = 1;
    }
    if (images.size() != 5) continue;
    if (fixed >= 3) swaps.push_back(all.size());
    all.push_back(m);
  }
  REQUIRE(all.size() == 120);
  REQUIRE(swaps.size() == 11);
  const auto times = [](const Matrix& a, const Matrix& b) {
    Matrix c{};
    for (std::size_t i = 0; i < 5; ++i) {
      for (std::size_t j = 0; j < 5; ++j) {
        for (std::size_t k = 0; k < 5; ++k) c[i][j] += a[i][k] * b[k][j];
      }
    }
    return c;
  };
  for (const bool only_swaps : {false, true}) {
    std::set<Token> tokens;
    for (const auto& e : drawn("s5_words", {{"length", 40}, {"swaps", only_swaps}}, 40)) {
      Matrix state = all.front();
      for (std::size_t p = 0; p < e.tokens.size(); ++p) {
        const std::size_t element = e.tokens[p] - std::size_t{1};
        state = times(all[only_swaps ? swaps.at(element) : element], state);
        CHECK(all.at(static_cast<std::size_t>(e.labels[p] - 1)) == state);
        tokens.insert(e.tokens[p]);
      }
    }
    CHECK(tokens.size() == (only_swaps ? 11 : 120));
  }
}

TEST_CASE("probe tasks: the solution holds for every form of a task", "[unit]") {
  const std::vector<std::pair<const char*, json>> forms{
      {"mqar", {{"passes", 3}, {"vocabulary", 256}}},
      {"mqar", {{"noise", true}, {"vocabulary", 128}}},
      {"induction", {{"alphabet", 2}, {"length", 20}}},
      {"needle", {{"length", 200}, {"distractors", 20}}},
      {"selective_copy", {{"noise", 50}, {"memory", 5}, {"reverse", true}}},
      {"selective_copy", {{"noise", 50}, {"selective", false}}},
      {"parity", {{"every_position", false}}},
      {"modular", {{"modulus", 3}, {"steps", true}}},
      {"s5_words", {{"swaps", true}}}};
  for (const auto& [name, options] : forms) {
    INFO(name << " " << options.dump());
    const TempFolder cache;
    const auto task = create_task(name, options);
    OpenOptions open;
    open.cache = cache.path();
    open.counts = {5, 5, 50};
    CHECK(shortcuts(*task, task->open(open))[1].accuracy == 1.0);
    // A text in which the rule finds nothing has no answer.
    const std::vector<Token> nothing(300, Token{1});
    const auto& probe = dynamic_cast<const probes::ProbeTask&>(*task);
    if (std::string(name) == "needle" || std::string(name) == "selective_copy") {
      CHECK(probe.solve(nothing, 299) == probes::kNoLabel);
    }
  }
}

TEST_CASE("probe tasks: examples do not depend on how many are asked for, splits share none",
          "[unit]") {
  for (const char* name :
       {"mqar", "induction", "selective_copy", "needle", "parity", "modular", "s5_words"}) {
    INFO(name);
    const TempFolder cache;
    const auto task = create_task(name, nullptr);
    OpenOptions options;
    options.cache = cache.path();
    options.counts = {40, 10, 10};
    const TaskData few = task->open(options);
    options.counts = {80, 10, 10};
    const TaskData more = task->open(options);
    CHECK(few.origin == Origin::generated);
    const json details = few.details();
    CHECK(details.at("chance").get<double>() > 0);
    const auto baselines = shortcuts(*task, few);
    REQUIRE(baselines.size() == 2);
    CHECK(baselines[0].name == "chance");
    CHECK(baselines[0].accuracy == details.at("chance"));
    CHECK(baselines[1].name == "solution");
    CHECK(baselines[1].accuracy == 1.0);
    CHECK(baselines[1].count >= 10);
    std::set<std::vector<Token>> seen;
    for (const Split split : kSplits) {
      for (std::size_t i = 0; i < few.split(split).size(); ++i) {
        const Example a = few.split(split)[i];
        const Example b = more.split(split)[i];
        CHECK(std::equal(a.tokens.begin(), a.tokens.end(), b.tokens.begin(), b.tokens.end()));
        CHECK(std::equal(a.token_labels.begin(), a.token_labels.end(), b.token_labels.begin(),
                         b.token_labels.end()));
        CHECK(seen.insert({a.tokens.begin(), a.tokens.end()}).second);
      }
    }
  }
}

}  // namespace
}  // namespace lra::tasks::testing
