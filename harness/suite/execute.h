#pragma once
// Runs a suite into one output folder, resuming an earlier invocation; one run per thread. Several
// processes may work in one folder, also on several machines: each run is locked by the process
// that trains it, and is taken over when that process ends without a result.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/run/measurement.h"
#include "harness/run/run.h"
#include "harness/suite/estimate.h"
#include "harness/suite/jobs.h"
#include "harness/suite/suite.h"
#include "results/record/bench_record.h"
#include "results/record/record.h"

namespace lra::harness {

// A part of a suite that a call executes alone. On a cluster each part is a separate job.
enum class SuitePart {
  measure,  // speed and memory of each run, no training; also of ended runs that were not measured
  train,    // without measuring; a run that was not measured before says "shared"
  bench,    // over sequence lengths; no runs
  tables,   // from the existing results; nothing is executed
};
constexpr auto texts(SuitePart) { return enum_texts("measure", "train", "bench", "tables"); }

struct SuiteOptions {
  std::filesystem::path out;      // runs are in its folder `runs`
  std::filesystem::path data;     // as OpenOptions
  int threads = 0;                // 0: all cores
  std::int64_t memory_bytes = 0;  // limit of all runs together; 0: the available memory
  double checkpoint_seconds = 30;
  double measure_seconds = 1;  // of each run alone, before the runs start; 0: not measured
  const std::atomic<bool>* stop = nullptr;  // set: checkpoint all active runs, and end
  std::optional<SuitePart> part;            // none: measures and trains
  std::map<std::string, Estimate> costs;    // by a run's name; only the others are estimated
  // How long to wait for runs that other processes work on; empty: until they have ended.
  std::optional<std::chrono::duration<double>> patience;
};

inline constexpr const char* kBenchPhase = "bench";
inline constexpr const char* kWaitingPhase = "waiting for another process's measurements";
inline constexpr const char* kEstimatePhase = "estimate";
inline constexpr const char* kMeasurementPhase = "measurement";
inline constexpr const char* kAccuracyPhase = "accuracy";

// Receives progress from any thread, one call at a time.
class SuiteObserver {
 public:
  SuiteObserver() = default;
  SuiteObserver(const SuiteObserver&) = delete;
  SuiteObserver& operator=(const SuiteObserver&) = delete;
  virtual ~SuiteObserver() = default;
  virtual void on_phase(const std::string& name) = 0;
  // The phase now works on these runs: the first is number `first` (from 1) of its `total` items,
  // the others follow. Runs named by an earlier call are no longer in work.
  virtual void on_work(const std::vector<std::size_t>& runs, std::size_t first,
                       std::size_t total) = 0;
  // Estimated duration of a pending run.
  virtual void on_plan(std::size_t run, double seconds) = 0;
  virtual void on_progress(std::size_t run, const Progress& progress) = 0;
  virtual void on_record(std::size_t run, const results::Record& record) = 0;
  virtual void on_measured(std::size_t run, const Measurement& measurement) = 0;
  virtual void on_bench(const results::BenchRecord& record, const results::BenchPoint& point) = 0;
  // The end of the phase with several simultaneous runs.
  virtual void on_usage(const Usage& usage) = 0;
};

struct SuiteOutcome {
  std::vector<std::optional<results::Record>> records;  // by run; none where it was not started
  [[nodiscard]] std::size_t ended() const;              // runs that need no further call
  [[nodiscard]] bool stopped() const { return ended() < records.size(); }
};

// Executes the runs that have not ended: first speed and memory of each run alone, alternating
// between the variants of a task; then the runs themselves, several at once. A run that fails or
// needs more memory than available leaves a record with the reason, and the suite continues. Must
// be called before this process has started threads: estimates and measurements run in child
// processes.
[[nodiscard]] SuiteOutcome run_suite(const Suite& suite, const SuiteOptions& options,
                                     SuiteObserver& observer);

// Begins the runs that have not ended: opens or generates their data, writes each spec.json, which
// fixes the precision of `--precision auto` to this machine's, and estimates their cost. Returns
// the known costs by run name; for others the run's record gives the reason. Runs in
// `options.costs` are not estimated again. Must be called before this process has started threads.
[[nodiscard]] std::map<std::string, Estimate> begin_suite(const Suite& suite,
                                                          const SuiteOptions& options,
                                                          SuiteObserver& observer);

}  // namespace lra::harness
