// Pooling over real tokens only, and what a CLS token is: mistakes of known harnesses.

#include "models/model.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/runtime.h"
#include "engine/testing.h"
#include "tests/catch.h"

namespace lra::models {
namespace {

using engine::Tensor;

constexpr std::int64_t kClasses = 3;
constexpr std::int64_t kVocabulary = 11;

std::unique_ptr<Model> make_model(const std::string& pooling, std::int64_t max_length,
                                  const std::string& positions = "learned") {
  ModelConfig config;
  config.width = config.qkv_width = 8;
  config.ff_width = 12;
  config.pooling = pooling;
  config.positions = positions;
  ModelTask task;
  task.classes = kClasses;
  task.vocabulary = kVocabulary;
  task.max_length = max_length;
  auto model = std::make_unique<Model>(config, task, "softmax", nlohmann::json::object());
  model->initialise(1, engine::DType::f32);
  return model;
}

std::vector<float> logits(const Model& model, const std::vector<std::uint16_t>& ids) {
  const engine::ParameterScope scope(model.parameters(), {});
  return model.logits(ids, {}, Pass()).tensor().to_floats();
}

const std::vector<std::uint16_t> kIds{3, 1, 4, 1, 5, 9, 2, 6, 5};

TEST_CASE("model: known bug: the mean is over real tokens, not over padding", "[unit]") {
  const engine::WorkerScope worker;
  const Value x(engine::testing::normal({16, 8}, 1));  // 9 real rows in a bucket of 16
  const std::vector<float> pooled = pool_rows("mean", x, 9, 0).tensor().to_floats();
  for (std::size_t c = 0; c < 8; ++c) {
    double sum = 0;
    for (std::size_t i = 0; i < 9; ++i) sum += double{x.tensor().f32()[i * 8 + c]};
    CHECK(double{pooled[c]} == testing::Approx(sum / 9).margin(1e-6));
  }
  // The same sequence in a model for longer ones: sinusoidal positions, so that weights are equal.
  const std::vector<float> a = logits(*make_model("mean", 9, "sinusoidal"), kIds);
  const std::vector<float> b = logits(*make_model("mean", 500, "sinusoidal"), kIds);
  CHECK(a == b);
  const std::vector<float> padded = logits(*make_model("mean_all", 500, "sinusoidal"), kIds);
  CHECK(padded != a);  // a protocol may ask for it by name
}

TEST_CASE("model: positions in two dimensions encode row and column, and only of a square image",
          "[unit]") {
  constexpr std::int64_t kSide = 5;
  const std::vector<float> image = sinusoidal_positions_2d(kSide, 8).to_floats();
  const std::vector<float> line = sinusoidal_positions(kSide, 4).to_floats();
  for (std::size_t i = 0; i < kSide * kSide; ++i) {
    for (std::size_t c = 0; c < 4; ++c) {
      CHECK(image[i * 8 + c] == line[i / kSide * 4 + c]);
      CHECK(image[i * 8 + 4 + c] == line[i % kSide * 4 + c]);
    }
  }
  const engine::WorkerScope worker;
  CHECK(logits(*make_model("mean", 9, "sinusoidal_2d"), kIds) !=
        logits(*make_model("mean", 9, "sinusoidal"), kIds));
  CHECK(logits(*make_model("cls", 9, "sinusoidal_2d"), kIds).size() == kClasses);
  CHECK_THROWS_AS(make_model("mean", 10, "sinusoidal_2d"), Error);
}

TEST_CASE("model: known bug: CLS pooling reads a token of its own, not the first of the input",
          "[unit]") {
  const engine::WorkerScope worker;
  const auto with_cls = make_model("cls", 16);
  const auto first = make_model("first", 16);
  CHECK(with_cls->parameter_count() > first->parameter_count());  // the token and its position
  Pass pass;
  const engine::ParameterScope scope(with_cls->parameters(), {});
  static_cast<void>(with_cls->encode(kIds, pass));
  CHECK(pass.length == static_cast<std::int64_t>(kIds.size()) + 1);
  // Row 0 of the input to the first layer is the same whatever the sequence begins with.
  const auto row = [&](const Model& model, const std::vector<std::uint16_t>& ids) {
    Pass p;
    const engine::ParameterScope parameters(model.parameters(), {});
    const std::vector<float> all = model.trace(ids, p).front().tensor().to_floats();
    return std::vector<float>(all.begin(), all.begin() + 8);
  };
  std::vector<std::uint16_t> other = kIds;
  other[0] = 7;
  CHECK(row(*with_cls, kIds) == row(*with_cls, other));
  CHECK(row(*first, kIds) != row(*first, other));
}

TEST_CASE("model: gpt2 initial values leave the residual stream to the embeddings", "[unit]") {
  ModelConfig config;
  config.init = "gpt2";
  config.layers = 2;
  Model model(config, {}, "softmax", nlohmann::json::object());
  model.initialise(3, engine::DType::f32);
  const auto deviation = [&](const std::string& name) {
    const auto* entry = model.parameters().find(name);
    REQUIRE(entry != nullptr);
    double squares = 0;
    for (const float w : model.parameters().tensor(*entry).to_floats()) squares += double{w} * w;
    return std::sqrt(squares / static_cast<double>(entry->size));
  };
  for (const char* layer : {"layers.0.", "layers.1."}) {
    const std::string prefix = layer;
    CHECK(deviation(prefix + "attention.qkv.weight") == testing::Approx(0.02).epsilon(0.05));
    CHECK(deviation(prefix + "attention.out.weight") == testing::Approx(0.01).epsilon(0.05));
    CHECK(deviation(prefix + "ff1.weight") == testing::Approx(0.02).epsilon(0.05));
    CHECK(deviation(prefix + "ff2.weight") == testing::Approx(0.01).epsilon(0.05));
    CHECK(deviation(prefix + "ff2.bias") == 0);
  }
}

}  // namespace
}  // namespace lra::models
