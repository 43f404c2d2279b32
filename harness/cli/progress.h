#pragma once
// The live line of a run.

#include <chrono>
#include <string>

#include "harness/trainer.h"

namespace lra::harness::cli {

// Prints progress to stderr: one line that is rewritten on a terminal, else a plain line whenever
// something new is known, at most one in ten seconds while training.
class ProgressLine {
 public:
  explicit ProgressLine(std::string label);
  void operator()(const Progress& progress);
  void end();  // leaves the line

 private:
  void show(const std::string& text, bool keep);
  std::string label_;
  bool terminal_;
  bool open_ = false;
  double val_shown_ = -1;
  std::string last_text_;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace lra::harness::cli
