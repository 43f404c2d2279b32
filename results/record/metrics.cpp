#include "results/record/metrics.h"

#include <algorithm>
#include <array>

namespace lra::results {
namespace {

Real real(const Count& count) { return count ? Real(static_cast<double>(*count)) : Real(); }

constexpr auto kHigher = Better::higher;
constexpr auto kLower = Better::lower;
constexpr auto kNeither = Better::neither;
constexpr double kMega = 1e-6;

// A literal as a template argument.
template <std::size_t N>
struct Name {
  constexpr Name(const char (&literal)[N]) { std::copy_n(literal, N, text); }  // NOLINT
  char text[N];
};

// A mean of the attention's diagnostics.
template <Name kName>
constexpr Metric diagnosis(std::string_view alias, std::string_view title, std::string_view unit,
                           double scale, int decimals, std::string_view meaning) {
  return {kName.text,
          alias,
          title,
          unit,
          kNeither,
          Timed::no,
          scale,
          decimals,
          meaning,
          [](const Record& r) {
            const auto found = r.diagnosis.find(kName.text);
            return found == r.diagnosis.end() ? Real() : Real(found->second);
          }};
}

const std::array kMetrics{
    Metric{"accuracy", "test", "test accuracy", "%", kHigher, Timed::no, 100, 2,
           "share of test examples (of labels, for token-level tasks) answered right by the "
           "selected weights",
           [](const Record& r) { return r.accuracy.value.test; }},
    Metric{"val_accuracy", "val", "validation accuracy", "%", kHigher, Timed::no, 100, 2,
           "the same on the validation split, by which the weights are selected",
           [](const Record& r) { return r.accuracy.value.val; }},
    Metric{"train_accuracy", "train", "training accuracy", "%", kHigher, Timed::no, 100, 2,
           "the same on training examples", [](const Record& r) { return r.accuracy.value.train; }},
    Metric{
        "reach", "", "longest sequences at 90 %", "tokens", kHigher, Timed::no, 1, 0,
        "longest tested sequences on which at least 90 % are right (lra evaluate --lengths --save)",
        [](const Record& r) { return real(r.lengths.reach); }},
    Metric{"length_area", "lengths", "mean accuracy over log2 length", "%", kHigher, Timed::no, 100,
           1, "accuracy averaged over log2 of the tested lengths (lra evaluate --lengths --save)",
           [](const Record& r) { return r.lengths.area; }},
    Metric{"test_loss", "loss", "test loss", "nats", kLower, Timed::no, 1, 4,
           "mean cross-entropy of a test label", [](const Record& r) { return r.loss.test; }},
    Metric{"best_step", "", "selected step", "", kNeither, Timed::no, 1, 0,
           "training step whose weights were selected",
           [](const Record& r) { return real(r.accuracy.best_step); }},
    Metric{"training_tokens", "budget", "training tokens", "M", kNeither, Timed::no, kMega, -1,
           "tokens seen in training, repetitions counted and padding not",
           [](const Record& r) { return real(r.training.tokens); }},
    Metric{"search_trials", "trials", "trials of the search", "", kNeither, Timed::no, 1, 0,
           "trials of the search (lra tune) that chose the settings; none: no search",
           [](const Record& r) {
             return r.search ? Real(static_cast<double>(r.search->trials.size())) : Real();
           }},
    Metric{"search_tokens", "", "tokens of the search", "M", kNeither, Timed::no, kMega, -1,
           "tokens that all trials of the search, and others in its folder, were trained on",
           [](const Record& r) {
             if (!r.search) return Real();
             return Real(static_cast<double>(r.search->tokens + r.search->further.tokens));
           }},
    Metric{"parameters", "params", "parameters", "", kNeither, Timed::no, 1, 0,
           "trained numbers of the model", [](const Record& r) { return real(r.parameters); }},
    Metric{"train_flops_per_token", "flops", "training FLOPs/token", "M", kLower, Timed::no, kMega,
           -1, "floating-point operations of products, forward and backward, per token",
           [](const Record& r) { return r.cost.train_flops_per_token; }},
    Metric{"infer_flops_per_token", "", "inference FLOPs/token", "M", kLower, Timed::no, kMega, -1,
           "floating-point operations of products, forward, per token",
           [](const Record& r) { return r.cost.infer_flops_per_token; }},
    Metric{"train_steps_per_second", "speed", "training steps/s", "", kHigher, Timed::measurement,
           1, -1, "optimiser steps per second of training time",
           [](const Record& r) { return r.speed.train_steps_per_second; }},
    Metric{"train_examples_per_second", "examples", "training examples/s", "", kHigher,
           Timed::measurement, 1, -1, "training examples per second",
           [](const Record& r) { return r.speed.train_examples_per_second; }},
    Metric{"train_tokens_per_second", "tokens", "training tokens/s", "", kHigher,
           Timed::measurement, 1, -1, "training tokens per second, padding not counted",
           [](const Record& r) { return r.speed.train_tokens_per_second; }},
    Metric{"infer_examples_per_second", "infer", "inference examples/s", "", kHigher,
           Timed::measurement, 1, -1, "test examples per second of the evaluation",
           [](const Record& r) { return r.speed.infer_examples_per_second; }},
    Metric{"infer_tokens_per_second", "", "inference tokens/s", "", kHigher, Timed::measurement, 1,
           -1, "test tokens per second of the evaluation, padding not counted",
           [](const Record& r) { return r.speed.infer_tokens_per_second; }},
    Metric{"train_step_ms", "", "median step", "ms", kLower, Timed::measurement, 1, -1,
           "median time of an optimiser step",
           [](const Record& r) {
             return r.speed.train_step_ms ? Real(r.speed.train_step_ms->median) : Real();
           }},
    Metric{"peak_tensor_bytes", "memory", "peak tensors", "MB", kLower, Timed::measurement, kMega,
           1, "largest sum of bytes of all live tensors during training",
           [](const Record& r) { return real(r.memory.peak_tensor_bytes); }},
    Metric{"peak_rss_bytes", "rss", "peak resident", "MB", kLower, Timed::measurement, kMega, 1,
           "largest resident memory of the process; only of a run that had its process alone",
           [](const Record& r) { return real(r.memory.peak_rss_bytes); }},
    Metric{"seconds", "time", "training time", "s", kLower, Timed::training, 1, -1,
           "time spent in training steps", [](const Record& r) { return r.time.seconds; }},
    Metric{"energy_joules", "energy", "training energy", "J", kLower, Timed::training, 1, -1,
           "energy of training where the machine has a counter",
           [](const Record& r) { return r.cost.energy_joules; }},
    diagnosis<Name{"entropy_norm"}>(
        "entropy", "row entropy / ln n", "", 1, 3,
        "entropy of an attention row over that of a uniform row: 0 one key, 1 all keys alike"),
    diagnosis<Name{"n_eff"}>("", "effective support", "tokens", 1, -1,
                             "exp(entropy) of a row: as many equal weights have the same entropy"),
    diagnosis<Name{"n_eff_ratio"}>("support", "effective support / n", "%", 100, 1,
                                   "the same over the sequence length"),
    diagnosis<Name{"participation"}>("", "participation", "tokens", 1, -1,
                                     "1 / sum of squared weights of a row"),
    diagnosis<Name{"max_weight"}>("", "largest weight", "", 1, -1, "largest weight of a row"),
    diagnosis<Name{"top8_mass"}>("", "8 largest weights", "%", 100, 1,
                                 "sum of the 8 largest weights of a row"),
    diagnosis<Name{"top64_mass"}>("", "64 largest weights", "%", 100, 1,
                                  "sum of the 64 largest weights of a row"),
    diagnosis<Name{"local_mass_10"}>("", "weight within ±5 % of n", "%", 100, 1,
                                     "weight on keys within 5 % of the length to each side"),
    diagnosis<Name{"local_gain_10"}>("local", "the same over uniform", "", 1, 2,
                                     "the same over what a uniform row has there; 1: no locality"),
    diagnosis<Name{"mean_distance"}>("", "mean distance / n", "", 1, 3,
                                     "the attention span over the sequence length"),
    diagnosis<Name{"attention_span"}>(
        "span", "required attention span", "tokens", 1, -1,
        "mean distance between query and key under the weights (LRA's required attention span)"),
    diagnosis<Name{"neg_mass"}>("negative", "negative mass", "%", 100, 1,
                                "absolute sum of the negative weights over that of all weights"),
    diagnosis<Name{"frobenius"}>("", "Frobenius norm", "", 1, -1,
                                 "root of the sum of squared weights of the matrix"),
    diagnosis<Name{"fro_over_sqrt_n"}>("norm", "Frobenius norm / √n", "", 1, -1,
                                       "the same over the root of the length: 1 for a permutation"),
    diagnosis<Name{"stable_rank"}>("", "stable rank", "", 1, -1,
                                   "squared Frobenius norm over the squared spectral norm"),
    diagnosis<Name{"dead_rows"}>(
        "dead", "dead rows", "%", 100, 1,
        "share of rows without any weight, or whose denominator was clamped"),
    diagnosis<Name{"zero_feature_rate"}>(
        "zeros", "zero features", "%", 100, 1,
        "share of exact zeros among the features of queries and keys"),
    diagnosis<Name{"grad_max"}>(
        "gradient", "largest gradient", "", 1, -1,
        "largest gradient of a random-sign sum of the outputs with respect to queries and keys"),
    diagnosis<Name{"softmax_distance"}>(
        "", "distance from softmax", "", 1, 3,
        "total variation from softmax's row of the same queries and keys"),
};

}  // namespace

std::span<const Metric> metrics() { return kMetrics; }

std::optional<Timing> timing_of(const Metric& metric, const Record& record) {
  if (metric.timed == Timed::no) return std::nullopt;
  if (metric.timed == Timed::training && record.time.measured) return record.time.measured;
  return record.speed.measured;
}

const Metric* find_metric(std::string_view name) {
  for (const auto& metric : kMetrics) {
    if (metric.name == name || (!metric.alias.empty() && metric.alias == name)) return &metric;
  }
  return nullptr;
}

}  // namespace lra::results
