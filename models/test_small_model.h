#pragma once
// For tests: models of eight features, and their logits.

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/runtime.h"
#include "models/model.h"

namespace lra::models {

inline constexpr std::int64_t kClasses = 3;
inline constexpr std::int64_t kVocabulary = 11;

inline ModelConfig small_config(const std::string& pooling, const std::string& positions) {
  ModelConfig config;
  config.width = config.qkv_width = 8;
  config.ff_width = 12;
  config.pooling = *enum_of<Pooling>(pooling);
  config.positions = *enum_of<Positions>(positions);
  return config;
}

inline ModelTask small_task(std::int64_t max_length) {
  ModelTask task;
  task.classes = kClasses;
  task.vocabulary = kVocabulary;
  task.max_length = max_length;
  return task;
}

inline std::unique_ptr<Model> make_model(const ModelConfig& config, const ModelTask& task) {
  auto model = std::make_unique<Model>(config, task, "softmax", nlohmann::json::object());
  model->initialise(1, engine::DType::f32);
  return model;
}

inline std::unique_ptr<Model> make_model(const std::string& pooling, std::int64_t max_length,
                                         const std::string& positions = "learned") {
  return make_model(small_config(pooling, positions), small_task(max_length));
}

inline std::vector<float> logits(const Model& model, const std::vector<std::uint16_t>& ids) {
  const engine::ParameterScope scope(model.parameters(), {});
  return model.logits(ids, {}, Pass()).tensor().to_floats();
}

}  // namespace lra::models
