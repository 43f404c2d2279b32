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
                           double scale, int decimals) {
  return {kName.text, alias, title, unit, kNeither, false, scale, decimals, [](const Record& r) {
            const auto found = r.diagnosis.find(kName.text);
            return found == r.diagnosis.end() ? Real() : Real(found->second);
          }};
}

const std::array kMetrics{
    Metric{"accuracy", "test", "test accuracy", "%", kHigher, false, 100, 2,
           [](const Record& r) { return r.accuracy.value.test; }},
    Metric{"val_accuracy", "val", "validation accuracy", "%", kHigher, false, 100, 2,
           [](const Record& r) { return r.accuracy.value.val; }},
    Metric{"train_accuracy", "train", "training accuracy", "%", kHigher, false, 100, 2,
           [](const Record& r) { return r.accuracy.value.train; }},
    Metric{"reach", "", "longest sequences at 90 %", "tokens", kHigher, false, 1, 0,
           [](const Record& r) { return real(r.lengths.reach); }},
    Metric{"length_area", "lengths", "mean accuracy over log2 length", "%", kHigher, false, 100, 1,
           [](const Record& r) { return r.lengths.area; }},
    Metric{"test_loss", "loss", "test loss", "nats", kLower, false, 1, 4,
           [](const Record& r) { return r.loss.test; }},
    Metric{"best_step", "", "selected step", "", kNeither, false, 1, 0,
           [](const Record& r) { return real(r.accuracy.best_step); }},
    Metric{"parameters", "params", "parameters", "", kNeither, false, 1, 0,
           [](const Record& r) { return real(r.parameters); }},
    Metric{"train_flops_per_token", "flops", "training FLOPs/token", "M", kLower, false, kMega, -1,
           [](const Record& r) { return r.cost.train_flops_per_token; }},
    Metric{"infer_flops_per_token", "", "inference FLOPs/token", "M", kLower, false, kMega, -1,
           [](const Record& r) { return r.cost.infer_flops_per_token; }},
    Metric{"train_steps_per_second", "speed", "training steps/s", "", kHigher, true, 1, -1,
           [](const Record& r) { return r.speed.train_steps_per_second; }},
    Metric{"train_examples_per_second", "examples", "training examples/s", "", kHigher, true, 1, -1,
           [](const Record& r) { return r.speed.train_examples_per_second; }},
    Metric{"train_tokens_per_second", "tokens", "training tokens/s", "", kHigher, true, 1, -1,
           [](const Record& r) { return r.speed.train_tokens_per_second; }},
    Metric{"infer_examples_per_second", "infer", "inference examples/s", "", kHigher, true, 1, -1,
           [](const Record& r) { return r.speed.infer_examples_per_second; }},
    Metric{"infer_tokens_per_second", "", "inference tokens/s", "", kHigher, true, 1, -1,
           [](const Record& r) { return r.speed.infer_tokens_per_second; }},
    Metric{"train_step_ms", "", "median step", "ms", kLower, true, 1, -1,
           [](const Record& r) {
             return r.speed.train_step_ms ? Real(r.speed.train_step_ms->median) : Real();
           }},
    Metric{"peak_tensor_bytes", "memory", "peak tensors", "MB", kLower, true, kMega, 1,
           [](const Record& r) { return real(r.memory.peak_tensor_bytes); }},
    Metric{"peak_rss_bytes", "rss", "peak resident", "MB", kLower, true, kMega, 1,
           [](const Record& r) { return real(r.memory.peak_rss_bytes); }},
    Metric{"seconds", "time", "training time", "s", kLower, true, 1, -1,
           [](const Record& r) { return r.time.seconds; }},
    Metric{"energy_joules", "energy", "training energy", "J", kLower, true, 1, -1,
           [](const Record& r) { return r.cost.energy_joules; }},
    diagnosis<Name{"entropy_norm"}>("entropy", "row entropy / ln n", "", 1, 3),
    diagnosis<Name{"n_eff"}>("", "effective support", "tokens", 1, -1),
    diagnosis<Name{"n_eff_ratio"}>("support", "effective support / n", "%", 100, 1),
    diagnosis<Name{"participation"}>("", "participation", "tokens", 1, -1),
    diagnosis<Name{"max_weight"}>("", "largest weight", "", 1, -1),
    diagnosis<Name{"top8_mass"}>("", "8 largest weights", "%", 100, 1),
    diagnosis<Name{"top64_mass"}>("", "64 largest weights", "%", 100, 1),
    diagnosis<Name{"local_mass_10"}>("", "weight within ±5 % of n", "%", 100, 1),
    diagnosis<Name{"local_gain_10"}>("local", "the same over uniform", "", 1, 2),
    diagnosis<Name{"mean_distance"}>("", "mean distance / n", "", 1, 3),
    diagnosis<Name{"attention_span"}>("span", "required attention span", "tokens", 1, -1),
    diagnosis<Name{"neg_mass"}>("negative", "negative mass", "%", 100, 1),
    diagnosis<Name{"frobenius"}>("", "Frobenius norm", "", 1, -1),
    diagnosis<Name{"fro_over_sqrt_n"}>("norm", "Frobenius norm / √n", "", 1, -1),
    diagnosis<Name{"stable_rank"}>("", "stable rank", "", 1, -1),
    diagnosis<Name{"dead_rows"}>("dead", "dead rows", "%", 100, 1),
    diagnosis<Name{"zero_feature_rate"}>("zeros", "zero features", "%", 100, 1),
    diagnosis<Name{"grad_max"}>("gradient", "largest gradient", "", 1, -1),
    diagnosis<Name{"softmax_distance"}>("", "distance from softmax", "", 1, 3),
};

}  // namespace

std::span<const Metric> metrics() { return kMetrics; }

const Metric* find_metric(std::string_view name) {
  for (const auto& metric : kMetrics) {
    if (metric.name == name || (!metric.alias.empty() && metric.alias == name)) return &metric;
  }
  return nullptr;
}

}  // namespace lra::results
