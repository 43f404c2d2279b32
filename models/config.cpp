#include "models/config.h"

#include "engine/base/error.h"

namespace lra::models {

void ModelConfig::options(OptionTable& t) {
  t.integer("layers", layers, 1, 64, "encoder layers")
      .integer("width", width, 1, 16384, "features of the residual stream")
      .integer("heads", heads, 1, 256, "attention heads")
      .integer("qkv_width", qkv_width, 1, 16384, "features of all heads together")
      .integer("ff_width", ff_width, 1, 65536, "hidden features of the feed-forward block and head")
      .choice("norm", norm, "layer norm before or after each block")
      .flag("final_norm", final_norm, "layer norm after the last layer (pre-norm)")
      .number("norm_eps", norm_eps, 0, 1, "epsilon of layer norm")
      .choice("activation", activation, "activation of the feed-forward block")
      .flag("attention_bias", attention_bias, "biases on the attention's projections")
      .choice("positions", positions,
              "position encoding; rotary: turns pairs of features of q and k; _2d: half of the "
              "features for the row of a square image, half for the column")
      .number("rotary_base", rotary_base, 1, 1e12, "base of the rotary frequencies")
      .choice("rotary_pairs", rotary_pairs,
              "features turned together: (2m, 2m + 1), or (m, m + D/2)")
      .choice("attention_gate", attention_gate,
              "sigmoid gate on the attention's output, from the block's input: one value for each "
              "head, or for each feature")
      .choice("pooling", pooling,
              "cls: a learned token in front; first: position 0; mean, max: over real positions; "
              "mean_all, max_all: over all max_length positions; mean_zeroed: sum of real ones / "
              "padded_length")
      .integer("padded_length", padded_length, 0, 1 << 20, "divisor of mean_zeroed; 0: max_length")
      .integer("head_layers", head_layers, 1, 2, "hidden layers of the classifier: ff[, ff/2]")
      .choice("classifier", classifier,
              "tied: a label per token has the token table's rows for weights, without biases")
      .choice("pair_features", pair_features, "nli: [x1, x2, x1 x2, x1 - x2]; concat: [x1, x2]")
      .choice("input", input, "token table, or projection of pixel values")
      .number("pixel_mean", pixel_mean, 0, 1, "mean subtracted from grey values in [0, 1]")
      .number("pixel_std", pixel_std, 1e-6, 10, "standard deviation that divides them")
      .number("dropout", dropout, 0, 0.99,
              "dropout rate after embedding, attention and feed-forward")
      .number("attention_dropout", attention_dropout, 0, 0.99, "dropout rate of attention weights")
      .number("embedding_dropout", embedding_dropout, -1, 0.99,
              "dropout rate after the embedding; negative: that of `dropout`")
      .choice("init", init, "initial values as of PyTorch's layers, of LRA or of GPT-2")
      .number("embedding_std", embedding_std, 0, 10,
              "standard deviation of initial token embeddings")
      .integer("vocabulary", vocabulary, 0, 1 << 20, "rows of the token table; 0: the task's")
      .flag("feed_forward", feed_forward, "false: layers of attention alone");
}

void ModelConfig::check() const {
  if (qkv_width % heads == 0) return;
  fail(ErrorKind::config, "model: qkv_width {} is not a multiple of heads {}", qkv_width, heads);
}

void TrainConfig::options(OptionTable& t) {
  t.choice("optimizer", optimizer,
           "adam, adamw: decoupled weight decay; adam_l2: decay added to the gradient")
      .number("lr", lr, 0, 100, "base learning rate")
      .choice("schedule", schedule, "schedule of the learning rate")
      .integer("warmup_steps", warmup_steps, 0, 100000000, "steps of linear warm-up")
      .number("lr_floor", lr_floor, 0, 100, "learning rate at the end of cosine_floor")
      .number("weight_decay", weight_decay, 0, 10, "weight decay; decoupled unless adam_l2")
      .number("beta1", beta1, 0, 0.99999, "decay rate of the first moment")
      .number("beta2", beta2, 0, 0.9999999, "decay rate of the second moment")
      .number("eps", eps, 0, 1, "epsilon in the denominator of the update")
      .flag("cycle_momentum", cycle_momentum, "beta1 0.95 -> 0.85 -> 0.95; onecycle alone")
      .number("clip_norm", clip_norm, 0, 1e9, "largest gradient norm; 0: none")
      .number("clip_value", clip_value, 0, 1e9, "largest gradient entry; 0: none")
      .integer("batch_size", batch_size, 1, 100000, "examples, or pairs, per step")
      .integer("steps", steps, 1, 1000000000, "optimiser steps")
      .integer("eval_every", eval_every, 1, 1000000000, "steps between evaluations")
      .integer("eval_examples", eval_examples, 0, 1000000000,
               "validation examples of an evaluation while training; 0: all")
      .choice("selection", selection, "weights whose test accuracy is reported")
      .integer("patience", patience, 0, 1000000000,
               "evaluations without a better validation after which training ends; 0: never early");
}

}  // namespace lra::models
