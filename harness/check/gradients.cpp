#include "harness/check/gradients.h"

#include <fmt/format.h>

#include <algorithm>

#include "attention/check/trial.h"

namespace lra::harness {
namespace {

constexpr std::int64_t kEveryEntryUpTo = 13;  // tokens; beyond, entries are sampled
constexpr std::int64_t kSamples = 32;

GradientResult check(const std::string& variant, const attention::DefinitionCase& c) {
  GradientResult result;
  result.variant = variant;
  result.setting = c.text();
  try {
    const attention::Probe probe(variant, c.options, c.setup);
    const attention::Tolerance tolerance = attention::definition_tolerance(probe.traits());
    result.output_tolerance = tolerance.output;
    result.gradient_tolerance = tolerance.gradient;
    const std::int64_t tokens = std::max(c.setup.length, c.setup.key_length);
    const auto found = attention::check_definition(probe, tokens <= kEveryEntryUpTo ? 0 : kSamples);
    result.output_error = found.output_error;
    result.gradient_errors = found.gradient_errors;
    result.passed =
        found.output_error <= tolerance.output && found.worst_gradient() <= tolerance.gradient;
  } catch (const Error& e) {
    result.passed = false;
    result.note = e.what();
  }
  return result;
}

std::string errors_text(double output_error, const std::map<std::string, double>& gradients) {
  std::string text = fmt::format("out {:.1e}", output_error);
  for (const auto& [name, error] : gradients) text += fmt::format("  {} {:.1e}", name, error);
  return text;
}

}  // namespace

std::vector<GradientResult> check_gradients(
    const std::string& name, const std::function<void(const GradientResult&)>& on_result) {
  const std::vector<std::string> variants =
      name == "all" ? attention::registry().names()
                    : std::vector<std::string>{attention::registry().canonical(name)};
  std::vector<GradientResult> results;
  for (const std::string& variant : variants) {
    for (const auto& c : attention::definition_cases(variant)) {
      results.push_back(check(variant, c));
      if (on_result) on_result(results.back());
    }
  }
  return results;
}

std::string gradient_line(const GradientResult& result) {
  const std::string head =
      fmt::format("{} {} {}", result.passed ? "PASS" : "FAIL", result.variant, result.setting);
  if (!result.note.empty()) return fmt::format("{}  {}", head, result.note);
  return fmt::format("{}  {}", head, errors_text(result.output_error, result.gradient_errors));
}

std::string gradient_summary(const std::vector<GradientResult>& results) {
  struct Worst {
    double output_error = 0;
    std::map<std::string, double> gradient_errors;
    std::int64_t settings = 0, failed = 0;
  };
  std::map<std::string, Worst> variants;
  std::int64_t failed = 0;
  for (const GradientResult& result : results) {
    Worst& worst = variants[result.variant];
    ++worst.settings;
    worst.failed += result.passed ? 0 : 1;
    failed += result.passed ? 0 : 1;
    worst.output_error = std::max(worst.output_error, result.output_error);
    for (const auto& [name, error] : result.gradient_errors) {
      worst.gradient_errors[name] = std::max(worst.gradient_errors[name], error);
    }
  }
  const auto total = static_cast<std::int64_t>(results.size());
  std::string text =
      fmt::format("{} settings of {} variant{}: {} passed, {} failed; worst errors:", total,
                  variants.size(), variants.size() == 1 ? "" : "s", total - failed, failed);
  for (const auto& [name, worst] : variants) {
    text +=
        fmt::format("\n  {:<20} {}", name, errors_text(worst.output_error, worst.gradient_errors));
    if (worst.failed > 0) text += fmt::format("  {} of {} failed", worst.failed, worst.settings);
  }
  return text;
}

int gradient_exit_code(const std::vector<GradientResult>& results) {
  const bool passed = std::all_of(results.begin(), results.end(),
                                  [](const GradientResult& result) { return result.passed; });
  return passed ? 0 : 1;
}

}  // namespace lra::harness
