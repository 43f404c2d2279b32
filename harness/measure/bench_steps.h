#pragma once
// The steps of a bench: a model on a batch of random ids, timed one by one. Internal to
// harness/measure.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/compute/primitives/products.h"
#include "engine/tensor/tensor.h"
#include "harness/measure/bench.h"
#include "harness/measure/cores.h"
#include "harness/workers/workers.h"
#include "models/model.h"
#include "models/optimizer.h"
#include "tasks/task.h"

namespace lra::harness {

// Ids and classes of the random examples.
inline constexpr std::int64_t kVocabulary = 256;
inline constexpr std::int64_t kClasses = 10;

// Lengths of the batch's sequences.
[[nodiscard]] std::vector<std::int64_t> lengths_of(const BenchOptions& options, std::int64_t n);

// The measured model, without weights.
[[nodiscard]] models::Model model_of(const BenchOptions& options, std::int64_t n);

// Sequences of random ids.
class RandomBatch final : public tasks::Dataset {
 public:
  explicit RandomBatch(const std::vector<std::int64_t>& lengths);
  [[nodiscard]] std::size_t size() const override { return examples.size(); }
  [[nodiscard]] tasks::Example operator[](std::size_t i) const override { return examples[i]; }

  [[nodiscard]] std::size_t token_count() const { return tokens_.size(); }

  std::vector<tasks::Example> examples;
  std::vector<std::uint64_t> ids;
  std::vector<std::size_t> indices;

 private:
  std::vector<tasks::Token> tokens_;
};

// The steps of one bench.
class Bench {
 public:
  Bench(const BenchOptions& options, std::int64_t n);

  // Seconds of one step; adds its operations to `flops`.
  double step(std::int64_t* flops);

  [[nodiscard]] Workers& workers() { return workers_; }

  // The least number of bytes that a step moves; after the first step.
  [[nodiscard]] std::int64_t traffic() const;

  // The last `count` steps of training on each of so many cores.
  [[nodiscard]] std::vector<results::CoresPoint> on_cores(std::size_t count) const;

  // Fills the result from the steps' times in seconds and the operations of one step.
  void finish(const std::vector<double>& times, std::int64_t flops, BenchResult& result) const;

 private:
  void prepare(std::int64_t n);

  const BenchOptions& options_;
  Workers workers_;
  RandomBatch batch_;
  models::Model model_;
  models::OptimizerState optimizer_;
  std::vector<engine::Tensor> lanes_;
  std::vector<StepParts> parts_;  // of training
  std::int64_t steps_ = 0;
};

using Products = std::vector<engine::primitives::ProductCount>;

// The share of matrix products in the workers' time of a warm-up step, in [0, 1].
[[nodiscard]] double matmul_share(Bench& bench);

// The products of a step.
[[nodiscard]] Products products_of(Bench& bench);

// The limit of a step on this machine in ms, once one was done. Last of all: its arrays would count
// as memory of the steps.
[[nodiscard]] double limit_ms(Bench& bench, const Products& products);

}  // namespace lra::harness
