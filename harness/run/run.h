#pragma once
// One run: trains a model on a task, evaluates it and writes a self-contained run folder.
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

// Progress of a run.
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
  std::function<void(const RunData&)> on_data;  // called with the opened data; may be empty
  // Called with the initial weights if they come from a file; may be empty.
  std::function<void(const InitUsed&)> on_init;
  const std::atomic<bool>* stop = nullptr;  // set: checkpoint and end as `interrupted`
  bool shared = false;                      // other runs are active at the same time
  bool own_process = true;  // the process trains no other run, so its resident memory is this run's
  // Separately measured speed and memory for the record; null: the run's own measurements.
  const Measurement* measurement = nullptr;
  const results::SearchPart* search = nullptr;  // that chose the settings, for the record
};

// Runs, or continues from the folder's checkpoint. If the folder has a completed or diverged result
// of the same specification on the same data, returns that result. Throws Error(config) for a
// folder of another specification and Error(data) for other data. A loss or gradient that is not
// finite ends the run with status `diverged`. A completed result is written before the baselines of
// its data are fitted and added; their failure does not affect it. Other faults throw. A stop while
// data are opened or baselines fitted throws Interrupted; the same call continues later. Throws
// Busy (harness/run/lock.h) while another process works in the folder.
results::Record run_training(const RunSpec& spec, const RunOptions& options, Workers& workers);

}  // namespace lra::harness
