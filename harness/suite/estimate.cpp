#include "harness/suite/estimate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <system_error>
#include <utility>

#include "engine/base/fields.h"
#include "engine/base/file.h"
#include "engine/runtime.h"
#include "harness/measure/bench.h"
#include "harness/run/environment.h"
#include "harness/suite/lengths.h"
#include "harness/workers/workers.h"
#include "tasks/task.h"

namespace lra::harness {
namespace {

using nlohmann::json;

constexpr const char* kSchema = "lra-estimates/3";
// A forward pass is about a third of a training step.
constexpr double kInferenceShare = 1.0 / 3.0;
// Copies of the parameters kept in f32: the master and Adam's two moments.
constexpr std::int64_t kCopies = 3;
// Ratio of the mean to the longest length below which both lengths are tried.
constexpr double kMuchShorter = 0.9;

// The known estimates in a file. Throws json::exception for malformed entries.
std::map<std::string, Estimate> known_of(const json& entries) {
  std::map<std::string, Estimate> known;
  for (const auto& [key, entry] : entries.items()) {
    Estimate estimate = estimate_from_json(entry);
    if (estimate.known) known[key] = std::move(estimate);
  }
  return known;
}

// One or two steps with one sequence per thread: a thread runs its sequences one after the other.
BenchResult try_out(BenchOptions options, std::int64_t n, const std::atomic<bool>* stop) {
  const int threads = options.threads > 0 ? options.threads : engine::machine().cores;
  options.lanes = lanes_of(options, n);
  options.batch = std::min<std::int64_t>(options.batch, threads);
  options.seconds = 0.05;
  options.min_steps = 1;
  return bench_point_isolated(options, n, stop);
}

std::int64_t fixed_bytes(std::int64_t parameters, std::int64_t copies, Precision precision) {
  return parameters * (4 * copies + (precision == Precision::bf16 ? 2 : 0));
}

// Fixed bytes of a bench; training adds the gradients of each lane.
std::int64_t fixed_bytes(std::int64_t parameters, const BenchOptions& options, std::int64_t n) {
  const std::int64_t copies = options.mode == results::BenchMode::train
                                  ? kCopies + lane_count(lanes_of(options, n), parameters)
                                  : 1;
  return fixed_bytes(parameters, copies, options.precision);
}

Estimate unknown(const BenchResult& trial) {
  Estimate result;
  result.failure = trial.point.status == results::PointStatus::out_of_memory
                       ? "memory: a trial step ran out of memory"
                       : "estimate: the process of the trial step was killed; try again";
  return result;
}

// Bytes in flight per sequence of a trial training step.
std::int64_t sequence_bytes(const BenchResult& trial, const BenchOptions& options) {
  const int threads = options.threads > 0 ? options.threads : engine::machine().cores;
  return std::max<std::int64_t>(0, *trial.point.peak_tensor_bytes -
                                       fixed_bytes(trial.parameters, options, trial.point.n)) /
         std::min<std::int64_t>(options.batch, threads);
}

// Claimed cost of `n` tokens relative to `from` tokens.
double growth(const results::GrowthClaim& claim, std::int64_t from, std::int64_t n) {
  const double ratio = static_cast<double>(n) / static_cast<double>(from);
  const double logs =
      std::log(2.0 * static_cast<double>(n)) / std::log(2.0 * static_cast<double>(from));
  return std::pow(ratio, claim.power) * std::pow(logs, claim.logs);
}

// Seconds per sequence as a function of its length, through two measured points: a n + b n^2, or c
// + a n if a short sequence costs more than its share.
class TimeCurve {
 public:
  TimeCurve(double n1, double seconds1, double n2, double seconds2) {
    if (n1 == n2) {
      linear_ = seconds1 / n1;
      return;
    }
    square_ = (seconds2 / n2 - seconds1 / n1) / (n2 - n1);
    if (square_ >= 0) {
      linear_ = std::max(0.0, seconds1 / n1 - square_ * n1);
    } else {
      square_ = 0;
      linear_ = std::max(0.0, (seconds2 - seconds1) / (n2 - n1));
      constant_ = seconds1 - linear_ * n1;
    }
  }
  [[nodiscard]] double at(double n) const { return constant_ + n * (linear_ + n * square_); }

