#include "tasks/baselines/naive_bayes.h"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <atomic>
#include <cmath>

namespace lra::tasks::baselines {

NaiveBayes::NaiveBayes(std::size_t features, std::size_t classes)
    : features_(features), classes_(classes), prior_(classes), evidence_(features * classes) {}

void NaiveBayes::fit(const Rows& rows, std::span<const std::int32_t> labels) {
  // Sums of integers do not depend on the order.
  std::vector<std::uint32_t> counts(features_ * classes_);
  std::vector<std::int64_t> examples(classes_), tokens(classes_);
  oneapi::tbb::parallel_for(std::size_t{0}, labels.size(), [&](std::size_t i) {
    Row row;
    rows(i, row);
    const auto label = static_cast<std::size_t>(labels[i]);
    for (const std::uint32_t feature : row.index) {
      std::atomic_ref(counts[feature * classes_ + label]).fetch_add(1, std::memory_order_relaxed);
    }
    std::atomic_ref(examples[label]).fetch_add(1, std::memory_order_relaxed);
    std::atomic_ref(tokens[label])
        .fetch_add(static_cast<std::int64_t>(row.index.size()), std::memory_order_relaxed);
  });
  for (std::size_t k = 0; k < classes_; ++k) {
    prior_[k] = std::log((static_cast<double>(examples[k]) + 1) /
                         (static_cast<double>(labels.size() + classes_)));
    const double all = static_cast<double>(tokens[k]) + static_cast<double>(features_);
    for (std::size_t f = 0; f < features_; ++f) {
      evidence_[f * classes_ + k] =
          static_cast<float>(std::log((static_cast<double>(counts[f * classes_ + k]) + 1) / all));
    }
  }
}

std::vector<double> NaiveBayes::scores(const Row& row) const {
  std::vector<double> score = prior_;
  for (const std::uint32_t feature : row.index) {
    for (std::size_t k = 0; k < classes_; ++k) {
      score[k] += static_cast<double>(evidence_[feature * classes_ + k]);
    }
  }
  return score;
}

std::vector<std::int32_t> NaiveBayes::predict(const Rows& rows, std::size_t count) const {
  std::vector<std::int32_t> classes(count);
  oneapi::tbb::parallel_for(std::size_t{0}, count, [&](std::size_t i) {
    Row row;
    rows(i, row);
    const auto score = scores(row);
    classes[i] =
        static_cast<std::int32_t>(std::max_element(score.begin(), score.end()) - score.begin());
  });
  return classes;
}

}  // namespace lra::tasks::baselines
