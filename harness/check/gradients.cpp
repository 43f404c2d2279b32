#include "harness/check/gradients.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "attention/check/trial.h"

namespace lra::harness {
namespace {

constexpr std::int64_t kEveryEntryUpTo = 13;  // tokens; beyond, entries are sampled
constexpr std::int64_t kSamples = 32;

// Features that may explain why a setting fails and others do not.
std::vector<std::string> features_of(const attention::DefinitionCase& c) {
  std::vector<std::string> features;
  const attention::ProbeSetup& s = c.setup;
  if (s.rows > s.length || s.key_rows > s.key_length) features.emplace_back("padded rows");
  if (s.rows == s.length && s.key_rows == s.key_length) features.emplace_back("no padded rows");
  if (s.length == 1) features.emplace_back("one token");
  if (s.length > 1) features.emplace_back("more than one token");
  if (s.key_length > s.length) features.emplace_back("more keys than queries");
  if (s.key_length < s.length) features.emplace_back("fewer keys than queries");
  if (s.key_length != s.length) features.emplace_back("other numbers of keys than of queries");
  if (s.key_length == s.length) features.emplace_back("as many keys as queries");
  for (const auto& [name, value] : c.options.items()) {
    features.push_back(fmt::format("{} = {}", name, value.dump()));
  }
  return features;
}

GradientResult check(const std::string& variant, const attention::DefinitionCase& c) {
  GradientResult result;
  result.variant = variant;
  result.setting = c.text();
  result.features = features_of(c);
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
  std::string text = "out " + attention::error_text(output_error);
  for (const auto& [name, error] : gradients)
    text += "  " + name + " " + attention::error_text(error);
  return text;
}

// The quantities of a failed setting that are off.
std::vector<std::string> wrong_parts(const GradientResult& r) {
  std::vector<std::string> parts;
  if (!r.note.empty()) return {r.note};
  if (!(r.output_error <= r.output_tolerance)) parts.emplace_back("the output");
  for (const auto& [name, error] : r.gradient_errors) {
    if (!(error <= r.gradient_tolerance)) parts.push_back("the gradient of " + name);
  }
  return parts;
}

// What the failed settings of a variant have in common: the feature that is rarest among those that
// passed, and the wrong quantities; empty if nothing.
std::string pattern_of(const std::vector<const GradientResult*>& settings) {
  std::vector<const GradientResult*> failed;
  for (const GradientResult* r : settings) {
    if (!r->passed) failed.push_back(r);
  }
  if (failed.empty()) return "";
  std::vector<std::string> common = failed.front()->features;
  std::vector<std::string> parts = wrong_parts(*failed.front());
  const auto keep = [](std::vector<std::string>& list, const std::vector<std::string>& other) {
    std::erase_if(list, [&other](const std::string& entry) {
      return std::find(other.begin(), other.end(), entry) == other.end();
    });
  };
  bool one_set = true;  // every failed setting is wrong in the same quantities
  for (const GradientResult* r : failed) {
    keep(common, r->features);
    one_set = one_set && wrong_parts(*r) == wrong_parts(*failed.front());
    keep(parts, wrong_parts(*r));
  }
  std::string text;
  if (failed.size() == settings.size()) {
    text = "every setting fails";
  } else {
    // The feature that occurs in the fewest passed settings.
    std::string best;
    std::size_t fewest = settings.size() - failed.size();
    for (const std::string& feature : common) {
      const auto passing = static_cast<std::size_t>(
          std::count_if(settings.begin(), settings.end(), [&feature](const GradientResult* r) {
            return r->passed &&
                   std::find(r->features.begin(), r->features.end(), feature) != r->features.end();
          }));
      if (passing < fewest) {
        fewest = passing;
        best = feature;
      }
    }
    if (!best.empty()) {
      text = fmt::format("all failures have {} ({} settings with it passed)", best, fewest);
    }
  }
  if (!parts.empty()) {
    if (!text.empty()) text += "; ";
    text += fmt::format("{} {} wrong in each", fmt::join(parts, ", "),
                        parts.size() == 1 ? "is" : "are");
    if (one_set) text += ", nothing else is";
  }
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

std::string gradient_legend() {
  return "n: real tokens of the rows of the tensor. out: error of the output, relative to its "
         "largest "
         "entry.\nq, k, v, qk (shared queries and keys), x (the block's input) and parameters by "
         "name: "
         "error of the\ngradient by it, relative to the largest entry of all gradients.";
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
    std::int64_t failed = 0;
    std::vector<const GradientResult*> settings;
  };
  std::map<std::string, Worst> variants;
  std::int64_t failed = 0;
  for (const GradientResult& result : results) {
    Worst& worst = variants[result.variant];
    worst.settings.push_back(&result);
    worst.failed += result.passed ? 0 : 1;
    failed += result.passed ? 0 : 1;
    worst.output_error = attention::worse(worst.output_error, result.output_error);
    for (const auto& [name, error] : result.gradient_errors) {
      double& largest = worst.gradient_errors[name];
      largest = attention::worse(largest, error);
    }
  }
  const auto total = static_cast<std::int64_t>(results.size());
  std::string text =
      fmt::format("{} settings of {} variant{}: {} passed, {} failed; worst errors:", total,
                  variants.size(), variants.size() == 1 ? "" : "s", total - failed, failed);
  for (const auto& [name, worst] : variants) {
    text +=
        fmt::format("\n  {:<20} {}", name, errors_text(worst.output_error, worst.gradient_errors));
    if (worst.failed == 0) continue;
    text += fmt::format("  {} of {} failed", worst.failed, worst.settings.size());
    const std::string pattern = pattern_of(worst.settings);
    if (!pattern.empty()) text += "\n    " + pattern;
  }
  return text;
}

int gradient_exit_code(const std::vector<GradientResult>& results) {
  const bool passed = std::all_of(results.begin(), results.end(),
                                  [](const GradientResult& result) { return result.passed; });
  return passed ? 0 : 1;
}

}  // namespace lra::harness
