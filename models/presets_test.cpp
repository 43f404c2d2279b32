#include "models/presets.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "tests/catch.h"

namespace lra::models {
namespace {

using nlohmann::json;

json with_defaults(const auto& config) {
  auto copy = config;
  OptionTable table;
  copy.options(table);
  return table.values();
}

TEST_CASE("presets: each is found by its name and reads for any task", "[unit]") {
  const std::vector<std::string> names = preset_names();
  for (const char* name : {"tiny", "small", "google", "skyformer", "nystromformer", "zoology"}) {
    CAPTURE(name);
    CHECK(std::find(names.begin(), names.end(), name) != names.end());
  }
  for (const std::string& name : names) {
    CAPTURE(name);
    const Preset preset = load_preset(name, "listops");
    CHECK(preset.name == name);
    CHECK_FALSE(preset.description.empty());
  }
  CHECK_THROWS_AS(load_preset("smal", "listops"), Error);
}

// A default is what a specification means that does not name the setting: part of every run's id.
TEST_CASE("presets: the defaults of model and training are those of every earlier record",
          "[unit]") {
  CHECK(with_defaults(ModelConfig()) == json::parse(R"({
    "layers": 2, "width": 64, "heads": 2, "qkv_width": 64, "ff_width": 128, "norm": "pre",
    "final_norm": true, "norm_eps": 1e-5, "activation": "gelu_erf", "attention_bias": true,
    "positions": "learned", "rotary_base": 10000.0, "rotary_pairs": "interleaved",
    "attention_gate": "none", "pooling": "mean", "padded_length": 0, "head_layers": 1,
    "classifier": "own", "pair_features": "nli", "input": "tokens", "pixel_mean": 0.5,
    "pixel_std": 0.5, "dropout": 0.0, "attention_dropout": 0.0, "embedding_dropout": -1.0,
    "init": "torch", "embedding_std": 0.02, "vocabulary": 0, "feed_forward": true
  })"));
  CHECK(with_defaults(TrainConfig()) == json::parse(R"({
    "optimizer": "adamw", "lr": 1e-4, "schedule": "onecycle", "warmup_steps": 0, "lr_floor": 0.0,
    "weight_decay": 0.0, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "cycle_momentum": false,
    "clip_norm": 0.0, "clip_value": 0.0, "batch_size": 32, "steps": 1000, "eval_every": 100,
    "eval_examples": 0, "selection": "best_val", "patience": 0
  })"));
}

}  // namespace
}  // namespace lra::models
