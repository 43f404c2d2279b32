#include "harness/measure/bench.h"

#include <algorithm>
#include <new>
#include <numeric>

#include "attention/attention.h"
#include "engine/base/error.h"
#include "engine/base/fields.h"
#include "engine/runtime.h"
#include "harness/measure/bench_steps.h"
#include "harness/measure/child.h"
#include "harness/measure/side_by_side.h"
#include "harness/run/environment.h"
#include "harness/run/record.h"
#include "models/presets.h"

namespace lra::harness {

// JSON of the result that a child process reports.
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

using nlohmann::json;

constexpr int kRounds = 3;

double mean_of(const std::vector<std::int64_t>& lengths) {
  return static_cast<double>(std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0})) /
         static_cast<double>(lengths.size());
}

BenchResult result_of(const json& answer) {
  BenchResult result;
  from_fields(answer, result);
  return result;
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
