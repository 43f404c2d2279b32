#include "tasks/retrieval/baselines.h"

#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <utility>

#include "tasks/baselines/logistic.h"
#include "tasks/shortcuts.h"

namespace lra::tasks::retrieval {
namespace {

using baselines::LogisticRegression;
using baselines::Ngrams;
using baselines::Row;

constexpr std::size_t kBytes = 4000;
constexpr std::size_t kFitted = 20000;  // pairs of train: there are few parameters
using Features = std::array<float, PairFeatures::kCount>;

std::span<const Token> beginning(std::span<const Token> document) {
  return document.first(std::min(document.size(), kBytes));
}

}  // namespace

// The n-grams of one document at a time, for each order, and the features of the other document.
struct PairFeatures::Scratch {
  struct Own {
    explicit Own(unsigned bits) : first(std::size_t{1} << bits) {
      for (const std::size_t n : kOrders) ngrams.emplace_back(baselines::NgramOptions{n, n, bits});
    }
    std::vector<Ngrams> ngrams;  // by order
    std::vector<std::uint32_t>
        first;  // [2^bits] number of the last pair whose first document has it
    std::uint32_t pair = 0;
  };
  explicit Scratch(unsigned bits) : own([bits] { return Own(bits); }) {}
  oneapi::tbb::enumerable_thread_specific<Own> own;
};

PairFeatures::PairFeatures(const Dataset& split, std::size_t most, unsigned bits)
    : bits_(bits), scratch_(std::make_shared<Scratch>(bits)) {
  const std::size_t pairs = std::min(split.size(), most);
  std::array<std::vector<std::uint32_t>, kOrders.size()> documents;
  for (auto& counts : documents) counts.resize(std::size_t{1} << bits_);
  oneapi::tbb::parallel_for(std::size_t{0}, pairs, [&](std::size_t i) {
    const Example pair = split[i];
    auto& own = scratch_->own.local();
    for (const auto document : {pair.tokens, pair.second}) {
      for (std::size_t o = 0; o < kOrders.size(); ++o) {
        for (const std::uint32_t feature : own.ngrams[o].present(beginning(document))) {
          std::atomic_ref(documents[o][feature]).fetch_add(1, std::memory_order_relaxed);
        }
      }
    }
  });
  for (std::size_t o = 0; o < kOrders.size(); ++o) {
    weight_[o].resize(documents[o].size());
    std::transform(
        documents[o].begin(), documents[o].end(), weight_[o].begin(), [pairs](std::uint32_t count) {
          const double rarity =
              std::log((1 + 2 * static_cast<double>(pairs)) / (1 + static_cast<double>(count)));
          return static_cast<float>(rarity * rarity);
        });
  }
}

std::array<float, PairFeatures::kCount> PairFeatures::of(const Example& pair) const {
  auto& own = scratch_->own.local();
  Features features{};
  for (std::size_t o = 0; o < kOrders.size(); ++o) {
    if (++own.pair == 0) {
      std::fill(own.first.begin(), own.first.end(), 0U);
      own.pair = 1;
    }
    double first = 0, second = 0, both = 0;  // squared norms and the product
    std::size_t first_count = 0, second_count = 0, both_count = 0;
    for (const std::uint32_t feature : own.ngrams[o].present(beginning(pair.tokens))) {
      own.first[feature] = own.pair;
      first += static_cast<double>(weight_[o][feature]);
      ++first_count;
    }
    for (const std::uint32_t feature : own.ngrams[o].present(beginning(pair.second))) {
      const auto weight = static_cast<double>(weight_[o][feature]);
      second += weight;
      ++second_count;
      if (own.first[feature] != own.pair) continue;
      both += weight;
      ++both_count;
    }
    const std::size_t either = first_count + second_count - both_count;
    if (either > 0) {
      features[2 * o] = static_cast<float>(both_count) / static_cast<float>(either);
    }
    if (first > 0 && second > 0) {
      features[2 * o + 1] = static_cast<float>(both / std::sqrt(first * second));
    }
  }
  const double a = std::log1p(static_cast<double>(pair.tokens.size()));
  const double b = std::log1p(static_cast<double>(pair.second.size()));
  features[kCount - 2] = static_cast<float>(a + b);
  features[kCount - 1] = static_cast<float>(std::abs(a - b));
  return features;
}

namespace {

// Mean and deviation of N features over examples.
template <std::size_t N>
class Moments {
 public:
  void add(const std::array<float, N>& features) {
    ++count_;
    for (std::size_t f = 0; f < N; ++f) {
      const auto value = static_cast<double>(features[f]);
      sum_[f] += value;
      squares_[f] += value * value;
    }
  }
  [[nodiscard]] std::array<float, N> means() const {
    std::array<float, N> means{};
    for (std::size_t f = 0; f < N; ++f) means[f] = static_cast<float>(sum_[f] / count());
    return means;
  }
  // 1 over the standard deviation; 0 for a feature that does not vary.
  [[nodiscard]] std::array<float, N> scales() const {
    constexpr double kLeast = 1e-6;
    std::array<float, N> scales{};
    for (std::size_t f = 0; f < N; ++f) {
      const double variance = squares_[f] / count() - sum_[f] / count() * sum_[f] / count();
      const double deviation = std::sqrt(std::max(0.0, variance));
      scales[f] = deviation > kLeast ? static_cast<float>(1 / deviation) : 0;
    }
    return scales;
  }

