#include "harness/measure/bench.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <numeric>
#include <span>

#include "attention/attention.h"
#include "engine/base/error.h"
#include "engine/base/fields.h"
#include "engine/runtime.h"
#include "harness/measure/child.h"
#include "harness/measure/cores.h"
#include "harness/measure/limit.h"
#include "harness/measure/side_by_side.h"
#include "harness/run/environment.h"
#include "harness/run/record.h"
#include "harness/workers/workers.h"
#include "models/optimizer.h"
#include "models/presets.h"
#include "results/analysis/statistics.h"

namespace lra::harness {

// What a child process tells.
template <class V>
void describe(V& v, BenchResult& result) {
  v.converted(
      "point", [&] { return results::to_json(result.point); },
      [&](const nlohmann::json& point, const std::string&) {
        result.point = results::bench_point_from_json(point);
      });
  v("parameters", result.parameters);
  v("lanes", result.lanes);
  v("profile", result.profile);
  v("profiled_seconds", result.profiled_seconds);
}

namespace {

using engine::Tensor;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr int kRounds = 3;

constexpr std::int64_t kVocabulary = 256;
constexpr std::int64_t kClasses = 10;

// Lengths of the batch's sequences.
std::vector<std::int64_t> lengths_of(const BenchOptions& options, std::int64_t n) {
  std::vector<std::int64_t> lengths(static_cast<std::size_t>(options.batch), n);
  for (std::size_t i = 0; i < lengths.size() && !options.lengths.empty(); ++i) {
    lengths[i] = options.lengths[i % options.lengths.size()];
  }
  return lengths;
}

double mean_of(const std::vector<std::int64_t>& lengths) {
  return static_cast<double>(std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0})) /
         static_cast<double>(lengths.size());
}

// Sequences of random ids.
class RandomBatch final : public tasks::Dataset {
 public:
  explicit RandomBatch(const std::vector<std::int64_t>& lengths) {
    RandomStream random(RandomKey(0).of("bench"));
    tokens_.resize(
        static_cast<std::size_t>(std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0})));
    for (auto& token : tokens_)
      token = static_cast<tasks::Token>(1 + random.below(kVocabulary - 1));
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
  [[nodiscard]] std::size_t size() const override { return examples.size(); }
  [[nodiscard]] tasks::Example operator[](std::size_t i) const override { return examples[i]; }

  [[nodiscard]] std::size_t token_count() const { return tokens_.size(); }

  std::vector<tasks::Example> examples;
  std::vector<std::uint64_t> ids;
  std::vector<std::size_t> indices;

 private:
  std::vector<tasks::Token> tokens_;
};

results::StepQuantiles quantiles(std::vector<double> times) {
  const auto at = [&times](double q) { return 1e3 * results::quantile(times, q); };
  return {at(0.5), at(0.1), at(0.25), at(0.75), at(0.9), static_cast<std::int64_t>(times.size())};
}

BenchResult result_of(const json& answer) {
  BenchResult result;
  from_fields(answer, result);
  return result;
}

