#pragma once
// One run: trains a model on a task, evaluates it, and leaves a run folder that says everything.
//
//   spec.json  metrics.jsonl  checkpoint.safetensors (while it runs)  model.safetensors result.json

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>

#include "harness/spec.h"
#include "harness/workers.h"
#include "results/record.h"

namespace lra::harness {

// What a run tells while it goes on.
struct Progress {
  enum class Phase { data, training, evaluation, finished } phase = Phase::data;
  std::string text;  // for the data phase
  std::int64_t step = 0;
  std::int64_t steps = 0;
  double loss = 0;      // mean since the last report
  double accuracy = 0;  // on training batches, likewise
  double tokens_per_second = 0;
  double seconds_left = 0;
  double val_accuracy = -1;  // the latest; -1: none yet
  double best_accuracy = -1;
};

struct RunOptions {
  std::filesystem::path folder;  // of this run
  std::filesystem::path data;    // as OpenOptions
  std::filesystem::path cache;
  double checkpoint_seconds = 30;  // between checkpoints
  double report_seconds = 0.5;     // between progress reports
  std::function<void(const Progress&)> progress;
  const std::atomic<bool>* stop = nullptr;  // set: checkpoint and end as `interrupted`
  bool shared = false;                      // other runs go on beside this one
};

// Runs, or continues from the folder's checkpoint; a folder with a completed result of the same
// specification returns that result. A folder of another specification is Error(config). A loss or
// gradient that is not finite ends as status `diverged`. Other faults throw.
results::Record run_training(const RunSpec& spec, const RunOptions& options, Workers& workers);

// Opens the data that a specification asks for.
[[nodiscard]] tasks::TaskData open_data(const RunSpec& spec, const RunOptions& options);

// The order of the training examples: position i of the endless sequence of shuffled epochs.
class ShuffledOrder {
 public:
  ShuffledOrder(std::size_t size, std::uint64_t seed) : size_(size), seed_(seed) {}
  [[nodiscard]] std::size_t at(std::uint64_t position);

 private:
  std::size_t size_;
  std::uint64_t seed_;
  std::uint64_t epoch_ = ~std::uint64_t{0};
  std::vector<std::uint32_t> order_;
};

}  // namespace lra::harness
