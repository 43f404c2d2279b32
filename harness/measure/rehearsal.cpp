#include "harness/measure/rehearsal.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "engine/base/error.h"
#include "engine/runtime.h"
#include "harness/run/data.h"
#include "harness/run/measurement.h"
#include "harness/run/training.h"

namespace lra::harness {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr double kInferenceShare = 1.0 / 3.0;

// Milliseconds of f().
template <class F>
double time_ms(F&& f) {
  const auto start = Clock::now();
  f();
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

class RunRehearsal final : public Rehearsal {
 public:
  RunRehearsal(const RunSpec& spec, const DataOptions& data, int threads, double round_seconds)
      : spec_(spec), workers_(threads), training_(spec, open_data(spec, data).data, workers_) {
    warm_up(round_seconds);
    result_.machine = machine_text(threads);
    result_.data_sha256 = training_.data.sha256;
  }

  void round() override {
    result_.train.round_ms.emplace_back();
    for (std::int64_t i = 0; i < train_batches_; ++i) {
      result_.train.round_ms.back().push_back(time_ms([&] { training_.step(i); }));
    }
    result_.infer.round_ms.emplace_back();
    for (std::size_t i = 0; i < infer_batches_; ++i) {
      result_.infer.round_ms.back().push_back(time_ms([&] { infer(i); }));
    }
  }

  [[nodiscard]] json result() override {
    Measurement result = result_;
    result.peak_tensor_bytes = workers_.meter()->peak_bytes();
    result.peak_rss_bytes = static_cast<std::int64_t>(engine::peak_rss_bytes());
    return harness::to_json(result);
  }

 private:
  // The longest examples first: that step determines the memory. Then the batches that each round
  // repeats, as many as fill a round's time; they compile the primitives of the rounds.
  void warm_up(double round_seconds) {
    training_.step_on(longest_examples(), 0);
    double ms = 0;
    while (train_batches_ == 0 || ms < 1e3 * round_seconds) {
      BatchResult batch;
      ms += time_ms([&] { batch = training_.step(train_batches_); });
      ++train_batches_;
      result_.train.examples += spec_.train.batch_size;
      result_.train.tokens += batch.tokens;
      result_.train.flops += batch.flops;
    }
    const auto& test = training_.data.split(tasks::Split::test);
    const auto batch_size = static_cast<std::size_t>(spec_.train.batch_size);
    const std::size_t most = (test.size() + batch_size - 1) / batch_size;
    for (ms = 0; infer_batches_ < most && ms < 1e3 * kInferenceShare * round_seconds;) {
      ms += time_ms([&] { result_.infer.flops += infer(infer_batches_); });
      for (const std::size_t i : test_batch(infer_batches_)) {
        result_.infer.tokens += token_count(*training_.model, test[i]);
        ++result_.infer.examples;
      }
      ++infer_batches_;
    }
  }

  [[nodiscard]] std::vector<std::size_t> longest_examples() const {
    const auto& train = training_.data.split(tasks::Split::train);
    std::vector<std::pair<std::int64_t, std::size_t>> lengths(train.size());
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      lengths[i] = {-token_count(*training_.model, train[i]), i};
    }
    const auto count = std::min(static_cast<std::size_t>(spec_.train.batch_size), lengths.size());
    std::partial_sort(lengths.begin(), lengths.begin() + static_cast<std::ptrdiff_t>(count),
                      lengths.end());
    std::vector<std::size_t> longest;
    for (std::size_t i = 0; i < count; ++i) longest.push_back(lengths[i].second);
    return longest;
  }

  [[nodiscard]] std::vector<std::size_t> test_batch(std::size_t i) const {
    const auto batch_size = static_cast<std::size_t>(spec_.train.batch_size);
    const std::size_t size = training_.data.split(tasks::Split::test).size();
    std::vector<std::size_t> indices(std::min(batch_size, size - i * batch_size));
    std::iota(indices.begin(), indices.end(), i * batch_size);
    return indices;
  }

  // Floating-point operations of the batch's products.
  std::int64_t infer(std::size_t i) {
    return workers_.predict_flops(*training_.model, training_.data.split(tasks::Split::test),
                                  test_batch(i));
  }

  const RunSpec& spec_;
  Workers workers_;
  Training training_;
  Measurement result_;
  std::int64_t train_batches_ = 0;
  std::size_t infer_batches_ = 0;
};

}  // namespace

std::unique_ptr<Rehearsal> rehearse(const RunSpec& spec, const MeasureOptions& options,
                                    const Tell& tell) {
  return std::make_unique<RunRehearsal>(spec, DataOptions{options.data, {}, tell}, options.threads,
                                        options.seconds / kMeasuredRounds);
}

}  // namespace lra::harness
