#pragma once
// One run: trains a model on a task, evaluates it, and leaves a run folder that says everything.
//
//   spec.json  metrics.jsonl  checkpoint.safetensors (while it runs)  model.safetensors result.json

#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "harness/run/data.h"
#include "harness/run/spec.h"
#include "harness/workers/workers.h"
#include "results/record/record.h"

namespace lra::harness {

struct Measurement;
struct InitUsed;

// What a run tells while it goes on.
struct Progress {
  enum class Phase { data, training, evaluation, finished } phase = Phase::data;
  std::string text;  // for the data phase, and while baselines are fitted
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
  std::function<void(const RunData&)> on_data;  // notified of the opened data; may be empty
  // Notified of the weights that the run starts from, if any are given; may be empty.
  std::function<void(const InitUsed&)> on_init;
  const std::atomic<bool>* stop = nullptr;  // set: checkpoint and end as `interrupted`
  bool shared = false;                      // other runs go on beside this one
  bool own_process = true;  // which trains no other run: its resident memory is this one's
  // Speed and memory for the record, measured apart; null: what the run measures of itself.
  const Measurement* measurement = nullptr;
  const results::SearchPart* search = nullptr;  // that chose the settings, for the record
};

// Runs, or continues from the folder's checkpoint; a folder with a completed or diverged result of
// the same specification on the same data returns that result. A folder of another specification is
// Error(config), one of other data Error(data). A loss or gradient that is not finite ends as
// status `diverged`. A completed result is written before the baselines of its data are fitted and
// added to it, whose faults it survives. Other faults throw; so does a stop with Interrupted while
// data are opened or baselines fitted, after which the same call continues. Busy
// (harness/run/lock.h) while another process works in the folder.
results::Record run_training(const RunSpec& spec, const RunOptions& options, Workers& workers);

}  // namespace lra::harness
