#pragma once
// The settings of the shared encoder and of its training, as named options: presets and `--set`
// fill them, run records repeat them.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "engine/base/options.h"

namespace lra::models {

struct ModelConfig {
  std::int64_t layers = 2;
  std::int64_t width = 64;      // E, of the residual stream
  std::int64_t heads = 2;       // H
  std::int64_t qkv_width = 64;  // H D
  std::int64_t ff_width = 128;  // F, also of the classifier's hidden layer
  std::string norm = "pre";
  bool final_norm = true;
  double norm_eps = 1e-5;
  std::string activation = "gelu_erf";
  bool attention_bias = true;
  std::string positions = "learned";
  double rotary_base = 10000;
  std::string rotary_pairs = "interleaved";
  std::string attention_gate = "none";
  std::string pooling = "mean";
  std::int64_t padded_length = 0;
  std::int64_t head_layers = 1;
  std::string classifier = "own";
  std::string pair_features = "nli";
  std::string input = "tokens";
  double pixel_mean = 0.5;
  double pixel_std = 0.5;
  double dropout = 0;
  double attention_dropout = 0;
  double embedding_dropout = -1;
  std::string init = "torch";
  double embedding_std = 0.02;
  std::int64_t vocabulary = 0;
  bool feed_forward = true;

  void options(OptionTable& table);
};

struct TrainConfig {
  std::string optimizer = "adamw";
  double lr = 1e-4;
  std::string schedule = "onecycle";
  std::int64_t warmup_steps = 0;
  double lr_floor = 0;
  double weight_decay = 0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  bool cycle_momentum = false;
  double clip_norm = 0;
  double clip_value = 0;
  std::int64_t batch_size = 32;
  std::int64_t steps = 1000;
  std::int64_t eval_every = 100;
  std::int64_t eval_examples = 0;
  std::string selection = "best_val";
  std::int64_t patience = 0;

  void options(OptionTable& table);
};

}  // namespace lra::models
