#pragma once
// Multinomial naive Bayes on the presence of features (McCallum, Nigam 1998, "A Comparison of Event
// Models for Naive Bayes Text Classification"; each feature counts once per example), with one
// added to every count.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tasks/baselines/logistic.h"

namespace lra::tasks::baselines {

class NaiveBayes {
 public:
  NaiveBayes(std::size_t features, std::size_t classes);
  // labels[i] is that of example i of `rows`, whose values are ignored.
  void fit(const Rows& rows, std::span<const std::int32_t> labels);
  [[nodiscard]] std::vector<std::int32_t> predict(const Rows& rows, std::size_t count) const;
  // log P(class) + sum over the row's features of log P(feature | class), for each class.
  [[nodiscard]] std::vector<double> scores(const Row& row) const;

 private:
  std::size_t features_, classes_;
  std::vector<double> prior_;    // [classes] logarithms
  std::vector<float> evidence_;  // [features, classes] logarithms
};

}  // namespace lra::tasks::baselines