 private:
  [[nodiscard]] double count() const { return std::max(1.0, count_); }
  std::array<double, N> sum_{}, squares_{};
  double count_ = 0;
};

// The share of each byte in a document; all 0 if it is empty.
std::array<float, ByteFeatures::kValues> shares(std::span<const Token> document) {
  std::array<float, ByteFeatures::kValues> share{};
  const auto tokens = beginning(document);
  for (const Token token : tokens) ++share[static_cast<std::size_t>(token - 1)];
  for (float& value : share) value /= static_cast<float>(std::max<std::size_t>(1, tokens.size()));
  return share;
}

}  // namespace

ByteFeatures::ByteFeatures(const Dataset& split, std::size_t most) {
  Moments<kValues> moments;
  for (std::size_t i = 0; i < std::min(split.size(), most); ++i) {
    const Example pair = split[i];
    moments.add(shares(pair.tokens));
    moments.add(shares(pair.second));
  }
  mean_ = moments.means();
  scale_ = moments.scales();
}

std::array<float, ByteFeatures::kCount> ByteFeatures::of(const Example& pair) const {
  constexpr float kMost = 5;
  const auto first = shares(pair.tokens);
  const auto second = shares(pair.second);
  std::array<float, kCount> features{};
  for (std::size_t b = 0; b < kValues; ++b) {
    const float x = std::clamp((first[b] - mean_[b]) * scale_[b], -kMost, kMost);
    const float y = std::clamp((second[b] - mean_[b]) * scale_[b], -kMost, kMost);
    features[b] = std::abs(x - y);
    features[kValues + b] = x * y;
  }
  return features;
}

namespace {

// The features of the fitted pairs and of test, computed once for all predictors of one data set.
struct Table {
  std::vector<std::int32_t> labels;  // of the fitted pairs
  std::vector<Features> fitted, test;
};

template <class F>
auto features_of(const F& features, const Dataset& split, std::size_t most) {
  std::vector<decltype(features.of(split[0]))> all(std::min(split.size(), most));
  oneapi::tbb::parallel_for(std::size_t{0}, all.size(),
                            [&](std::size_t i) { all[i] = features.of(split[i]); });
  return all;
}

// The last data set's table; not thread-safe.
class Tables {
 public:
  std::shared_ptr<const Table> of(const TaskData& data) {
    if (!table_ || sha256_ != data.sha256) {
      const Dataset& train = fitting_split(data);
      const Dataset& test = data.split(Split::test);
      auto table = std::make_shared<Table>();
      const PairFeatures features(train, kFitted);
      table->labels = labels_of(train, kFitted);
      table->fitted = features_of(features, train, kFitted);
      table->test = features_of(features, test, test.size());
      table_ = std::move(table);
      sha256_ = data.sha256;
    }
    return table_;
  }

