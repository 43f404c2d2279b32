#include "results/metrics.h"

#include <array>

namespace lra::results {
namespace {

Real real(const Count& count) { return count ? Real(static_cast<double>(*count)) : Real(); }

constexpr auto kHigher = Better::higher;
constexpr auto kLower = Better::lower;
constexpr auto kNeither = Better::neither;
constexpr double kMega = 1e-6;

const std::array kMetrics{
    Metric{"accuracy", "test", "test accuracy", "%", kHigher, false, 100, 2,
           [](const Record& r) { return r.accuracy.value.test; }},
    Metric{"val_accuracy", "val", "validation accuracy", "%", kHigher, false, 100, 2,
           [](const Record& r) { return r.accuracy.value.val; }},
    Metric{"train_accuracy", "train", "training accuracy", "%", kHigher, false, 100, 2,
           [](const Record& r) { return r.accuracy.value.train; }},
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
