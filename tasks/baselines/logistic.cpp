#include "tasks/baselines/logistic.h"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/random.h"

namespace lra::tasks::baselines {
namespace {

// Features are split into at least this many ranges, whose weights are updated independently: a
// weight sees the examples of a batch in order, whichever thread processes its range.
constexpr std::size_t kLeastParts = 16;
// Largest range: for one output its numbers fit into a core's cache (192 kB), and two bytes index a
// feature.
constexpr std::size_t kMostPerPart = std::size_t{1} << 14U;

constexpr std::uint8_t kMarks = 255;  // batches until the marks begin anew

}  // namespace

// The features of an example that are not 0, ordered by part.
struct LogisticRegression::PartedRow {
  std::vector<std::uint32_t> starts;  // [parts + 1] of each part in `offset`
  std::vector<std::uint16_t> offset;  // of the feature in its part
  std::vector<float> value;           // as many; empty if all are `equal`
  float equal = 0;

  [[nodiscard]] float value_of(std::size_t i) const { return value.empty() ? equal : value[i]; }

  void assign(const Row& row, std::size_t parts, std::size_t part_size) {
    starts.assign(parts + 1, 0);
    bool all_equal = true;
    for (std::size_t i = 0; i < row.index.size(); ++i) {
      if (row.value[i] == 0) continue;
      ++starts[row.index[i] / part_size + 1];
      if (starts[0]++ == 0) equal = row.value[i];
      all_equal = all_equal && row.value[i] == equal;
    }
    starts[0] = 0;
    std::partial_sum(starts.begin(), starts.end(), starts.begin());
    std::vector<std::uint32_t> next(starts.begin(), starts.end() - 1);
    offset.resize(starts.back());
    value.resize(all_equal ? 0 : starts.back());
    for (std::size_t i = 0; i < row.index.size(); ++i) {
      if (row.value[i] == 0) continue;
      const std::uint32_t to = next[row.index[i] / part_size]++;
      offset[to] = static_cast<std::uint16_t>(row.index[i] % part_size);
      if (!all_equal) value[to] = row.value[i];
    }
  }
};

struct LogisticRegression::Batch {
  std::vector<std::size_t> examples;   // their numbers
  std::vector<const PartedRow*> rows;  // as many
  std::vector<PartedRow> own;          // what `rows` point to where rows are not kept
  std::vector<float> partial;          // [parts, examples, outputs] scores by one part's features
  std::vector<float> error;            // [examples, outputs] derivative of the loss by the scores
  std::uint8_t mark = 0;               // of its features in touched_
};

LogisticRegression::LogisticRegression(std::size_t features, std::size_t classes)
    : features_(features),
      outputs_(classes == 2 ? 1 : classes),
      parts_(std::max(kLeastParts, (features + kMostPerPart - 1) / kMostPerPart)),
      part_size_((features + parts_ - 1) / parts_),
      numbers_((features + 1) * 3 * outputs_),
      touched_(features + 1) {
  if (features == 0 || classes < 2) {
    fail(ErrorKind::config,
         "tasks/baselines: logistic regression; got {} features and {} classes, expected at least "
         "1 and 2",
         features, classes);
  }
}

void LogisticRegression::forward(const Row& row, std::span<float> score) const {
  std::copy_n(weights(features_), outputs_, score.begin());
  for (std::size_t i = 0; i < row.index.size(); ++i) {
    const float* weight = weights(row.index[i]);
    const float value = row.value[i];
    for (std::size_t k = 0; k < outputs_; ++k) score[k] += value * weight[k];
  }
}

void LogisticRegression::partial_scores(Batch& batch, std::size_t part) const {
  const std::size_t size = batch.examples.size();
  for (std::size_t m = 0; m < size; ++m) {
    const PartedRow& row = *batch.rows[m];
    float* score = &batch.partial[(part * size + m) * outputs_];
    std::fill_n(score, outputs_, 0.0F);
    for (std::size_t i = row.starts[part]; i < row.starts[part + 1]; ++i) {
      const float* weight = weights(part * part_size_ + row.offset[i]);
      const float value = row.value_of(i);
      for (std::size_t k = 0; k < outputs_; ++k) score[k] += value * weight[k];
    }
  }
}

void LogisticRegression::take_errors(Batch& batch, std::span<const std::int32_t> labels) const {
  const std::size_t size = batch.examples.size();
  for (std::size_t m = 0; m < size; ++m) {
    const std::span<float> error(&batch.error[m * outputs_], outputs_);
    std::copy_n(weights(features_), outputs_, error.begin());
    for (std::size_t part = 0; part < parts_; ++part) {
      const float* partial = &batch.partial[(part * size + m) * outputs_];
      for (std::size_t k = 0; k < outputs_; ++k) error[k] += partial[k];
    }
    const std::int32_t label = labels[batch.examples[m]];
    if (outputs_ == 1) {
      error[0] = 1 / (1 + std::exp(-error[0])) - static_cast<float>(label);
      continue;
    }
    const float largest = *std::max_element(error.begin(), error.end());
    float sum = 0;
    for (float& e : error) sum += e = std::exp(e - largest);
    for (float& e : error) e /= sum;
    error[static_cast<std::size_t>(label)] -= 1;
  }
}

void LogisticRegression::update(std::size_t feature, float rate, float penalty) {
  constexpr float kTiny = 1e-8F;
  float* weight = numbers(feature);
  float* gradients = weight + outputs_;
  float* squares = gradients + outputs_;
  for (std::size_t k = 0; k < outputs_; ++k) {
    const float gradient = gradients[k] + penalty * weight[k];
    gradients[k] = 0;
    squares[k] += gradient * gradient;
    weight[k] -= rate * gradient / (std::sqrt(squares[k]) + kTiny);
  }
}

void LogisticRegression::step(const Batch& batch, std::size_t part, float rate, float penalty) {
  thread_local std::vector<std::uint32_t> features;  // of the batch in this part, each once
  features.clear();
  for (std::size_t m = 0; m < batch.examples.size(); ++m) {
    const PartedRow& row = *batch.rows[m];
    const float* error = &batch.error[m * outputs_];
    for (std::size_t i = row.starts[part]; i < row.starts[part + 1]; ++i) {
      const std::size_t feature = part * part_size_ + row.offset[i];
      if (touched_[feature] != batch.mark) {
        touched_[feature] = batch.mark;
        features.push_back(static_cast<std::uint32_t>(feature));
      }
      float* gradient = numbers(feature) + outputs_;
      const float value = row.value_of(i);
      for (std::size_t k = 0; k < outputs_; ++k) gradient[k] += value * error[k];
    }
  }
  for (const std::uint32_t feature : features) update(feature, rate, penalty);
  if (part + 1 < parts_) return;
  float* gradient = numbers(features_) + outputs_;
  for (std::size_t m = 0; m < batch.examples.size(); ++m) {
    for (std::size_t k = 0; k < outputs_; ++k) gradient[k] += batch.error[m * outputs_ + k];
  }
  update(features_, rate, penalty);
}

void LogisticRegression::fit(const Rows& rows, std::span<const std::int32_t> labels,
                             const LogisticOptions& options) {
  std::fill(numbers_.begin(), numbers_.end(), 0.0F);
  std::fill(touched_.begin(), touched_.end(), std::uint8_t{0});
  const auto fetch = [&](std::size_t example, PartedRow& row) {
    thread_local Row drawn;
    rows(example, drawn);
    row.assign(drawn, parts_, part_size_);
  };
  std::vector<PartedRow> kept(options.keep ? labels.size() : 0);
  oneapi::tbb::parallel_for(std::size_t{0}, kept.size(), [&](std::size_t i) { fetch(i, kept[i]); });
  std::vector<std::size_t> order(labels.size());
  Batch batch;
  if (!options.keep) batch.own.resize(std::min(options.batch, labels.size()));
  const std::size_t total = labels.size() * static_cast<std::size_t>(options.epochs);
  std::size_t done = 0;
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    RandomStream random(
        RandomKey(options.seed).of("logistic").of(static_cast<std::uint64_t>(epoch)));
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t i = order.size(); i > 1; --i) {
      std::swap(order[i - 1], order[random.below(static_cast<std::uint32_t>(i))]);
    }
    for (std::size_t first = 0; first < order.size(); first += options.batch) {
      const std::size_t size = std::min(options.batch, order.size() - first);
      batch.examples.assign(&order[first], &order[first] + size);
      batch.rows.resize(size);
      batch.partial.resize(parts_ * size * outputs_);
      batch.error.resize(size * outputs_);
      if (batch.mark == kMarks) {
        std::fill(touched_.begin(), touched_.end(), std::uint8_t{0});
        batch.mark = 0;
      }
      ++batch.mark;
      for (std::size_t m = 0; m < size && options.keep; ++m) {
        batch.rows[m] = &kept[batch.examples[m]];
      }
      if (!options.keep) {
        oneapi::tbb::parallel_for(std::size_t{0}, size, [&](std::size_t m) {
          fetch(batch.examples[m], batch.own[m]);
          batch.rows[m] = &batch.own[m];
        });
      }
      oneapi::tbb::parallel_for(std::size_t{0}, parts_,
                                [&](std::size_t part) { partial_scores(batch, part); });
      take_errors(batch, labels);
      const float left = 1 - static_cast<float>(done) / static_cast<float>(total);
      const float penalty = options.penalty * static_cast<float>(size);
      oneapi::tbb::parallel_for(std::size_t{0}, parts_, [&](std::size_t part) {
        step(batch, part, options.rate * left, penalty);
      });
      done += size;
    }
  }
}

std::vector<float> LogisticRegression::scores(const Row& row) const {
  std::vector<float> score(outputs_);
  forward(row, score);
  return score;
}

std::vector<std::int32_t> LogisticRegression::predict(const Rows& rows, std::size_t count) const {
  std::vector<std::int32_t> classes(count);
  oneapi::tbb::parallel_for(std::size_t{0}, count, [&](std::size_t i) {
    Row row;
    rows(i, row);
    const auto score = scores(row);
    classes[i] = outputs_ == 1 ? static_cast<std::int32_t>(score[0] > 0)
                               : static_cast<std::int32_t>(
                                     std::max_element(score.begin(), score.end()) - score.begin());
  });
  return classes;
}

}  // namespace lra::tasks::baselines