models::Model model_of(const BenchOptions& options, std::int64_t n) {
  return {options.model,
          {Head::pooled_class, kClasses, kVocabulary, n},
          options.attention,
          options.attention_options};
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The steps of one bench.
class Bench {
 public:
  Bench(const BenchOptions& options, std::int64_t n)
      : options_(options),
        workers_(options.threads),
        batch_(lengths_of(options, n)),
        model_(model_of(options, n)) {
    workers_.execute([this, n] { prepare(n); });
  }

  // Seconds of one step; adds its operations to `flops`.
  double step(std::int64_t* flops) {
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

  [[nodiscard]] Workers& workers() { return workers_; }

  // Bytes that a step moves at least, once one was done.
  [[nodiscard]] std::int64_t traffic() const {
    const auto lanes = static_cast<std::int64_t>(lanes_.size());
    const std::int64_t parameters = model_.parameter_count();
    const std::int64_t fixed = 4 * parameters * (lanes_.empty() ? 1 : 3 + lanes);
    const std::int64_t sequence = (workers_.meter()->peak_bytes() - fixed) / workers_.threads();
    return step_traffic(options_.mode == results::BenchMode::train, parameters, lanes,
                        options_.batch, sequence);
  }

  // The last `count` steps of training on each of so many cores.
  [[nodiscard]] std::vector<results::CoresPoint> on_cores(std::size_t count) const {
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

  // What steps of these seconds, with so many operations each, say.
  void finish(const std::vector<double>& times, std::int64_t flops, BenchResult& result) const {
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

 private:
  void prepare(std::int64_t n) {
    model_.initialise(0, engine::dtype_of(options_.precision));
    if (options_.mode != results::BenchMode::train) return;
    optimizer_ = models::make_optimizer_state(model_.parameters());
    const auto count = lane_count(lanes_of(options_, n), model_.parameter_count());
    for (std::int64_t i = 0; i < count; ++i) {
      lanes_.push_back(Tensor::zeros({model_.parameters().flat_size()}));
    }
  }

  const BenchOptions& options_;
  Workers workers_;
  RandomBatch batch_;
  models::Model model_;
  models::OptimizerState optimizer_;
  std::vector<Tensor> lanes_;
  std::vector<StepParts> parts_;  // of training
  std::int64_t steps_ = 0;
};

using Products = std::vector<engine::primitives::ProductCount>;

// Of the workers' time in a step (of the warm-up), how much is spent in matrix products.
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

// The products of a step.
Products products_of(Bench& bench) {
  std::int64_t flops = 0;
  engine::primitives::count_products(true);
  bench.step(&flops);
  engine::primitives::count_products(false);
  return engine::primitives::counted_products();
}

// Last of all: its arrays would count as memory of the steps.
double limit_ms(Bench& bench, const Products& products) {
  const std::int64_t bytes = bench.traffic();
  const MachineRates rates = measure_rates(bench.workers(), products);
  return 1e3 * step_limit(products, bytes, rates).seconds();
}

class BenchRehearsal final : public Rehearsal {
 public:
  BenchRehearsal(const BenchOptions& options, std::int64_t n)
      : options_(options), n_(n), bench_(options_, n) {
    bench_.step(&flops_);  // compiles the primitives
    matmul_share_ = matmul_share(bench_);
    if (options_.limit) products_ = products_of(bench_);
  }
  void round() override {
    double total = 0;
    do {
      times_.push_back(bench_.step(&flops_));
      total += times_.back();
    } while (total < options_.seconds / kRounds);
  }
  [[nodiscard]] json result() override {
    BenchResult result;
    result.point.n = n_;
    result.point.matmul_share = matmul_share_;
    bench_.finish(times_, flops_, result);
    if (options_.limit) add_limit(result.point);
    return to_fields(result);
  }

 private:
  const BenchOptions options_;
  const std::int64_t n_;
  Bench bench_;
  std::vector<double> times_;
  std::int64_t flops_ = 0;
  // The limit is measured once, and what that takes of memory is not the steps'.
  void add_limit(results::BenchPoint& point) {
    if (limit_ms_ == 0) {
      peak_rss_ = *point.peak_rss_bytes;
      limit_ms_ = limit_ms(bench_, products_);
    }
    point.peak_rss_bytes = peak_rss_;
    point.limit_ms = limit_ms_;
  }

  double matmul_share_ = 0;
  Products products_;
  double limit_ms_ = 0;  // 0: not measured
  std::int64_t peak_rss_ = 0;
};

}  // namespace

results::GrowthClaim claim_of(attention::Growth growth) {
  switch (growth) {
    case attention::Growth::linear:
      return {1, 0};
    case attention::Growth::n_log_n:
      return {1, 1};
    case attention::Growth::n_sqrt_n:
      return {1.5, 0};
    case attention::Growth::quadratic:
      return {2, 0};
  }
  return {};
}

std::int64_t lanes_of(const BenchOptions& options, std::int64_t n) {
  return options.lanes > 0 ? options.lanes
                           : lanes_for(options.batch, n, options.model, kVocabulary);
}

BenchOptions bench_options(const RunSpec& spec) {
  BenchOptions options;
  options.attention = spec.attention;
  options.attention_options = spec.attention_options;
  options.model = spec.model;
  options.preset = spec.preset;
  options.precision = spec.precision;
  return options;
}

BenchResult bench_point(const BenchOptions& options, std::int64_t n) {
  BenchResult result;
  result.point.n = n;
  Bench bench(options, n);
  std::int64_t flops = 0;
  bench.step(&flops);  // compiles the primitives
  result.point.matmul_share = matmul_share(bench);
  const Products products = options.limit ? products_of(bench) : Products();
  std::vector<double> times;
  double total = 0;
  engine::profile::reset();
  engine::profile::enable(options.profile);
  while (total < options.seconds || static_cast<std::int64_t>(times.size()) < options.min_steps) {
    times.push_back(bench.step(&flops));
    total += times.back();
  }
  engine::profile::enable(false);
  if (options.profile) {
    result.profile = engine::profile::entries();
    result.profiled_seconds = total;
  }
  bench.finish(times, flops, result);
  if (options.limit) result.point.limit_ms = limit_ms(bench, products);
  return result;
}

std::int64_t bench_parameters(const BenchOptions& options, std::int64_t n) {
  return model_of(options, n).parameter_count();
}

BenchResult bench_point_isolated(const BenchOptions& options, std::int64_t n,
                                 const std::atomic<bool>* stop) {
  Child child([&](Channel& channel) {
    try {
      channel.send(to_fields(bench_point(options, n)));
    } catch (const std::bad_alloc&) {
      channel.send({{"out-of-memory", true}});
    } catch (const std::exception& error) {
      channel.send({{"error", error.what()}});
    }
  });
  BenchResult failed;
  failed.point.n = n;
  failed.point.status = results::PointStatus::out_of_memory;
  const auto answer = child.channel().receive(stop);
  if (stop != nullptr && stop->load()) throw Interrupted();
  const bool out_of_memory = child.ran_out_of_memory();
  if (!answer) {
    if (!out_of_memory) failed.point.status = results::PointStatus::failed;
    failed.known = out_of_memory;
    return failed;
  }
  if (answer->contains("error")) {
    fail(ErrorKind::backend, "bench: {}", answer->at("error").get<std::string>());
  }
  return answer->contains("out-of-memory") ? failed : result_of(*answer);
}

std::vector<BenchResult> bench_side_by_side(const std::vector<BenchOptions>& variants,
                                            std::int64_t n, std::int64_t memory_bytes,
                                            const std::atomic<bool>* stop) {
  std::vector<Subject> subjects(variants.size());
  for (std::size_t i = 0; i < variants.size(); ++i) {
    subjects[i].prepare = [&options = variants[i], n](const Tell&) {
      return std::make_unique<BenchRehearsal>(options, n);
    };
  }
  measure_side_by_side(subjects, {kRounds, memory_bytes, stop});
  std::vector<BenchResult> results;
  for (const Subject& subject : subjects) {
    if (!subject.result && subject.failure.empty()) return {};
    BenchResult result;
    result.point.n = n;
    result.point.status =
        subject.out_of_memory ? results::PointStatus::out_of_memory : results::PointStatus::failed;
    result.known = !subject.broke_off;
    results.push_back(subject.result ? result_of(*subject.result) : result);
  }
  return results;
}

results::BenchRecord bench_record(const BenchOptions& options) {
  results::BenchRecord record;
  record.attention = {options.attention,
                      attention::registry().at(options.attention).traits.label,
                      {options.attention_options.dump()}};
  record.preset = options.preset;
  record.precision = options.precision;
  record.mode = options.mode;
  record.batch = options.batch;
  if (!options.lengths.empty()) record.mean_tokens = mean_of(lengths_of(options, 0));
  record.measured = results::Timing::exclusive;
  record.started = utc_now();
  record.environment =
      environment(options.threads > 0 ? options.threads : engine::machine().cores, 1);
  return record;
}

void add_point(results::BenchRecord& record, const BenchResult& result) {
  if (result.parameters > 0) record.parameters = result.parameters;
  record.environment.lanes = std::max(record.environment.lanes, result.lanes);
  const auto place =
      std::find_if(record.points.begin(), record.points.end(),
                   [&result](const results::BenchPoint& p) { return p.n >= result.point.n; });
  record.points.insert(place, result.point);
}

}  // namespace lra::harness
