#include "harness/measure/bench_steps.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <span>
#include <utility>

#include "engine/compute/profile.h"
#include "engine/runtime.h"
#include "harness/measure/limit.h"
#include "results/analysis/statistics.h"

namespace lra::harness {
namespace {

using engine::Tensor;
using Clock = std::chrono::steady_clock;

results::StepQuantiles quantiles(std::vector<double> times) {
  const auto at = [&times](double q) { return 1e3 * results::quantile(times, q); };
  return {at(0.5), at(0.1), at(0.25), at(0.75), at(0.9), static_cast<std::int64_t>(times.size())};
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

std::vector<std::int64_t> lengths_of(const BenchOptions& options, std::int64_t n) {
  std::vector<std::int64_t> lengths(static_cast<std::size_t>(options.batch), n);
  for (std::size_t i = 0; i < lengths.size() && !options.lengths.empty(); ++i) {
    lengths[i] = options.lengths[i % options.lengths.size()];
  }
  return lengths;
}

models::Model model_of(const BenchOptions& options, std::int64_t n) {
  return {options.model,
          {Head::pooled_class, kClasses, kVocabulary, n},
          options.attention,
          options.attention_options};
}

RandomBatch::RandomBatch(const std::vector<std::int64_t>& lengths) {
  RandomStream random(RandomKey(0).of("bench"));
  tokens_.resize(
      static_cast<std::size_t>(std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0})));
  for (auto& token : tokens_) token = static_cast<tasks::Token>(1 + random.below(kVocabulary - 1));
  std::size_t begin = 0;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const auto n = static_cast<std::size_t>(lengths[i]);
    tasks::Example example;
    example.tokens = {tokens_.data() + begin, n};
    example.label = static_cast<std::int32_t>(random.below(kClasses));
    examples.push_back(example);
    ids.push_back(i);
    indices.push_back(i);
    begin += n;
  }
}

Bench::Bench(const BenchOptions& options, std::int64_t n)
    : options_(options),
      workers_(options.threads),
      batch_(lengths_of(options, n)),
      model_(model_of(options, n)) {
  workers_.execute([this, n] { prepare(n); });
}

double Bench::step(std::int64_t* flops) {
  const auto start = Clock::now();
  if (options_.mode == results::BenchMode::train) {
    BatchResult result = workers_.train(model_, batch_.examples, batch_.ids, steps_, 0, lanes_);
    *flops = result.flops;
    const auto computed = Clock::now();
    workers_.execute([&] {
      models::update(model_.parameters(), lanes_, optimizer_, models::TrainConfig{}, steps_);
    });
    parts_.push_back(
        {std::move(result.lane_seconds), seconds_since(computed), seconds_since(start)});
  } else {
    *flops = workers_.predict_flops(model_, batch_, batch_.indices);
  }
  ++steps_;
  return seconds_since(start);
}

std::int64_t Bench::traffic() const {
  const auto lanes = static_cast<std::int64_t>(lanes_.size());
  const std::int64_t parameters = model_.parameter_count();
  const std::int64_t fixed = 4 * parameters * (lanes_.empty() ? 1 : 3 + lanes);
  const std::int64_t sequence = (workers_.meter()->peak_bytes() - fixed) / workers_.threads();
  return step_traffic(options_.mode == results::BenchMode::train, parameters, lanes, options_.batch,
                      sequence);
}

std::vector<results::CoresPoint> Bench::on_cores(std::size_t count) const {
  const std::span<const StepParts> steps(parts_);
  std::vector<results::CoresPoint> points;
  for (const int cores : options_.cores) {
    std::vector<double> seconds;
    for (const StepParts& parts : steps.last(count)) {
      seconds.push_back(seconds_on(parts, workers_.threads(), cores));
    }
    points.push_back({cores, 1e3 * results::quantile(seconds, 0.5)});
  }
  return points;
}

void Bench::finish(const std::vector<double>& times, std::int64_t flops,
                   BenchResult& result) const {
  result.parameters = model_.parameter_count();
  result.lanes = static_cast<std::int64_t>(lanes_.size());
  auto& p = result.point;
  p.step_ms = quantiles(times);
  p.steps_per_second = 1e3 / p.step_ms->median;
  const auto tokens = static_cast<double>(batch_.token_count());
  p.tokens_per_second = tokens * *p.steps_per_second;
  p.flops_per_token = static_cast<double>(flops) / tokens;
  p.peak_tensor_bytes = workers_.meter()->peak_bytes();
  p.peak_rss_bytes = static_cast<std::int64_t>(engine::peak_rss_bytes());
  if (options_.mode == results::BenchMode::train) p.on_cores = on_cores(times.size());
}

void Bench::prepare(std::int64_t n) {
  model_.initialise(0, engine::dtype_of(options_.precision));
  if (options_.mode != results::BenchMode::train) return;
  optimizer_ = models::make_optimizer_state(model_.parameters());
  const auto count = lane_count(lanes_of(options_, n), model_.parameter_count());
  for (std::int64_t i = 0; i < count; ++i) {
    lanes_.push_back(Tensor::zeros({model_.parameters().flat_size()}));
  }
}

double matmul_share(Bench& bench) {
  engine::profile::reset();
  engine::profile::enable(true);
  std::int64_t flops = 0;
  const double seconds = bench.step(&flops);
  engine::profile::enable(false);
  double products = 0;
  for (const auto& e : engine::profile::entries()) {
    if (e.operation == "matmul") products += e.seconds;
  }
  return std::min(1.0, products / (seconds * bench.workers().threads()));
}

Products products_of(Bench& bench) {
  std::int64_t flops = 0;
  engine::primitives::count_products(true);
  bench.step(&flops);
  engine::primitives::count_products(false);
  return engine::primitives::counted_products();
}

double limit_ms(Bench& bench, const Products& products) {
  const std::int64_t bytes = bench.traffic();
  const MachineRates rates = measure_rates(bench.workers(), products);
  return 1e3 * step_limit(products, bytes, rates).seconds();
}

}  // namespace lra::harness
