#pragma once
// Forward and backward passes of batches on TBB workers, one tape per sequence.
//
// A batch is distributed over a fixed number of lanes by the examples' cost, identically for any
// number of threads. A lane runs its sequences one after the other and sums their gradients in a
// separate array; the optimiser adds the lanes in order. Results are therefore bit-identical for
// any number of threads, and a sequence's activations stay in one core's cache.

#include <tbb/task_arena.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <vector>

#include "engine/runtime.h"
#include "engine/tensor/memory.h"
#include "models/model.h"
#include "tasks/task.h"

namespace lra::harness {

// Result of a batch.
struct BatchResult {
  double loss = 0;           // mean over labels
  std::int64_t correct = 0;  // of `counted` labels
  std::int64_t counted = 0;
  std::int64_t tokens = 0;  // without padding, both sequences of a pair
  std::int64_t rows = 0;    // with the padding of the buckets
  std::int64_t flops = 0;   // of the products that ran
  std::vector<double> lane_seconds;
};

// Evaluation result of one example.
struct Prediction {
  std::int32_t label = -1;   // the predicted class; -1 for token-level tasks
  float loss = 0;            // summed over the example's labels
  std::int32_t correct = 0;  // labels predicted right
  std::int32_t counted = 0;
};

// Thrown by work interrupted by a stop flag; its partial result is lost.
class Interrupted : public std::exception {
 public:
  [[nodiscard]] const char* what() const noexcept override { return "interrupted"; }
};

class Workers {
 public:
  // Creates a separate arena. threads = 0: all that this process may use.
  explicit Workers(int threads);
  // Works on the arena of the calling thread, which must be in it at each call; has a separate
  // meter, so that several runs on one arena count their memory separately.
  [[nodiscard]] static Workers in_this_arena();
  [[nodiscard]] int threads() const { return threads_; }
  [[nodiscard]] const std::shared_ptr<engine::MemoryMeter>& meter() const { return meter_; }

  // Adds the gradient of the batch's mean loss into lanes[i] ([flat_size] f32 each, at least one).
  // `ids` name the examples for their random draws. Throws Error(numeric) for a loss that is not
  // finite.
  BatchResult train(const models::Model& model, std::span<const tasks::Example> batch,
                    std::span<const std::uint64_t> ids, std::int64_t step, std::uint64_t seed,
                    const std::vector<engine::Tensor>& lanes);

  // From now on predict() checks this flag before each example and throws Interrupted once it is
  // set. nullptr: never.
  void stop_with(const std::atomic<bool>* stop) { stop_ = stop; }
  [[nodiscard]] bool stopped() const { return stop_ != nullptr && stop_->load(); }

  // Predictions without a tape, in the order of the examples. Throws Interrupted (see stop_with).
  std::vector<Prediction> predict(const models::Model& model, const tasks::Dataset& data,
                                  std::span<const std::size_t> indices, std::uint64_t seed);
  // The same, returning only the number of floating-point operations of the products.
  std::int64_t predict_flops(const models::Model& model, const tasks::Dataset& data,
                             std::span<const std::size_t> indices);

  // Runs f on the workers' arena, with oneDNN single-threaded and allocations counted as in a step:
  // the library's own OpenMP team would keep spinning on the cores used by TBB.
  template <class F>
  void execute(F&& f) {
    enter([&] {
      const engine::WorkerScope worker(meter_);
      std::forward<F>(f)();
    });
  }

 private:
  explicit Workers(std::unique_ptr<tbb::task_arena> arena, int threads);

  // A thread that waits for a loop of this run takes no work from another run on the same arena: it
  // would return only when that is done, and count its memory here.
  template <class F>
  void enter(F&& f) {
    if (arena_ == nullptr) {
      tbb::this_task_arena::isolate(std::forward<F>(f));
    } else {
      arena_->execute(std::forward<F>(f));
    }
  }

  std::vector<Prediction> predict(const models::Model& model, const tasks::Dataset& data,
                                  std::span<const std::size_t> indices, std::uint64_t seed,
                                  std::atomic<std::int64_t>& flops);

  int threads_;
  const std::atomic<bool>* stop_ = nullptr;
  std::unique_ptr<tbb::task_arena> arena_;  // none: the caller's
  std::shared_ptr<engine::MemoryMeter> meter_ = std::make_shared<engine::MemoryMeter>();
};

// Number of lanes requested for a batch of examples of up to this many tokens: the number of
// examples as a power of two from 8 to 64, but at most 8 if summing the lanes' gradients would take
// more than about 5 % of the step, as with short sequences or large embedding tables. Part of a
// run's specification.
[[nodiscard]] std::int64_t lanes_for(std::int64_t batch_size, std::int64_t length,
                                     const models::ModelConfig& model, std::int64_t vocabulary);
// Number of lanes that a model of this size gets: halved while the gradients take more than 64 MB
// per requested lane, but at least two.
[[nodiscard]] std::int64_t lane_count(std::int64_t asked, std::int64_t parameters);

[[nodiscard]] models::ModelTask model_task(const tasks::TaskInfo& info);

// Real tokens of an example, both sequences of a pair.
[[nodiscard]] std::int64_t token_count(const models::Model& model, const tasks::Example& example);

}  // namespace lra::harness
