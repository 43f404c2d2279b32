#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "models/model.h"
#include "models/test_small_model.h"
#include "tests/catch.h"

namespace lra::models {
namespace {

// Initial values of a parameter.
struct Spread {
  double deviation = 0;
  double largest = 0;
};
Spread spread(const Model& model, const std::string& name) {
  const auto* entry = model.parameters().find(name);
  REQUIRE(entry != nullptr);
  Spread result;
  for (const float w : model.parameters().tensor(*entry).to_floats()) {
    result.deviation += double{w} * w / static_cast<double>(entry->size);
    result.largest = std::max(result.largest, std::abs(double{w}));
  }
  result.deviation = std::sqrt(result.deviation);
  return result;
}

TEST_CASE("model: gpt2 initial values leave the residual stream to the embeddings", "[unit]") {
  ModelConfig config;
  config.init = Init::gpt2;
  config.layers = 2;
  Model model(config, {}, "softmax", nlohmann::json::object());
  model.initialise(3, engine::DType::f32);
  const auto deviation = [&](const std::string& name) { return spread(model, name).deviation; };
  for (const char* layer : {"layers.0.", "layers.1."}) {
    const std::string prefix = layer;
    CHECK(deviation(prefix + "attention.qkv.weight") == testing::Approx(0.02).epsilon(0.05));
    CHECK(deviation(prefix + "attention.out.weight") == testing::Approx(0.01).epsilon(0.05));
    CHECK(deviation(prefix + "ff1.weight") == testing::Approx(0.02).epsilon(0.05));
    CHECK(deviation(prefix + "ff2.weight") == testing::Approx(0.01).epsilon(0.05));
    CHECK(deviation(prefix + "ff2.bias") == 0);
  }
}

TEST_CASE("model: initial values of PyTorch's and LRA's layers are within their bounds", "[unit]") {
  ModelConfig config;
  config.qkv_width = 32;
  config.embedding_std = 0.3;
  ModelTask task = small_task(64);
  task.vocabulary = 300;
  const auto uniform = [](const Model& model, const std::string& name, double bound) {
    CAPTURE(name);
    CHECK(spread(model, name).largest <= bound);
    CHECK(spread(model, name).deviation == testing::Approx(bound / std::sqrt(3.0)).epsilon(0.05));
  };
  {
    config.init = Init::torch;
    const auto model = make_model(config, task);
    CHECK(spread(*model, "embedding.tokens").deviation == testing::Approx(0.3).epsilon(0.05));
    CHECK(spread(*model, "embedding.positions").deviation == testing::Approx(0.02).epsilon(0.05));
    for (const char* map : {"layers.0.attention.qkv.", "layers.1.ff1."}) {
      uniform(*model, map + std::string("weight"), 1 / 8.0);  // 1 / sqrt(64)
      CHECK(spread(*model, map + std::string("bias")).largest > 0.1);
      CHECK(spread(*model, map + std::string("bias")).largest <= 0.125);
    }
    uniform(*model, "layers.0.attention.out.weight", 1 / std::sqrt(32.0));
  }
  {
    config.init = Init::lra;
    const auto model = make_model(config, task);
    uniform(*model, "layers.0.attention.qkv.weight", std::sqrt(6.0 / (64 + 32)));  // each by itself
    uniform(*model, "layers.0.attention.out.weight", std::sqrt(6.0 / (32 + 64)));
    uniform(*model, "layers.1.ff1.weight", std::sqrt(6.0 / (64 + 128)));
    CHECK(spread(*model, "layers.1.ff1.bias").deviation == testing::Approx(1e-6).epsilon(0.3));
  }
}

}  // namespace
}  // namespace lra::models
