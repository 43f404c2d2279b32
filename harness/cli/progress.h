#pragma once
// Progress of a run: as text, and as the live line of `lra train`.

#include <chrono>
#include <string>

#include "harness/run/run.h"

namespace lra::harness::cli {

// "step 40/100  left 12s  val 50.0% (best 51.0%)  acc 51.2%  loss 0.6931  9000 tokens/s".
[[nodiscard]] std::string describe(const Progress& progress);
// "2h05m", "3m20s", "7s".
[[nodiscard]] std::string describe_seconds(double seconds);
// "51.2%"; "-" for a negative share, which means unknown.
[[nodiscard]] std::string describe_share(double share);

// Prints progress to stderr: one line that is rewritten on a terminal, else a plain line per
// change, at most one per ten seconds while training.
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
  std::chrono::steady_clock::time_point last_;
};

}  // namespace lra::harness::cli
