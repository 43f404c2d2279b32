#pragma once
// The computation of a run, without its folder: data, model, optimiser and a training step.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "harness/run/spec.h"
#include "harness/workers/workers.h"
#include "models/optimizer.h"
#include "tasks/task.h"

namespace lra::harness {

// The order of the training examples: position i of the endless sequence of shuffled epochs.
class ShuffledOrder {
 public:
  ShuffledOrder(std::size_t size, std::uint64_t seed) : size_(size), seed_(seed) {}
  [[nodiscard]] std::size_t at(std::uint64_t position);

 private:
  std::size_t size_;
  std::uint64_t seed_;
  std::uint64_t epoch_ = ~std::uint64_t{0};
  std::vector<std::uint32_t> order_;
};

class Training {
 public:
  // The model has its initial weights. Throws Error(data) if the training split is empty. The
  // specification and the workers must outlive it.
  Training(const RunSpec& spec, tasks::TaskData opened, Workers& workers);

  // Step `step` of the run: its batch, forward, backward and update.
  BatchResult step(std::int64_t step);
  // The same on a chosen batch from the training split.
  BatchResult step_on(std::span<const std::size_t> examples, std::int64_t step);

  tasks::TaskData data;
  std::unique_ptr<tasks::Task> task;
  std::unique_ptr<models::Model> model;
  models::OptimizerState optimizer;
  std::vector<engine::Tensor> lanes;  // of gradients

 private:
  const RunSpec& spec_;
  Workers& workers_;
  ShuffledOrder order_;
};

}  // namespace lra::harness
