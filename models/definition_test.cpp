// The whole model against a plain definition: the same parameters, read by their names, in loops in
// double precision, for every choice of its configuration.

#include <functional>
#include <nlohmann/json.hpp>

#include "engine/runtime.h"
#include "engine/testing/testing.h"
#include "models/model.h"
#include "models/test_plain_model.h"
#include "tests/catch.h"

namespace lra::models {
namespace {

using engine::Tensor;
using plain::Ids;
using plain::kWidth;
using plain::Plain;
using plain::Row;

constexpr double kRate = 0.5;  // of dropout
const Ids kIds{3, 1, 4, 1, 5, 9, 2, 6, 5};
const Ids kSecond{2, 7, 1, 8};

struct Case {
  std::string name;
  ModelConfig config;
  ModelTask task;
};

std::unique_ptr<Model> make_model(const Case& c) {
  auto model = std::make_unique<Model>(c.config, c.task, "softmax", nlohmann::json::object());
  model->initialise(1, engine::DType::f32);
  // No bias, gain or CLS token that is 0 or 1.
  for (const auto& entry : model->parameters().entries()) {
    Tensor values = model->parameters().tensor(entry);
    const Tensor noise = engine::testing::normal(entry.shape, entry.name.size() + 1, 0.2);
    for (std::int64_t i = 0; i < entry.size; ++i) values.f32()[i] += noise.f32()[i];
  }
  model->parameters().refresh();
  return model;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  const auto add = [&all](const std::string& name,
                          const std::function<void(ModelConfig&, ModelTask&)>& change) {
    Case c{name, {}, {}};
    c.config.width = kWidth;
    c.config.heads = 2;
    c.config.qkv_width = 16;
    c.config.ff_width = 12;
    c.task.classes = 3;
    c.task.vocabulary = 11;
    c.task.max_length = 16;
    change(c.config, c.task);
    all.push_back(c);
  };
  const auto each = [&add]<class Choice>(Choice ModelConfig::*member, const char* name) {
    for (const std::string_view text : texts(Choice())) {
      add(fmt::format("{}={}", name, text),
          [&](ModelConfig& config, ModelTask&) { config.*member = *enum_of<Choice>(text); });
    }
  };
  each(&ModelConfig::norm, "norm");
  each(&ModelConfig::activation, "activation");
  each(&ModelConfig::positions, "positions");
  each(&ModelConfig::attention_gate, "attention_gate");
  each(&ModelConfig::pooling, "pooling");
  for (const std::string_view positions : texts(Positions())) {
    for (const std::string_view pooling : {"cls", "mean_all"}) {
      add(fmt::format("positions={} pooling={}", positions, pooling),
          [&](ModelConfig& config, ModelTask&) {
            config.positions = *enum_of<Positions>(positions);
            config.pooling = *enum_of<Pooling>(pooling);
            config.rotary_base = 100;
            config.rotary_pairs = engine::RotaryPairs::half;
          });
    }
  }
  for (const std::string_view features : texts(PairFeatures())) {
    add(fmt::format("pair_features={}", features), [&](ModelConfig& config, ModelTask& task) {
      config.pair_features = *enum_of<PairFeatures>(features);
      task.head = Head::pair_class;
    });
  }
  for (const std::string_view pooling : {"mean", "cls"}) {
    for (const Classifier classifier : {Classifier::own, Classifier::tied}) {
      add(fmt::format("token head, pooling={}, classifier={}", pooling, name_of(classifier)),
          [&](ModelConfig& config, ModelTask& task) {
            config.pooling = *enum_of<Pooling>(pooling);
            config.classifier = classifier;
            task.head = Head::token;
          });
    }
    add(fmt::format("pixels, pooling={}", pooling), [&](ModelConfig& config, ModelTask&) {
      config.pooling = *enum_of<Pooling>(pooling);
      config.input = EncoderInput::pixels;
      config.pixel_mean = 0.25;
      config.pixel_std = 0.1;
    });
  }
  add("padded_length", [](ModelConfig& config, ModelTask&) {
    config.pooling = Pooling::mean_zeroed;
    config.padded_length = 100;
  });
  add("head_layers", [](ModelConfig& config, ModelTask&) { config.head_layers = 2; });
  add("no feed-forward", [](ModelConfig& config, ModelTask&) { config.feed_forward = false; });
  add("no final_norm", [](ModelConfig& config, ModelTask&) { config.final_norm = false; });
  add("no biases", [](ModelConfig& config, ModelTask&) { config.attention_bias = false; });
  add("norm_eps", [](ModelConfig& config, ModelTask&) { config.norm_eps = 0.3; });
  add("three layers", [](ModelConfig& config, ModelTask&) { config.layers = 3; });
  return all;
}

TEST_CASE("model: the logits are those of a plain definition, for every choice", "[unit]") {
  const engine::WorkerScope worker;
  for (const Case& c : cases()) {
    for (const bool training : {false, true}) {
      CAPTURE(c.name, training);
      Case with_dropout = c;
      with_dropout.config.dropout = training ? kRate : 0;
      const auto model = make_model(with_dropout);
      Pass pass;
      pass.training = training;
      pass.key = RandomKey(7).of(3);
      const engine::ParameterScope scope(model->parameters(), {});
      const std::vector<float> actual = model->logits(kIds, kSecond, pass).tensor().to_floats();
      const Row expected = Plain(*model, pass).logits(kIds, kSecond);
      REQUIRE(actual.size() == expected.size());
      for (std::size_t k = 0; k < expected.size(); ++k) {
        CHECK(double{actual[k]} == testing::Approx(expected[k]).margin(2e-5));
      }
    }
  }
}

}  // namespace
}  // namespace lra::models
