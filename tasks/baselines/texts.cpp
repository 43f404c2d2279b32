#include "tasks/baselines/texts.h"

#include <oneapi/tbb/enumerable_thread_specific.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "tasks/baselines/logistic.h"
#include "tasks/baselines/naive_bayes.h"
#include "tasks/baselines/ngrams.h"
#include "tasks/shortcuts.h"

namespace lra::tasks::baselines {
namespace {

constexpr std::size_t kBytes = 4000;
constexpr NgramOptions kNgrams{.shortest = 1, .longest = 5, .bits = 20};
constexpr std::size_t kFeatures = std::size_t{1} << kNgrams.bits;

// The texts of a split as rows: the occurring n-grams with equal values, such that the row has norm
// 1.
class NgramRows {
 public:
  explicit NgramRows(const Dataset& split) : split_(split), ngrams_(kNgrams) {}
  void operator()(std::size_t i, Row& row) const {
    const auto tokens = split_[i].tokens;
    const auto present = ngrams_.local().present(tokens.first(std::min(tokens.size(), kBytes)));
    row.index.assign(present.begin(), present.end());
    row.value.assign(present.size(), 1 / std::sqrt(static_cast<float>(present.size())));
  }

 private:
  const Dataset& split_;
  mutable oneapi::tbb::enumerable_thread_specific<Ngrams> ngrams_;
};

template <class Model, class... Options>
std::vector<std::int32_t> text_answers(const TaskData& data, const Options&... options) {
  const Dataset& train = fitting_split(data);
  const Dataset& test = data.split(Split::test);
  const auto labels = labels_of(train, train.size());
  Model model(kFeatures, classes_of(labels));
  const NgramRows train_rows(train);
  const NgramRows test_rows(test);
  model.fit(std::cref(train_rows), labels, options...);
  return model.predict(std::cref(test_rows), test.size());
}

}  // namespace

std::vector<Predictor> text_predictors() {
  constexpr std::size_t kGroups = 64;
  std::vector<Predictor> all;
  all.push_back(majority_class());
  all.push_back(majority_given_number(
      "majority_given_length", "the most frequent label of train for the text's length", kGroups,
      std::numeric_limits<std::size_t>::max(),
      [](const Example& example) { return static_cast<double>(example.tokens.size()); }));
  Predictor bayes{
      "ngram_naive_bayes",
      "naive Bayes on which byte n-grams (1 to 5) occur in at most the first 4,000 bytes",
      {},
      {},
      true};
  bayes.answer = [](const TaskData& data) { return text_answers<NaiveBayes>(data); };
  all.push_back(std::move(bayes));
  Predictor regression{
      "ngram_logistic",
      "logistic regression on which byte n-grams (1 to 5) occur in at most the first 4,000 bytes",
      {},
      {},
      true};
  regression.answer = [](const TaskData& data) {
    return text_answers<LogisticRegression>(
        data, LogisticOptions{.epochs = 5, .batch = 32, .rate = 0.2F, .keep = true});
  };
  all.push_back(std::move(regression));
  return all;
}

}  // namespace lra::tasks::baselines
