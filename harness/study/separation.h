#pragma once
// The softmax-versus-linear separation study: data that softmax attention separates and linear
// attention cannot, with fixed weights (`theory`), with oracle weights on a regression whose
// optimum is known (`noise`) and after training (`train`).
//
// The construction of `theory` is recalled from Deng, Song, Zhou, "Superiority of Softmax", arXiv
// 2310.11685, and not checked against its full text; it does separate the two attentions as the
// paper's abstract says. Its cross-attention form, the parametrisation of `noise` (task after
// Marion et al., arXiv 2410.01537) and all of `train` are this project's own.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "results/record/study_record.h"

namespace lra::harness::study {

inline constexpr std::string_view kTheorySource =
    "construction: recalled from arXiv 2310.11685, not checked against the full text";
inline constexpr std::string_view kCrossSource = "cross (own construction)";
inline constexpr std::string_view kNoiseSource =
    "own: single-location regression after arXiv 2410.01537, own parametrisation and formulas";
inline constexpr std::string_view kTrainSource =
    "own: trained classification of the noisy construction";

using Mode = results::StudyMode;
// Throws Error(usage) for an unknown name.
[[nodiscard]] Mode parse_mode(const std::string& name);

// The built-in kernels of a mode; for `train`, the registered attentions over heads.
[[nodiscard]] std::vector<std::string> kernel_names(Mode mode);

// An attention of `train` with all its options.
struct Variant {
  std::string name;
  nlohmann::json options;
};
// Parses NAME or NAME:OPTION=VALUE:OPTION=VALUE... The default degree of the polynomial is 3.
// Throws Error(usage) for an unknown name, Error(config) for an unknown option or value.
[[nodiscard]] Variant parse_variant(const std::string& text);

// Values of all parameters that can be swept.
struct Setting {
  std::int64_t n = 400;  // tokens; theory rounds down to a multiple of d - 2
  std::int64_t d = 32;   // columns of the data
  std::int64_t m = 0;    // hidden units; 0: max(floor(ln(n / 0.01)), 15), in training 32
  double a0 = 0.01;      // signal of the data set D0, of D1; see theory.cpp
  double a1 = 1.2;
  double c = 0.8;         // constant; the class part is b = 1 - c
  double eps = 0;         // deviation of the bilinear form from the identity
  double f = 1;           // noise: spike = f sqrt(2 ln n)
  bool cross = false;     // theory: queries apart from keys and values
  bool residual = false;  // train: adds the tokens to the attention's output
  bool maxpool = false;   // train: the largest hidden unit over tokens, not the mean
};

struct Request {
  Mode mode = Mode::theory;
  std::vector<std::string> kernels = {};  // empty: all of the mode's own
  Setting setting = {};
  std::string swept = "n";          // n, d, m, a1, c or f
  std::vector<double> values = {};  // of it, at least one
  std::int64_t trials = 300;        // theory: draws; noise: samples; train: seeds
  std::int64_t steps = 2000;        // of training
  std::int64_t test = 4000;         // train: test samples; a quarter as many for validation
  std::uint64_t seed = 1;           // at most 2^63 - 1
  int threads = 0;                  // 0: all that this process may use
};

// Results of one kernel at one setting. Values that a mode does not measure are missing.
struct Point {
  std::string kernel;
  Setting setting;  // with n, m as used
  std::int64_t trials = 0;
  std::optional<std::int64_t> successes, false_positives, detections;
  std::optional<double> value;      // success rate; R2; mean test accuracy
  std::optional<double> low, high;  // Wilson 95 %; +- 1.96 standard errors; bootstrap 95 %
  std::optional<double> reference;  // noise: population optimum; train: single-threshold accuracy
  std::string source;
};

// Runs the study; the result depends on the request except for its number of threads. Throws
// Error(usage) for an unknown kernel or swept name and for sizes that the construction does not
// allow.
[[nodiscard]] std::vector<Point> run_study(const Request& request);

// The names that can be set or swept in a mode, and the setting with one of them changed. Throws
// Error(usage) for an unknown name, or a fraction for an integer.
[[nodiscard]] std::vector<std::string> setting_names(Mode mode);
void assign(Setting& setting, Mode mode, const std::string& name, double value);

// A point of each mode; the request is already checked.
[[nodiscard]] Point theory_point(const std::string& kernel, const Setting& setting,
                                 std::int64_t trials, std::uint64_t seed);
[[nodiscard]] Point noise_point(const std::string& kernel, const Setting& setting,
                                std::int64_t trials, std::uint64_t seed);
[[nodiscard]] Point train_point(const std::string& kernel, const Setting& setting,
                                const Request& request);

// A results::StudyRecord as JSON. Contains no times, so that equal requests give equal bytes.
[[nodiscard]] nlohmann::json to_json(const Request& request, const std::vector<Point>& points);
[[nodiscard]] std::string to_csv(const Request& request, const std::vector<Point>& points);
// Markdown: kernels by values of the swept variable, then the notes of the mode.
[[nodiscard]] std::string to_table(const Request& request, const std::vector<Point>& points);
// A line chart of the same as SVG.
[[nodiscard]] std::string to_svg(const Request& request, const std::vector<Point>& points);

}  // namespace lra::harness::study
