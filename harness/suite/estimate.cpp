#include "harness/suite/estimate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "engine/base/file.h"
#include "engine/runtime.h"
#include "harness/measure/bench.h"
#include "harness/run/record.h"
#include "harness/workers/workers.h"
#include "tasks/task.h"

namespace lra::harness {
namespace {

using nlohmann::json;

constexpr const char* kSchema = "lra-estimates/1";
// A forward pass is about a third of a training step.
constexpr double kInferenceShare = 1.0 / 3.0;
// Of the parameters in f32: themselves and the optimiser's two moments.
constexpr std::int64_t kCopies = 3;

json to_json(const Estimate& e) {
  return {{"seconds", e.seconds},
          {"fixed_bytes", e.memory.fixed_bytes},
          {"sequence_bytes", e.memory.sequence_bytes},
          {"known", e.known}};
}

// A step or two with a sequence a thread: a step runs its sequences one after the other.
BenchResult try_out(BenchOptions options, std::int64_t n, const std::atomic<bool>* stop) {
  const int threads = options.threads > 0 ? options.threads : engine::machine().cores;
  options.batch = std::min<std::int64_t>(options.batch, threads);
  options.seconds = 0.05;
  options.min_steps = 1;
  return bench_point_isolated(options, n, stop);
}

std::int64_t fixed_bytes(std::int64_t parameters, std::int64_t copies,
                         const std::string& precision) {
  return parameters * (4 * copies + (precision == "bf16" ? 2 : 0));
}

// Of a bench, in training with the gradients of each lane.
std::int64_t fixed_bytes(std::int64_t parameters, const BenchOptions& options) {
  const std::int64_t copies = options.mode == "train" ? kCopies + default_lanes(parameters) : 1;
  return fixed_bytes(parameters, copies, options.precision);
}

// In flight in the trial of a training step, for each of its sequences.
std::int64_t sequence_bytes(const BenchResult& trial, const BenchOptions& options) {
  const int threads = options.threads > 0 ? options.threads : engine::machine().cores;
  return std::max<std::int64_t>(
             0, *trial.point.peak_tensor_bytes - fixed_bytes(trial.parameters, options)) /
         std::min<std::int64_t>(options.batch, threads);
}

// How much more than `from` tokens need `n` do, as claimed.
double growth(const results::GrowthClaim& claim, std::int64_t from, std::int64_t n) {
  const double ratio = static_cast<double>(n) / static_cast<double>(from);
  const double logs =
      std::log(2.0 * static_cast<double>(n)) / std::log(2.0 * static_cast<double>(from));
  return std::pow(ratio, claim.power) * std::pow(logs, claim.logs);
}

std::string config_digest(RunSpec spec, int threads) {
  spec.seed = 0;
  return sha256_hex(spec_digest(spec) +
                    fmt::format(" {} {}", threads, environment(threads, 1).cpu));
}

}  // namespace

Estimate estimate(const RunSpec& spec, int threads, const std::atomic<bool>* stop) {
  const tasks::TaskInfo info = tasks::create_task(spec.task, spec.task_options)->info();
  const std::int64_t n = std::max<std::int64_t>(1, info.max_length);
  const std::int64_t sequences = info.head == tasks::Head::pair_class ? 2 : 1;
  BenchOptions o;
  o.attention = spec.attention;
  o.attention_options = spec.attention_options;
  o.model = spec.model;
  o.precision = spec.precision;
  o.batch = spec.train.batch_size * sequences;
  o.threads = threads;
  const BenchResult trial = try_out(o, n, stop);
  if (trial.point.status != "completed") return {};
  const auto lanes = spec.lanes > 0 ? spec.lanes : default_lanes(trial.parameters);
  const auto tokens = static_cast<double>(n * sequences);
  const auto steps = static_cast<double>(spec.train.steps);
  Estimate result;
  result.seconds = tokens / *trial.point.tokens_per_second *
                   (steps * static_cast<double>(spec.train.batch_size) +
                    kInferenceShare * evaluated_examples(spec));
  // A run also keeps its best weights so far, and both sequences of a pair are in flight together.
  result.memory = {fixed_bytes(trial.parameters, kCopies + 1 + lanes, spec.precision),
                   sequences * sequence_bytes(trial, o)};
  result.known = true;
  return result;
}

double evaluated_examples(const RunSpec& spec) {
  return static_cast<double>(spec.train.steps) / static_cast<double>(spec.train.eval_every) *
         static_cast<double>(spec.train.eval_examples);
}

Estimate estimate_bench(const BenchOptions& options, std::vector<std::int64_t> lengths,
                        const std::atomic<bool>* stop) {
  constexpr std::int64_t kLongestTrial = 2048;
  constexpr int kWarmUpSteps = 2;
  constexpr int kLeastSteps = 3;
  const attention::Traits& traits = attention::registry().at(options.attention).traits;
  std::sort(lengths.begin(), lengths.end());
  Estimate sum;
  sum.known = true;
  std::int64_t tried = 0;
  double step = 0;
  double activations = 0;  // bytes
  for (const std::int64_t n : lengths) {
    if (tried == 0 || n <= kLongestTrial) {
      const BenchResult trial = try_out(options, n, stop);
      if (trial.point.status != "completed") return {};
      tried = n;
      step = static_cast<double>(options.batch * n) / *trial.point.tokens_per_second;
      activations = static_cast<double>(std::max<std::int64_t>(
          0, *trial.point.peak_tensor_bytes - fixed_bytes(trial.parameters, options)));
    }
    const double time = step * growth(claim_of(traits.time), tried, n);
    sum.seconds += kWarmUpSteps * time + std::max(options.seconds, kLeastSteps * time);
    // Some variants have parameters for every position, or for every pair of them.
    sum.memory.fixed_bytes = std::max(
        sum.memory.fixed_bytes,
        fixed_bytes(bench_parameters(options, n), options) +
            static_cast<std::int64_t>(activations * growth(claim_of(traits.memory), tried, n)));
  }
  return sum;
}

Estimates::Estimates(std::filesystem::path file, int threads, const std::atomic<bool>* stop)
    : file_(std::move(file)), threads_(threads), stop_(stop), known_(json::object()) {
  if (!std::filesystem::exists(file_)) return;
  const json found = read_json(file_);
  if (found.is_object() && found.value("schema", "") == kSchema) known_ = found.at("estimates");
}

Estimate Estimates::of(const RunSpec& spec) {
  const std::string key = config_digest(spec, threads_);
  if (!known_.contains(key)) {
    known_[key] = to_json(estimate(spec, threads_, stop_));
    write_json(file_, {{"schema", kSchema}, {"estimates", known_}});
  }
  const json& e = known_.at(key);
  return {e.at("seconds"), {e.at("fixed_bytes"), e.at("sequence_bytes")}, e.at("known")};
}

}  // namespace lra::harness
