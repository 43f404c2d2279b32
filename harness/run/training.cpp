#include "harness/run/training.h"

#include <numeric>
#include <utility>

#include "engine/base/error.h"

namespace lra::harness {

std::size_t ShuffledOrder::at(std::uint64_t position) {
  const std::uint64_t epoch = position / size_;
  if (epoch != epoch_) {
    order_.resize(size_);
    std::iota(order_.begin(), order_.end(), 0U);
    RandomStream random(RandomKey(seed_).of("order").of(epoch));
    for (std::size_t i = size_; i > 1; --i) {
      std::swap(order_[i - 1], order_[random.below(static_cast<std::uint32_t>(i))]);
    }
    epoch_ = epoch;
  }
  return order_[position % size_];
}

Training::Training(const RunSpec& spec, tasks::TaskData opened, Workers& workers)
    : data(std::move(opened)),
      task(tasks::create_task(spec.task, spec.task_options)),
      model(std::make_unique<models::Model>(spec.model, model_task(task->info()), spec.attention,
                                            spec.attention_options)),
      spec_(spec),
      workers_(workers),
      order_(data.split(tasks::Split::train).size(), static_cast<std::uint64_t>(spec.seed)) {
  if (data.split(tasks::Split::train).size() == 0) {
    fail(ErrorKind::data, "{}: the training split is empty", spec.task);
  }
  workers_.execute([&] {
    model->initialise(static_cast<std::uint64_t>(spec.seed), engine::dtype_of(spec.precision));
    optimizer = models::make_optimizer_state(model->parameters());
    const auto count = lane_count(lanes_of(spec), model->parameter_count());
    for (std::int64_t i = 0; i < count; ++i) {
      lanes.push_back(engine::Tensor::zeros({model->parameters().flat_size()}));
    }
  });
}

BatchResult Training::step(std::int64_t step) {
  const auto B = static_cast<std::uint64_t>(spec_.train.batch_size);
  std::vector<std::size_t> examples;
  for (std::uint64_t i = 0; i < B; ++i) {
    examples.push_back(order_.at(static_cast<std::uint64_t>(step) * B + i));
  }
  return step_on(examples, step);
}

BatchResult Training::step_on(std::span<const std::size_t> examples, std::int64_t step) {
  const auto& train = data.split(tasks::Split::train);
  std::vector<tasks::Example> batch;
  std::vector<std::uint64_t> ids;
  for (const std::size_t example : examples) {
    ids.push_back(static_cast<std::uint64_t>(step * spec_.train.batch_size) + batch.size());
    batch.push_back(train[example]);
  }
  const BatchResult result =
      workers_.train(*model, batch, ids, step, static_cast<std::uint64_t>(spec_.seed), lanes);
  workers_.execute(
      [&] { models::update(model->parameters(), lanes, optimizer, spec_.train, step); });
  return result;
}

}  // namespace lra::harness
