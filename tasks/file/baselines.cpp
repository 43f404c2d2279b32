#include "tasks/file/baselines.h"

#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "tasks/baselines/logistic.h"
#include "tasks/baselines/naive_bayes.h"
#include "tasks/baselines/ngrams.h"
#include "tasks/baselines/texts.h"
#include "tasks/shortcuts.h"

namespace lra::tasks::file {
namespace {

using baselines::LogisticOptions;
using baselines::LogisticRegression;
using baselines::NaiveBayes;
using baselines::Ngrams;
using baselines::Row;

using RowOf = std::function<void(const Example&, Row&)>;

template <class Model, class... Options>
std::vector<std::int32_t> fitted(const TaskData& data, std::size_t features, const RowOf& row_of,
                                 const Options&... options) {
  const Dataset& train = fitting_split(data);
  const Dataset& test = data.split(Split::test);
  const auto labels = labels_of(train, train.size());
  Model model(features, classes_of(labels));
  model.fit([&](std::size_t i, Row& row) { row_of(train[i], row); }, labels, options...);
  return model.predict([&](std::size_t i, Row& row) { row_of(test[i], row); }, test.size());
}

// A row of the present features, scaled to norm 1.
void set_present(Row& row, std::vector<std::uint32_t> features) {
  std::sort(features.begin(), features.end());
  features.erase(std::unique(features.begin(), features.end()), features.end());
  row.value.assign(features.size(), 1 / std::sqrt(static_cast<float>(features.size())));
  row.index = std::move(features);
}

Predictor named(std::string name, std::string sees,
                std::function<std::vector<std::int32_t>(const TaskData&)> answer) {
  Predictor result{std::move(name), std::move(sees), {}, {}, true};
  result.answer = std::move(answer);
  return result;
}

constexpr LogisticOptions kPresence{.epochs = 5, .batch = 32, .rate = 0.2F};

void add_ids(std::vector<Predictor>& all, std::size_t vocabulary) {
  const RowOf row = [](const Example& example, Row& out) {
    set_present(out, {example.tokens.begin(), example.tokens.end()});
  };
  all.push_back(
      named("id_naive_bayes", "naive Bayes on which ids occur",
            [=](const TaskData& data) { return fitted<NaiveBayes>(data, vocabulary, row); }));
  all.push_back(
      named("id_logistic", "logistic regression on which ids occur", [=](const TaskData& data) {
        return fitted<LogisticRegression>(data, vocabulary, row, kPresence);
      }));
}

void add_pixels_of(std::vector<Predictor>& all, std::size_t length) {
  constexpr std::size_t kValues = 256;
  const RowOf histogram = [](const Example& example, Row& out) {
    std::vector<float> counts(kValues);
    for (const Token token : example.tokens) counts[std::min<std::size_t>(token - 1U, 255)] += 1;
    out.index.clear();
    out.value.clear();
    for (std::size_t v = 0; v < kValues; ++v) {
      if (counts[v] == 0) continue;
      out.index.push_back(static_cast<std::uint32_t>(v));
      out.value.push_back(counts[v] / static_cast<float>(example.tokens.size()));
    }
  };
  const RowOf pixels = [](const Example& example, Row& out) {
    out.index.clear();
    out.value.clear();
    for (std::size_t i = 0; i < example.tokens.size(); ++i) {
      if (example.tokens[i] <= 1) continue;
      out.index.push_back(static_cast<std::uint32_t>(i));
      out.value.push_back(static_cast<float>(example.tokens[i] - 1) / 255);
    }
  };
  all.push_back(named(
      "value_histogram_logistic", "logistic regression on the histogram of the pixels' values",
      [=](const TaskData& data) {
        return fitted<LogisticRegression>(data, kValues, histogram,
                                          LogisticOptions{.epochs = 20, .batch = 64, .rate = 0.5F});
      }));
  all.push_back(
      named("value_logistic", "logistic regression on all pixels", [=](const TaskData& data) {
        return fitted<LogisticRegression>(data, length, pixels,
                                          LogisticOptions{.epochs = 5, .batch = 64, .rate = 0.01F});
      }));
}

// Byte 5-grams, as sets of features.
std::vector<std::uint32_t> grams(std::span<const Token> tokens) {
  constexpr baselines::NgramOptions kGrams{.shortest = 5, .longest = 5, .bits = 20};
  static thread_local Ngrams ngrams(kGrams);
  const auto present = ngrams.present(tokens);
  std::vector<std::uint32_t> list(present.begin(), present.end());
  std::sort(list.begin(), list.end());
  return list;
}

// Shared 5-grams over those of the smaller set.
double overlap(const Example& example) {
  const auto a = grams(example.tokens);
  const auto b = grams(example.second);
  std::vector<std::uint32_t> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  const auto least = std::max<std::size_t>(std::min(a.size(), b.size()), 1);
  return static_cast<double>(both.size()) / static_cast<double>(least);
}

void add_pairs(std::vector<Predictor>& all) {
  constexpr std::size_t kFeatures = std::size_t{1} << 20U;
  constexpr std::size_t kGroups = 64;
  constexpr std::size_t kMost = 100000;
  all.push_back(majority_given_number(
      "majority_given_overlap",
      "the most frequent label of train for the share of byte 5-grams that the texts share",
      kGroups, kMost, overlap));
  const RowOf row = [](const Example& example, Row& out) {
    auto features = grams(example.tokens);
    for (const std::uint32_t feature : grams(example.second)) {
      features.push_back(static_cast<std::uint32_t>(kFeatures) + feature);
    }
    if (features.empty()) features.push_back(0);
    set_present(out, std::move(features));
  };
  all.push_back(named("pair_ngram_logistic",
                      "logistic regression on which byte 5-grams occur in the first and the second",
                      [=](const TaskData& data) {
                        return fitted<LogisticRegression>(data, 2 * kFeatures, row, kPresence);
                      }));
}

}  // namespace

std::vector<Predictor> predictors(const Settings& settings, const TaskInfo& info) {
  const Kind kind = settings.kind;
  if (kind == Kind::text && settings.words.empty()) return baselines::text_predictors();
  std::vector<Predictor> all;
  all.push_back(majority_class());
  if (kind == Kind::pixels) {
    add_pixels_of(all, static_cast<std::size_t>(info.max_length));
    return all;
  }
  all.push_back(majority_given_number(
      "majority_given_length", "the most frequent label of train for the text's length", 64,
      std::numeric_limits<std::size_t>::max(),
      [](const Example& example) { return static_cast<double>(example.tokens.size()); }));
  if (kind == Kind::pair) {
    if (settings.words.empty()) add_pairs(all);
  } else {
    add_ids(all, static_cast<std::size_t>(info.vocabulary));
  }
  return all;
}

}  // namespace lra::tasks::file
