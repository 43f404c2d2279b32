#pragma once
// Progress display of `lra run`, and its stream of events.

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include "harness/cli/events.h"
#include "harness/suite/execute.h"

namespace lra::harness::cli {

// On a terminal, a block of lines that is redrawn in place: the suite, then one line per run (only
// the active runs if the block would not fit); failed runs scroll away above it. Elsewhere, plain
// lines for every change, at most one per run in ten seconds of training. Both go to stderr: stdout
// is for results.
class SuiteView final : public SuiteObserver {
 public:
  // `stop` is shown once it is set.
  SuiteView(const Suite& suite, EventStream& events, const std::atomic<bool>& stop);
  ~SuiteView() override { clear(); }
  void on_phase(const std::string& name) override;
  void on_work(const std::vector<std::size_t>& runs, std::size_t first, std::size_t total) override;
  void on_plan(std::size_t run, double seconds) override;
  void on_progress(std::size_t run, const Progress& progress) override;
  void on_record(std::size_t run, const results::Record& record) override;
  void on_measured(std::size_t run, const Measurement& measurement) override;
  void on_bench(const results::BenchRecord& record, const results::BenchPoint& point) override;
  void on_usage(const Usage& usage) override;

 private:
  using Clock = std::chrono::steady_clock;
  enum class State { waiting, running, ended };
  struct Line {
    std::string label;  // TASK/ATTENTION sSEED
    State state = State::waiting;
    std::string text;                                     // of the current work
    std::string known;                                    // text shown while it waits
    results::Status status = results::Status::completed;  // if ended
    double planned_seconds = 0;
    double share_done = 0;
    double val_shown = -1;
    Clock::time_point last_shown;
  };

  [[nodiscard]] std::string summary() const;
  [[nodiscard]] std::string line_of(std::size_t run) const;
  [[nodiscard]] std::vector<std::string> block(std::size_t rows) const;
  void pause(std::size_t run);
  void log(std::size_t run);
  void draw();
  void clear();

  const Suite& suite_;
  EventStream& events_;
  const bool terminal_;
  const std::atomic<bool>& stop_;
  std::string phase_;
  std::string work_;  // "3/15", of a phase that counts
  Clock::time_point phase_start_ = Clock::now();
  Clock::time_point last_drawn_;
  Clock::time_point last_work_shown_;
  std::vector<Line> lines_;
  std::size_t drawn_rows_ = 0;
};

}  // namespace lra::harness::cli