 private:
  double constant_ = 0, linear_ = 0, square_ = 0;
};

}  // namespace

template <class V>
void describe(V& v, Estimate& estimate) {
  v("seconds", estimate.seconds);
  v("fixed_bytes", estimate.memory.fixed_bytes);
  v("sequence_bytes", estimate.memory.sequence_bytes);
  v("known", estimate.known);
}

std::string refusal(const Estimate& estimate, int threads, std::int64_t memory_bytes) {
  if (!estimate.known) return estimate.failure;
  const std::int64_t needed = bytes_of({estimate.memory}, threads);
  if (needed <= memory_bytes) return "";
  return fmt::format("memory: the run needs {} MB, the limit is {} MB; raise --memory",
                     needed_megabytes(needed), allowed_megabytes(memory_bytes));
}

json to_json(const Estimate& estimate) { return to_fields(estimate); }

Estimate estimate_from_json(const json& j) {
  Estimate estimate;
  from_fields(j, estimate);
  return estimate;
}

std::string cost_key(RunSpec spec, int threads) {
  spec.seed = 0;
  return sha256_hex(spec_digest(spec) +
                    fmt::format(" {} {}", threads, environment(threads, 1).cpu));
}

Estimate Estimator::of(const RunSpec& spec, const ExampleCounts& counts) {
  const tasks::TaskInfo info = tasks::create_task(spec.task, spec.task_options)->info();
  const std::int64_t n = std::max<std::int64_t>(1, info.max_length);
  const std::int64_t sequences = info.head == Head::pair_class ? 2 : 1;
  BenchOptions o = bench_options(spec);
  o.batch = spec.train.batch_size * sequences;
  o.lanes = lanes_of(spec);
  o.threads = threads_;
  const BenchResult trial = try_out(o, n, stop_);
  if (trial.point.status != results::PointStatus::completed) return unknown(trial);
  const auto seconds_at = [](const BenchResult& result) {  // of a sequence
    return static_cast<double>(result.point.n) / *result.point.tokens_per_second;
  };
  const std::string task =
      fmt::format("{} {} {} {} {}", spec.task, spec.task_options.dump(),
                  name_of(spec.model.pooling), spec.data.string(), spec.data_seed);
  if (lengths_.count(task) == 0) lengths_[task] = sampled_lengths(spec, data_, stop_);
  std::vector<std::int64_t> lengths = lengths_[task];
  if (lengths.empty()) lengths.assign(1, n);
  const std::int64_t mean =
      std::max<std::int64_t>(1, std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0}) /
                                    static_cast<std::int64_t>(lengths.size()));
  const bool shorter = static_cast<double>(mean) < kMuchShorter * static_cast<double>(n);
  // A sequence of mean length is not a square image.
  auto& positions = o.model.positions;
  if (positions == models::Positions::sinusoidal_2d) positions = models::Positions::sinusoidal;
  if (positions == models::Positions::rotary_2d) positions = models::Positions::rotary;
  const BenchResult middle = shorter ? try_out(o, mean, stop_) : trial;
  if (middle.point.status != results::PointStatus::completed) return unknown(middle);
  const TimeCurve curve(static_cast<double>(middle.point.n), seconds_at(middle),
                        static_cast<double>(n), seconds_at(trial));
  double example = 0;  // seconds
  for (const std::int64_t length : lengths) example += curve.at(static_cast<double>(length));
  example *= static_cast<double>(sequences) / static_cast<double>(lengths.size());
  const auto steps = static_cast<double>(spec.train.steps);
  Estimate result;
  result.seconds = example * (steps * static_cast<double>(spec.train.batch_size) +
                              kInferenceShare * evaluated_examples(spec, counts));
  // A run also keeps its best weights, and both sequences of a pair are in flight together.
  result.memory = {fixed_bytes(trial.parameters, kCopies + 1 + trial.lanes, spec.precision),
                   sequences * sequence_bytes(trial, o)};
  result.known = true;
  return result;
}

double evaluated_examples(const RunSpec& spec, const ExampleCounts& counts) {
  const auto official = tasks::create_task(spec.task, spec.task_options)->info().source.counts;
  ExampleCounts examples = counts;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    if (examples[i] < 0) examples[i] = official[i];
  }
  const auto [train, val, test] = examples;
  const std::int64_t each =
      spec.train.eval_examples > 0 ? std::min(spec.train.eval_examples, val) : val;
  const std::int64_t times = (spec.train.steps + spec.train.eval_every - 1) / spec.train.eval_every;
  const std::int64_t end = spec.validation_only ? val : std::min(train, test) + val + test;
  return static_cast<double>(times * each + end);
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
      if (trial.point.status != results::PointStatus::completed) return unknown(trial);
      tried = n;
      step = static_cast<double>(options.batch * n) / *trial.point.tokens_per_second;
      activations = static_cast<double>(std::max<std::int64_t>(
          0,
          *trial.point.peak_tensor_bytes - fixed_bytes(trial.parameters, options, trial.point.n)));
    }
    const double time = step * growth(claim_of(traits.time), tried, n);
    sum.seconds += kWarmUpSteps * time + std::max(options.seconds, kLeastSteps * time);
    // Some variants have parameters for every position, or for every pair of them.
    sum.memory.fixed_bytes = std::max(
        sum.memory.fixed_bytes,
        fixed_bytes(bench_parameters(options, n), options, n) +
            static_cast<std::int64_t>(activations * growth(claim_of(traits.memory), tried, n)));
  }
  return sum;
}

Estimates::Estimates(std::filesystem::path file, int threads, std::filesystem::path data,
                     const std::atomic<bool>* stop)
    : file_(std::move(file)), threads_(threads), estimator_(threads, std::move(data), stop) {
  std::error_code code;
  if (!std::filesystem::exists(file_, code)) return;
  try {
    const json found = read_json(file_);
    if (found.at("schema") == kSchema) known_ = known_of(found.at("estimates"));
  } catch (const json::exception&) {  // malformed: estimated again
  } catch (const Error&) {
  }
}

Estimate Estimates::of(const RunSpec& spec, const ExampleCounts& counts) {
  const std::string key = cost_key(spec, threads_);
  const auto found = known_.find(key);
  if (found != known_.end()) return found->second;
  Estimate made = estimator_.of(spec, counts);
  if (made.known) {
    known_[key] = made;
    json estimates = json::object();
    for (const auto& [name, estimate] : known_) estimates[name] = to_json(estimate);
    write_json(file_, {{"schema", kSchema}, {"estimates", std::move(estimates)}});
  }
  return made;
}

}  // namespace lra::harness
