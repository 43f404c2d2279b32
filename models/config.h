#pragma once
// The settings of the shared encoder and of its training, as named options: presets and `--set`
// fill them, run records repeat them.

#include <cstdint>

#include "engine/base/options.h"
#include "engine/fused/features/rotary.h"

namespace lra::models {

enum class NormPlace { pre, post };
constexpr auto texts(NormPlace) { return enum_texts("pre", "post"); }
enum class Activation { gelu_erf, gelu_tanh, relu };
constexpr auto texts(Activation) { return enum_texts("gelu_erf", "gelu_tanh", "relu"); }
enum class Positions { learned, sinusoidal, sinusoidal_2d, rotary, rotary_2d, none };
constexpr auto texts(Positions) {
  return enum_texts("learned", "sinusoidal", "sinusoidal_2d", "rotary", "rotary_2d", "none");
}
enum class AttentionGate { none, head, element };
constexpr auto texts(AttentionGate) { return enum_texts("none", "head", "element"); }
enum class Pooling { cls, first, mean, mean_all, mean_zeroed, max, max_all, sum, last };
constexpr auto texts(Pooling) {
  return enum_texts("cls", "first", "mean", "mean_all", "mean_zeroed", "max", "max_all", "sum",
                    "last");
}
enum class Classifier { own, tied };
constexpr auto texts(Classifier) { return enum_texts("own", "tied"); }
enum class PairFeatures { nli, concat };
constexpr auto texts(PairFeatures) { return enum_texts("nli", "concat"); }
enum class EncoderInput { tokens, pixels };
constexpr auto texts(EncoderInput) { return enum_texts("tokens", "pixels"); }
enum class Init { torch, lra, gpt2 };
constexpr auto texts(Init) { return enum_texts("torch", "lra", "gpt2"); }
enum class Optimizer { adamw, adam, adam_l2 };
constexpr auto texts(Optimizer) { return enum_texts("adamw", "adam", "adam_l2"); }
enum class Schedule { rsqrt, rsqrt_normalized, cosine, cosine_floor, onecycle, linear, constant };
constexpr auto texts(Schedule) {
  return enum_texts("rsqrt", "rsqrt_normalized", "cosine", "cosine_floor", "onecycle", "linear",
                    "constant");
}
enum class Selection { best_val, best_val_after_20_percent, last_step };
constexpr auto texts(Selection) {
  return enum_texts("best_val", "best_val_after_20_percent", "last_step");
}

struct ModelConfig {
  std::int64_t layers = 2;
  std::int64_t width = 64;      // E, of the residual stream
  std::int64_t heads = 2;       // H
  std::int64_t qkv_width = 64;  // H D
  std::int64_t ff_width = 128;  // F, also of the classifier's hidden layer
  NormPlace norm = NormPlace::pre;
  bool final_norm = true;
  double norm_eps = 1e-5;
  Activation activation = Activation::gelu_erf;
  bool attention_bias = true;
  Positions positions = Positions::learned;
  double rotary_base = 10000;
  engine::RotaryPairs rotary_pairs = engine::RotaryPairs::interleaved;
  AttentionGate attention_gate = AttentionGate::none;
  Pooling pooling = Pooling::mean;
  std::int64_t padded_length = 0;
  std::int64_t head_layers = 1;
  Classifier classifier = Classifier::own;
  PairFeatures pair_features = PairFeatures::nli;
  EncoderInput input = EncoderInput::tokens;
  double pixel_mean = 0.5;
  double pixel_std = 0.5;
  double dropout = 0;
  double attention_dropout = 0;
  double embedding_dropout = -1;
  Init init = Init::torch;
  double embedding_std = 0.02;
  std::int64_t vocabulary = 0;
  bool feed_forward = true;

  void options(OptionTable& table);
  // Throws Error(config) for settings that no model can have together.
  void check() const;
};

struct TrainConfig {
  Optimizer optimizer = Optimizer::adamw;
  double lr = 1e-4;
  Schedule schedule = Schedule::onecycle;
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
  Selection selection = Selection::best_val;
  std::int64_t patience = 0;

  void options(OptionTable& table);
};

}  // namespace lra::models