 private:
  std::string sha256_;
  std::shared_ptr<const Table> table_;
};

// The label that is more frequent in train on this side of the threshold that fits train best.
std::vector<std::int32_t> threshold_answers(const Table& table, std::size_t feature) {
  std::vector<std::pair<float, std::int32_t>> sorted;
  for (std::size_t i = 0; i < table.fitted.size(); ++i) {
    sorted.emplace_back(table.fitted[i][feature], table.labels[i]);
  }
  std::sort(sorted.begin(), sorted.end());
  // right: number of examples that "1 from here on" classifies correctly; its opposite classifies
  // the others correctly.
  std::int64_t right = 0;
  for (const auto& [value, label] : sorted) right += label == 1 ? 1 : 0;
  const auto all = static_cast<std::int64_t>(sorted.size());
  std::int64_t most = std::max(right, all - right);
  float threshold = -1;  // below every value
  bool above = right >= all - right;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    right += sorted[i].second == 1 ? -1 : 1;
    if (i + 1 < sorted.size() && sorted[i + 1].first == sorted[i].first) continue;
    if (std::max(right, all - right) <= most) continue;
    most = std::max(right, all - right);
    threshold = sorted[i].first;
    above = right >= all - right;
  }
  std::vector<std::int32_t> answers;
  for (const Features& features : table.test) {
    answers.push_back((features[feature] > threshold) == above ? 1 : 0);
  }
  return answers;
}

// Logistic regression; `fitted` and `test` hold an array of features for each pair.
template <class Pair>
std::vector<std::int32_t> regress(const std::vector<Pair>& fitted,
                                  const std::vector<std::int32_t>& labels,
                                  const std::vector<Pair>& test) {
  // Each feature with mean 0 and standard deviation 1 over the fitted pairs.
  Moments<std::tuple_size_v<Pair>> moments;
  for (const Pair& features : fitted) moments.add(features);
  const Pair mean = moments.means();
  const Pair scale = moments.scales();
  const auto rows = [&](const std::vector<Pair>& pairs) {
    return [&](std::size_t i, Row& row) {
      row.index.resize(mean.size());
      row.value.resize(mean.size());
      for (std::size_t f = 0; f < mean.size(); ++f) {
        row.index[f] = static_cast<std::uint32_t>(f);
        row.value[f] = (pairs[i][f] - mean[f]) * scale[f];
      }
    };
  };
  LogisticRegression model(mean.size(), 2);
  model.fit(rows(fitted), labels, {.epochs = 20, .batch = 64, .rate = 0.3F});
  return model.predict(rows(test), test.size());
}

std::vector<std::int32_t> regress_bytes(const TaskData& data) {
  const Dataset& train = fitting_split(data);
  const Dataset& test = data.split(Split::test);
  const ByteFeatures features(train, kFitted);
  return regress(features_of(features, train, kFitted), labels_of(train, kFitted),
                 features_of(features, test, test.size()));
}

}  // namespace

std::vector<Predictor> predictors() {
  constexpr std::size_t kLongest = PairFeatures::kOrders.size() - 1;
  const auto tables = std::make_shared<Tables>();
  const auto predictor = [&tables](const char* name, const char* sees, auto answer) {
    Predictor result{name, sees, {}, {}, true};
    result.answer = [tables, answer](const TaskData& data) { return answer(*tables->of(data)); };
    return result;
  };
  std::vector<Predictor> all;
  all.push_back(majority_class());
  Predictor bytes{"byte_logistic",
                  "logistic regression on how often each byte occurs in the two documents",
                  {},
                  {},
                  true};
  bytes.answer = regress_bytes;
  all.push_back(std::move(bytes));
  all.push_back(
      predictor("ngram_overlap",
                "a threshold on the share of byte 5-grams that the two documents have in common",
                [](const Table& table) { return threshold_answers(table, 2 * kLongest); }));
  all.push_back(predictor(
      "ngram_cosine",
      "a threshold on the cosine of the two documents' byte 5-grams, weighted by their rarity",
      [](const Table& table) { return threshold_answers(table, 2 * kLongest + 1); }));
  all.push_back(predictor(
      "pair_logistic",
      "logistic regression on overlaps and cosines of byte 3-, 4- and 5-grams and on the lengths",
      [](const Table& table) { return regress(table.fitted, table.labels, table.test); }));
  return all;
}

}  // namespace lra::tasks::retrieval
