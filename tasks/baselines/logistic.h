#pragma once
// Logistic regression of a class on many features, with one weight per feature for two classes and
// K weights for K classes (softmax). Mini-batches by AdaGrad (Duchi, Hazan, Singer 2011, "Adaptive
// Subgradient Methods for Online Learning and Stochastic Optimization", JMLR 12), in f32.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace lra::tasks::baselines {

// The features of one example that are not 0.
struct Row {
  std::vector<std::uint32_t> index;  // each at most once, any order
  std::vector<float> value;          // as many
};
// Fills `row`, whatever its content, with example i. Called from many threads.
using Rows = std::function<void(std::size_t i, Row& row)>;

struct LogisticOptions {
  int epochs = 5;          // passes over the examples, each in an order of its own
  std::size_t batch = 64;  // examples whose gradients are added up before a step
  float rate = 0.1F;       // AdaGrad's: a weight's first step; it falls to 0 linearly
  float penalty = 0;       // times half the squared weights, added per example; only of weights
                           // whose features occur in the batch
  std::uint64_t seed = 0;  // of the orders
  // Requests each row once and keeps all of them, with 2 bytes per feature if a row's values are
  // equal, else 6; otherwise rows are requested in every epoch.
  bool keep = false;
};

class LogisticRegression {
 public:
  // Features are 0..features-1, classes 0..classes-1, classes >= 2.
  LogisticRegression(std::size_t features, std::size_t classes);
  // Starts at zero weights. labels[i] is example i's. The same bits for any number of threads.
  void fit(const Rows& rows, std::span<const std::int32_t> labels, const LogisticOptions& options);
  // The likeliest class of examples 0..count-1.
  [[nodiscard]] std::vector<std::int32_t> predict(const Rows& rows, std::size_t count) const;
  // Scores of one example: the log-odds of class 1 over 0 for two classes, else one score per
  // class.
  [[nodiscard]] std::vector<float> scores(const Row& row) const;

 private:
  struct PartedRow;
  struct Batch;
  void forward(const Row& row, std::span<float> score) const;
  void partial_scores(Batch& batch, std::size_t part) const;
  void take_errors(Batch& batch, std::span<const std::int32_t> labels) const;
  void step(const Batch& batch, std::size_t part, float rate, float penalty);
  void update(std::size_t feature, float rate, float penalty);

  // One feature's numbers are adjacent: its weights, the gradients of a batch, the sums of
  // squared gradients.
  [[nodiscard]] float* numbers(std::size_t feature) { return &numbers_[feature * 3 * outputs_]; }
  [[nodiscard]] const float* weights(std::size_t feature) const {
    return &numbers_[feature * 3 * outputs_];
  }

  std::size_t features_;
  std::size_t outputs_;                // 1 for two classes, else the number of classes
  std::size_t parts_;                  // ranges of features, stepped independently of one another
  std::size_t part_size_;              // features of a part, at most 2^14
  std::vector<float> numbers_;         // [features + 1, 3, outputs], the bias last
  std::vector<std::uint8_t> touched_;  // [features] mark of the last batch that has the feature
};

}  // namespace lra::tasks::baselines
