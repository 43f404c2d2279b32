// Which oneDNN implementations a whole step of training and of inference runs: embedding, encoder
// around each variant, head and optimiser.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/compute/primitives/primitives.h"
#include "engine/runtime.h"
#include "models/model.h"
#include "models/optimizer.h"
#include "tests/catch.h"

namespace lra::models {
namespace {

using engine::DType;

// Compiles whatever a step at length n needs and returns the reference kernels among it.
std::vector<std::string> reference_kernels(const std::string& attention, std::int64_t n,
                                           DType type) {
  engine::primitives::clear_thread_cache();
  engine::primitives::forget_compiled();
  ModelConfig config;
  config.dropout = 0.1;
  config.pooling = Pooling::cls;
  ModelTask task;
  task.classes = 10;
  task.vocabulary = 32;
  task.max_length = n;
  Model model(config, task, attention, nlohmann::json::object());
  model.initialise(1, type);
  std::vector<std::uint16_t> ids(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::uint16_t>(i * 7 % 32);

  const std::vector<std::int32_t> labels{3};

  const engine::WorkerScope worker;
  std::vector<engine::Tensor> lanes{engine::Tensor::zeros({model.parameters().flat_size()})};
  {
    Pass pass;
    pass.training = true;
    const engine::ParameterScope scope(model.parameters(), lanes[0]);
    engine::Tape tape;
    const Value loss = engine::cross_entropy(model.logits(ids, {}, pass), labels, 1.0F);
    tape.backward(loss);
  }
  OptimizerState state = make_optimizer_state(model.parameters());
  update(model.parameters(), lanes, state, TrainConfig{}, 0);
  const engine::ParameterScope scope(model.parameters(), {});
  static_cast<void>(model.logits(ids, {}, Pass()));

  CHECK(engine::primitives::compiled().size() > 5);
  return engine::primitives::reference_kernels();
}

void check_kernels(std::int64_t n) {
  for (const std::string& name : attention::registry().names()) {
    INFO("variant " << name << ", n = " << n);
    CHECK(reference_kernels(name, n, DType::f32) == std::vector<std::string>());
    if (!engine::machine().native_bf16) continue;
    CHECK(reference_kernels(name, n, DType::bf16) == std::vector<std::string>());
  }
}

TEST_CASE("model: no primitive of a training or inference step at n = 512 is a reference kernel",
          "[unit]") {
  check_kernels(512);
}

TEST_CASE("model: no primitive of a training or inference step at n = 2048 is a reference kernel",
          "[unit][slow]") {
  check_kernels(2048);
}

}  // namespace
}  // namespace lra::models
