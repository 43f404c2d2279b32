#include "tasks/retrieval/baselines.h"

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>

#include "tasks/bytes.h"
#include "tasks/shortcuts.h"
#include "tasks/test_support.h"

namespace lra::tasks::retrieval {
namespace {

using testing::TempFolder;

class Pairs final : public Dataset {
 public:
  explicit Pairs(const std::vector<std::pair<std::string, std::string>>& texts) {
    for (const auto& [first, second] : texts) {
      std::vector<Token> a, b;
      byte_tokens(first, 4000, a);
      byte_tokens(second, 4000, b);
      tokens_.emplace_back(a, b);
    }
  }
  [[nodiscard]] std::size_t size() const override { return tokens_.size(); }
  [[nodiscard]] Example operator[](std::size_t i) const override {
    return {tokens_[i].first, tokens_[i].second, static_cast<std::int32_t>(i % 2), {}};
  }

 private:
  std::vector<std::pair<std::vector<Token>, std::vector<Token>>> tokens_;
};

std::set<std::string> ngrams(const std::string& text, std::size_t n) {
  std::set<std::string> all;
  for (std::size_t i = 0; i + n <= text.size(); ++i) all.insert(text.substr(i, n));
  return all;
}

TEST_CASE("retrieval baselines: features of pairs are those of sets of strings", "[unit]") {
  const std::vector<std::pair<std::string, std::string>> texts{
      {"the cat sat on the mat", "the cat sat on a log"},
      {"attention is all", "you need attention"},
      {"ab", "abcdefgh"},
      {"", "some text"}};
  const Pairs pairs(texts);
  const PairFeatures features(pairs, 100);
  for (std::size_t o = 0; o < PairFeatures::kOrders.size(); ++o) {
    const std::size_t n = PairFeatures::kOrders[o];
    std::map<std::string, double> documents;
    for (const auto& [a, b] : texts) {
      for (const auto& text : {a, b}) {
        for (const auto& ngram : ngrams(text, n)) ++documents[ngram];
      }
    }
    const auto rarity = [&](const std::string& ngram) {
      return std::log((1 + 2.0 * static_cast<double>(texts.size())) / (1 + documents[ngram]));
    };
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto a = ngrams(texts[i].first, n);
      const auto b = ngrams(texts[i].second, n);
      double both = 0, dot = 0, norm_a = 0, norm_b = 0;
      for (const auto& ngram : a) {
        norm_a += rarity(ngram) * rarity(ngram);
        if (b.count(ngram) == 0) continue;
        ++both;
        dot += rarity(ngram) * rarity(ngram);
      }
      for (const auto& ngram : b) norm_b += rarity(ngram) * rarity(ngram);
      const double either = static_cast<double>(a.size() + b.size()) - both;
      const auto got = features.of(pairs[i]);
      INFO("n " << n << ", pair " << i);
      CHECK(std::abs(static_cast<double>(got[2 * o]) - (either > 0 ? both / either : 0)) < 1e-6);
      CHECK(std::abs(static_cast<double>(got[2 * o + 1]) -
                     (norm_a * norm_b > 0 ? dot / std::sqrt(norm_a * norm_b) : 0)) < 1e-5);
    }
  }
  const auto lengths = features.of(pairs[2]);
  CHECK(std::abs(static_cast<double>(lengths[6]) - std::log(3.0 * 9)) < 1e-5);
  CHECK(std::abs(static_cast<double>(lengths[7]) - std::log(9.0 / 3)) < 1e-5);
}

TEST_CASE("retrieval baselines: thresholds fit train best", "[unit]") {
  const TempFolder folder;
  const testing::Variable no_data("LRA_DATA", "");
  const testing::Variable no_cache("XDG_CACHE_HOME", folder.path() / "none");
  OpenOptions options = testing::options_for("", folder.path() / "cache");
  options.counts = {200, 2, 200};
  const auto task = create_task("retrieval", nullptr);
  TaskData data = task->open(options);
  // Judged on train itself, no threshold may be better than the one that was chosen.
  data.splits[split_index(Split::test)] = data.splits[split_index(Split::train)];
  data.cache.clear();
  const auto& train = data.split(Split::train);
  const PairFeatures features(train, 20000);
  const auto all = shortcuts(*task, data);
  REQUIRE(all.size() == 5);
  for (std::size_t s = 2; s <= 3; ++s) {
    const std::size_t feature = 2 * (PairFeatures::kOrders.size() - 1) + (s - 2);
    double best = 0;
    for (std::size_t t = 0; t < train.size(); ++t) {
      const float threshold = features.of(train[t])[feature];
      double right = 0;
      for (std::size_t i = 0; i < train.size(); ++i) {
        right += (features.of(train[i])[feature] > threshold) == (train[i].label == 1) ? 1 : 0;
      }
      right /= static_cast<double>(train.size());
      best = std::max({best, right, 1 - right});
    }
    INFO(all[s].name);
    CHECK(std::abs(all[s].accuracy - std::max(best, all[0].accuracy)) < 1e-12);
  }
  CHECK(all[4].accuracy > 0.55);
}

TEST_CASE("retrieval baselines: byte features are standardised shares", "[unit]") {
  // Shares of a, b, c: 1/2 1/2 0, 1/4 3/4 0, 1 0 0, 0 1/2 1/2.
  const Pairs pairs({{"ab", "bbab"}, {"aaa", "bcbc"}});
  const ByteFeatures features(pairs, 100);
  const std::array<std::array<double, 3>, 4> share{
      {{0.5, 0.5, 0}, {0.25, 0.75, 0}, {1, 0, 0}, {0, 0.5, 0.5}}};
  for (std::size_t b = 0; b < 3; ++b) {
    double mean = 0, variance = 0;
    for (const auto& document : share) mean += document[b] / 4;
    for (const auto& document : share) {
      variance += (document[b] - mean) * (document[b] - mean) / 4;
    }
    const auto standard = [&](std::size_t document) {
      return (share[document][b] - mean) / std::sqrt(variance);
    };
    for (std::size_t i = 0; i < 2; ++i) {
      const auto got = features.of(pairs[i]);
      const double x = standard(2 * i), y = standard(2 * i + 1);
      INFO("byte " << b << ", pair " << i);
      CHECK(std::abs(static_cast<double>(got['a' + b]) - std::abs(x - y)) < 1e-5);
      CHECK(std::abs(static_cast<double>(got[ByteFeatures::kValues + 'a' + b]) - x * y) < 1e-5);
    }
  }
  CHECK(features.of(pairs[0])['z'] == 0);
}

TEST_CASE("retrieval baselines: single bytes tell what depends on them alone", "[unit]") {
  // Label 1: both documents are rich in the same letter. No n-gram of three is shared otherwise.
  std::vector<std::pair<std::string, std::string>> texts;
  std::minstd_rand random(1);
  const auto document = [&](char letter) {
    std::string text;
    for (int i = 0; i < 200; ++i) {
      text += random() % 5 == 0 ? letter : static_cast<char>('A' + random() % 26);
    }
    return text;
  };
  for (std::size_t i = 0; i < 600; ++i) {
    const char letter = static_cast<char>('A' + random() % 26);
    const char other = static_cast<char>('A' + (letter - 'A' + 1 + random() % 25) % 26);
    texts.emplace_back(document(letter), document(i % 2 == 1 ? letter : other));
  }
  TaskData data;
  for (auto& split : data.splits) split = std::make_shared<Pairs>(texts);
  const auto all = predictors();
  const auto answers = all[1].answer(data);
  std::size_t right = 0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    right += answers[i] == static_cast<std::int32_t>(i % 2) ? 1 : 0;
  }
  CHECK(right > 570);
}

}  // namespace
}  // namespace lra::tasks::retrieval
