#pragma once
// A run in progress, behind run_training(). Internal to harness/run.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "engine/tensor/tensor.h"
#include "harness/diagnose/settings.h"
#include "harness/run/checkpoint.h"
#include "harness/run/event_file.h"
#include "harness/run/init.h"
#include "harness/run/metrics_file.h"
#include "harness/run/protocol.h"
#include "harness/run/run.h"
#include "harness/run/state.h"
#include "harness/run/training.h"
#include "tasks/shortcuts.h"

namespace lra::harness {

// The changing state of a run.
class Run {
 public:
  Run(const RunSpec& spec, const RunOptions& options, Workers& workers)
      : spec_(spec), options_(options), workers_(workers), drop_last_(drop_last_of(spec)) {}

  results::Record execute();

 private:
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] static double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  }
  [[nodiscard]] std::filesystem::path file(const char* name) const {
    return options_.folder / name;
  }
  [[nodiscard]] bool stopped() const { return options_.stop != nullptr && options_.stop->load(); }

  // run.cpp: from the data to the result.
  [[nodiscard]] RunData open_data();
  void prepare(tasks::TaskData data);
  results::Record train();
  void train_steps();
  void one_step();
  std::vector<tasks::Shortcut> fit_shortcuts();
  void prepare_baselines();
  void fill_baselines(results::Record& record);
  void tell(const Progress& progress) const;
  void report(Progress::Phase phase);

  // run_files.cpp
  void restore();
  [[nodiscard]] CheckpointOwner owner() const;
  void save_checkpoint();
  void save_model() const;
  void log(const nlohmann::json& line);
  void log_training();
  void finish_events(const results::Record& record);

  // run_evaluation.cpp
  [[nodiscard]] bool selects(double accuracy) const;
  [[nodiscard]] bool out_of_patience() const;
  void require_finite(const Evaluation& e) const;
  void evaluate_if_due();
  void evaluate_val();
  void diagnose_if_due();
  void final_evaluation();

  const RunSpec& spec_;
  const RunOptions& options_;
  Workers& workers_;
  const DropLast drop_last_;
  RunState state_;
  diagnose::Settings diagnosis_settings_;
  StepSums logged_;  // the window of the last line of metrics
  std::optional<Training> training_;
  engine::Tensor best_;  // weights of the best validation so far
  std::optional<MetricsFile> metrics_;
  std::optional<EventFile> events_;
  std::optional<InitUsed> init_;
  Clock::time_point last_checkpoint_ = Clock::now();
  Clock::time_point last_report_ = Clock::now();
};

}  // namespace lra::harness
