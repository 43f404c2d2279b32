#include "tasks/baselines/logistic.h"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/random.h"

namespace lra::tasks::baselines {
namespace {

// Features are cut into so many ranges, whose weights are stepped independently of one another: a
// weight sees the examples of a batch in their order, whichever thread takes its range.
constexpr std::size_t kParts = 16;

}  // namespace

// An example of a batch, its features ordered by part.
struct LogisticRegression::Member {
  Row row, drawn;
  std::array<std::size_t, kParts + 1> starts{};  // of each part in the row
  std::vector<float> error;                      // [outputs] derivative of the loss by the scores

  // Fills row from drawn, in the order of the parts.
  void order(std::size_t features) {
    const auto part_of = [features](std::uint32_t index) {
      return static_cast<std::size_t>(std::uint64_t{index} * kParts / features);
    };
    starts.fill(0);
    for (const std::uint32_t index : drawn.index) ++starts[part_of(index) + 1];
    std::partial_sum(starts.begin(), starts.end(), starts.begin());
    auto next = starts;
    row.index.resize(drawn.index.size());
    row.value.resize(drawn.index.size());
    for (std::size_t i = 0; i < drawn.index.size(); ++i) {
      const std::size_t to = next[part_of(drawn.index[i])]++;
      row.index[to] = drawn.index[i];
      row.value[to] = drawn.value[i];
    }
  }
};

LogisticRegression::LogisticRegression(std::size_t features, std::size_t classes)
    : features_(features),
      outputs_(classes == 2 ? 1 : classes),
      weights_((features + 1) * outputs_),
      gradients_(weights_.size()),
      squares_(weights_.size()) {
  if (features == 0 || classes < 2) {
    fail(ErrorKind::config,
         "tasks/baselines: logistic regression; got {} features and {} classes, expected at least "
         "1 and 2",
         features, classes);
  }
}

void LogisticRegression::forward(const Row& row, std::span<float> score) const {
  std::copy_n(&weights_[features_ * outputs_], outputs_, score.begin());
  if (outputs_ == 1) {
    float sum = score[0];
    for (std::size_t i = 0; i < row.index.size(); ++i) sum += row.value[i] * weights_[row.index[i]];
    score[0] = sum;
    return;
  }
  for (std::size_t i = 0; i < row.index.size(); ++i) {
    const float* weight = &weights_[row.index[i] * outputs_];
    const float value = row.value[i];
    for (std::size_t k = 0; k < outputs_; ++k) score[k] += value * weight[k];
  }
}

void LogisticRegression::take_error(Member& member, std::int32_t label) const {
  auto& error = member.error;
  error.resize(outputs_);
  forward(member.row, error);
  if (outputs_ == 1) {
    error[0] = 1 / (1 + std::exp(-error[0])) - static_cast<float>(label);
    return;
  }
  const float largest = *std::max_element(error.begin(), error.end());
  float sum = 0;
  for (float& e : error) sum += e = std::exp(e - largest);
  for (float& e : error) e /= sum;
  error[static_cast<std::size_t>(label)] -= 1;
}

void LogisticRegression::step(std::span<const Member> batch, std::size_t part, float rate,
                              float penalty) {
  constexpr float kTiny = 1e-8F;
  const auto update = [&](std::size_t feature) {
    for (std::size_t at = feature * outputs_; at < (feature + 1) * outputs_; ++at) {
      if (gradients_[at] == 0) continue;
      const float gradient = gradients_[at] + penalty * weights_[at];
      gradients_[at] = 0;
      squares_[at] += gradient * gradient;
      weights_[at] -= rate * gradient / (std::sqrt(squares_[at]) + kTiny);
    }
  };
  for (const Member& member : batch) {
    for (std::size_t i = member.starts[part]; i < member.starts[part + 1]; ++i) {
      float* gradient = &gradients_[member.row.index[i] * outputs_];
      const float value = member.row.value[i];
      for (std::size_t k = 0; k < outputs_; ++k) gradient[k] += value * member.error[k];
    }
  }
  for (const Member& member : batch) {
    for (std::size_t i = member.starts[part]; i < member.starts[part + 1]; ++i) {
      update(member.row.index[i]);
    }
  }
  if (part + 1 < kParts) return;
  for (const Member& member : batch) {
    for (std::size_t k = 0; k < outputs_; ++k) {
      gradients_[features_ * outputs_ + k] += member.error[k];
    }
  }
  update(features_);
}

void LogisticRegression::fit(const Rows& rows, std::span<const std::int32_t> labels,
                             const LogisticOptions& options) {
  std::fill(weights_.begin(), weights_.end(), 0.0F);
  std::fill(squares_.begin(), squares_.end(), 0.0F);
  std::vector<std::size_t> order(labels.size());
  std::vector<Member> members(std::min(options.batch, labels.size()));
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
      oneapi::tbb::parallel_for(std::size_t{0}, size, [&](std::size_t m) {
        rows(order[first + m], members[m].drawn);
        members[m].order(features_);
        take_error(members[m], labels[order[first + m]]);
      });
      const float left = 1 - static_cast<float>(done) / static_cast<float>(total);
      const float penalty = options.penalty * static_cast<float>(size);
      const std::span<const Member> batch(members.data(), size);
      oneapi::tbb::parallel_for(std::size_t{0}, kParts, [&](std::size_t part) {
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
