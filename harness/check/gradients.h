#pragma once
// Forward and backward of attention variants against their plain definitions in double precision,
// differentiated by central differences. The library behind `lra check gradients`.

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace lra::harness {

// One variant with one set of options at one length. Errors are relative to the largest entry of
// the output, or of all gradients together.
struct GradientResult {
  std::string variant;
  std::string setting;  // {"block":4}, n = 13 of 16
  double output_error = 0, output_tolerance = 0;
  std::map<std::string, double> gradient_errors;  // by input or parameter
  double gradient_tolerance = 0;
  std::vector<std::string> features;  // of the setting: "padded rows", "one token", "causal = true"
  bool passed = true;
  std::string note;  // why it could not run
};

// Checks a variant, or all of them for "all"; calls `on_result` after each setting. Throws
// Error(usage) for an unknown name.
[[nodiscard]] std::vector<GradientResult> check_gradients(
    const std::string& name, const std::function<void(const GradientResult&)>& on_result = {});

// The meaning of the columns, printed before the first line.
[[nodiscard]] std::string gradient_legend();
// "PASS softmax {}, n = 13 of 16  out 2.1e-07  k 1.2e-07  q 1.0e-07  v 9.8e-08"
[[nodiscard]] std::string gradient_line(const GradientResult& result);
// "312 settings of 38 variants: 312 passed, 0 failed", then one line per variant with the worst
// error of each input and the common feature of the failed settings.
[[nodiscard]] std::string gradient_summary(const std::vector<GradientResult>& results);
// 1 if any failed, else 0.
[[nodiscard]] int gradient_exit_code(const std::vector<GradientResult>& results);

}  // namespace lra::harness
