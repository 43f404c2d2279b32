#include <tbb/global_control.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "engine/base/random.h"
#include "tasks/baselines/logistic.h"
#include "tasks/baselines/naive_bayes.h"
#include "tasks/baselines/ngrams.h"
#include "tasks/test_support.h"

namespace lra::tasks::baselines {
namespace {

// Examples with a few of `features` features each; the class depends on their sum, with noise.
struct Made {
  std::vector<Row> rows;
  std::vector<std::int32_t> labels;
  [[nodiscard]] Rows source() const {
    return [this](std::size_t i, Row& row) { row = rows[i]; };
  }
};

Made made(std::size_t count, std::uint32_t features, std::size_t classes) {
  Made m;
  RandomStream random{RandomKey(3)};
  for (std::size_t i = 0; i < count; ++i) {
    std::set<std::uint32_t> chosen;
    while (chosen.size() < 5) chosen.insert(random.below(features));
    Row row;
    double sum = random.normal();
    for (const std::uint32_t f : chosen) {
      row.index.push_back(f);
      row.value.push_back(static_cast<float>(0.5 + random.uniform()));
      sum += f < features / 2 ? 1 : -1;
    }
    // Unordered, as the features of a text are.
    std::rotate(row.index.begin(), row.index.begin() + 2, row.index.end());
    m.rows.push_back(row);
    const double place = 1 / (1 + std::exp(-sum)) * static_cast<double>(classes);
    m.labels.push_back(
        static_cast<std::int32_t>(std::min(place, static_cast<double>(classes) - 1)));
  }
  return m;
}

// The definition, dense and in double: scores [examples][outputs] after the steps.
std::vector<std::vector<double>> plain(const Made& m, std::size_t features, std::size_t classes,
                                       const LogisticOptions& o) {
  const std::size_t outputs = classes == 2 ? 1 : classes;
  std::vector<std::vector<double>> w(features + 1, std::vector<double>(outputs));
  auto squares = w;
  const auto dense = [&](std::size_t i) {
    std::vector<double> x(features + 1);
    for (std::size_t f = 0; f < m.rows[i].index.size(); ++f) {
      x[m.rows[i].index[f]] = static_cast<double>(m.rows[i].value[f]);
    }
    x[features] = 1;
    return x;
  };
  const auto score = [&](const std::vector<double>& x, std::size_t k) {
    double sum = 0;
    for (std::size_t f = 0; f <= features; ++f) sum += x[f] * w[f][k];
    return sum;
  };
  double done = 0;
  const double total = static_cast<double>(m.labels.size()) * o.epochs;
  for (int epoch = 0; epoch < o.epochs; ++epoch) {
    std::vector<std::size_t> order(m.labels.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    RandomStream random(RandomKey(o.seed).of("logistic").of(static_cast<std::uint64_t>(epoch)));
    for (std::size_t i = order.size(); i > 1; --i) {
      std::swap(order[i - 1], order[random.below(static_cast<std::uint32_t>(i))]);
    }
    for (std::size_t first = 0; first < order.size(); first += o.batch) {
      const std::size_t size = std::min(o.batch, order.size() - first);
      std::vector<std::vector<double>> gradient(features + 1, std::vector<double>(outputs));
      std::vector<bool> touched(features + 1);
      for (std::size_t b = first; b < first + size; ++b) {
        const auto x = dense(order[b]);
        const auto label = static_cast<std::size_t>(m.labels[order[b]]);
        double all = 0;
        for (std::size_t k = 0; k < outputs; ++k) all += std::exp(score(x, k));
        for (std::size_t k = 0; k < outputs; ++k) {
          const double p =
              outputs == 1 ? 1 / (1 + std::exp(-score(x, k))) : std::exp(score(x, k)) / all;
          const double wanted =
              outputs == 1 ? static_cast<double>(label) : (label == k ? 1.0 : 0.0);
          for (std::size_t f = 0; f <= features; ++f) {
            gradient[f][k] += (p - wanted) * x[f];
            touched[f] = touched[f] || x[f] != 0;
          }
        }
      }
      const double rate = static_cast<double>(o.rate) * (1 - done / total);
      for (std::size_t f = 0; f <= features; ++f) {
        for (std::size_t k = 0; k < outputs && touched[f]; ++k) {
          const double g =
              gradient[f][k] + static_cast<double>(o.penalty) * static_cast<double>(size) * w[f][k];
          squares[f][k] += g * g;
          if (squares[f][k] > 0) w[f][k] -= rate * g / std::sqrt(squares[f][k]);
        }
      }
      done += static_cast<double>(size);
    }
  }
  std::vector<std::vector<double>> scores;
  for (std::size_t i = 0; i < m.rows.size(); ++i) {
    scores.emplace_back();
    for (std::size_t k = 0; k < outputs; ++k) scores.back().push_back(score(dense(i), k));
  }
  return scores;
}

TEST_CASE("baselines: logistic regression agrees with its definition in double", "[unit]") {
  for (const std::size_t classes : {2U, 3U}) {
    const Made m = made(200, 40, classes);
    const LogisticOptions options{.epochs = 4, .batch = 16, .rate = 0.3F, .penalty = 0.01F};
    LogisticRegression model(40, classes);
    model.fit(m.source(), m.labels, options);
    const auto expected = plain(m, 40, classes, options);
    double worst = 0, largest = 0;
    for (std::size_t i = 0; i < m.rows.size(); ++i) {
      const auto scores = model.scores(m.rows[i]);
      REQUIRE(scores.size() == expected[i].size());
      for (std::size_t k = 0; k < scores.size(); ++k) {
        worst = std::max(worst, std::abs(static_cast<double>(scores[k]) - expected[i][k]));
        largest = std::max(largest, std::abs(expected[i][k]));
      }
    }
    CHECK(largest > 1);
    CHECK(worst < 1e-4 * largest);
  }
}

TEST_CASE("baselines: logistic regression finds the log-odds", "[unit]") {
  // Label 1 in 80 % of the examples that have the feature, in 30 % of the others.
  Made m;
  for (std::size_t i = 0; i < 1000; ++i) {
    Row row;
    const bool has = i % 2 == 0;
    if (has) row = {{0}, {1.0F}};
    m.rows.push_back(row);
    m.labels.push_back(i % 20 < (has ? 16U : 6U) ? 1 : 0);
  }
  LogisticRegression model(1, 2);
  model.fit(m.source(), m.labels, {.epochs = 60, .batch = 50, .rate = 0.5F});
  CHECK(std::abs(static_cast<double>(model.scores({{0}, {1.0F}})[0]) - std::log(0.8 / 0.2)) < 0.02);
  CHECK(std::abs(static_cast<double>(model.scores({})[0]) - std::log(0.3 / 0.7)) < 0.02);
  CHECK(model.predict(m.source(), 2) == std::vector<std::int32_t>{1, 0});
  CHECK_THROWS_AS(LogisticRegression(0, 2), Error);
}

TEST_CASE("baselines: the same bits for any number of threads", "[unit]") {
  const Made m = made(500, 100, 3);
  const auto fitted = [&m](std::size_t threads) {
    const tbb::global_control control(tbb::global_control::max_allowed_parallelism, threads);
    LogisticRegression model(100, 3);
    model.fit(m.source(), m.labels, {.epochs = 3, .batch = 32, .rate = 0.2F});
    NaiveBayes bayes(100, 3);
    bayes.fit(m.source(), m.labels);
    std::vector<double> scores;
    for (const Row& row : m.rows) {
      for (const float s : model.scores(row)) scores.push_back(static_cast<double>(s));
      for (const double s : bayes.scores(row)) scores.push_back(s);
    }
    return scores;
  };
  const auto one = fitted(1);
  CHECK(one == fitted(2));
  CHECK(one == fitted(8));
}

TEST_CASE("baselines: naive Bayes counts what it states", "[unit]") {
  Made m;
  m.rows = {{{0, 1}, {1, 1}}, {{1}, {1}}, {{2}, {1}}};
  m.labels = {1, 1, 0};
  NaiveBayes model(3, 2);
  model.fit(m.source(), m.labels);
  // Class 1: 3 occurrences, of which feature 1 has 2; class 0: 1 occurrence, of feature 2.
  const auto scores = model.scores({{1, 2}, {1, 1}});
  CHECK(std::abs(scores[0] - std::log(2.0 / 5 * (1.0 / 4) * (2.0 / 4))) < 1e-6);
  CHECK(std::abs(scores[1] - std::log(3.0 / 5 * (3.0 / 6) * (1.0 / 6))) < 1e-6);
  CHECK(model.predict(m.source(), 3) == m.labels);
}

TEST_CASE("baselines: n-grams are those of the text, each once", "[unit]") {
  std::vector<Token> text;
  for (const char c : std::string("abcabcabd")) text.push_back(static_cast<Token>(c + 1));
  const NgramOptions options{.shortest = 1, .longest = 3, .bits = 24};
  Ngrams ngrams(options);
  std::set<std::uint32_t> expected;
  std::size_t distinct = 0;
  for (std::size_t n = 1; n <= 3; ++n) {
    std::set<std::vector<Token>> of_order;
    for (std::size_t i = 0; i + n <= text.size(); ++i) {
      of_order.insert({text.begin() + static_cast<std::ptrdiff_t>(i),
                       text.begin() + static_cast<std::ptrdiff_t>(i + n)});
    }
    for (const auto& ngram : of_order) expected.insert(ngram_feature(ngram, options.bits));
    distinct += of_order.size();
  }
  REQUIRE(expected.size() == distinct);        // no two share a feature
  for (int again = 0; again < 600; ++again) {  // more texts than there are marks
    const auto present = ngrams.present(text);
    CHECK(present.size() == distinct);
    CHECK(std::set<std::uint32_t>(present.begin(), present.end()) == expected);
  }
  CHECK(ngrams.present({}).empty());
  // Different lengths of one id are different n-grams.
  CHECK(ngram_feature(std::vector<Token>{0}, 20) != ngram_feature(std::vector<Token>{0, 0}, 20));
}

}  // namespace
}  // namespace lra::tasks::baselines
