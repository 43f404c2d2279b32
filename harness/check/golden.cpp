#include "harness/check/golden.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "attention/attention.h"
#include "harness/check/golden_cases.h"

namespace lra::harness {
namespace {

using engine::DType;
using nlohmann::json;

constexpr double kSmallestScale = 1e-3;
constexpr double kObservedFactor = 8;  // over what plain float32 got elsewhere
// bf16's rounding over float32's: cases that float32 rounds badly are worse by it in bf16.
constexpr double kBf16Rounding = 65536;

double largest(const GoldenTensor& tensor) {
  double value = 0;
  for (const double x : tensor.data) value = std::max(value, std::abs(x));
  return value;
}

// max |a - e| / scale; infinite if something is not finite.
double error(const GoldenTensor& actual, const GoldenTensor& expected, double scale) {
  double worst = 0;
  for (std::size_t i = 0; i < expected.data.size(); ++i) {
    const double difference = std::abs(actual.data[i] - expected.data[i]);
    if (!std::isfinite(difference)) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, difference);
  }
  return worst / std::max(kSmallestScale, scale);
}

void set_tolerances(const GoldenCase& c, DType precision, GoldenResult& result) {
  if (precision == DType::bf16) {
    result.output_tolerance = std::max(3e-2, kBf16Rounding * c.f32_output_error);
    result.gradient_tolerance = std::max(6e-2, kBf16Rounding * c.f32_gradient_error);
    return;
  }
  result.output_tolerance = std::max(2e-5, kObservedFactor * c.f32_output_error);
  result.gradient_tolerance = std::max(5e-5, kObservedFactor * c.f32_gradient_error);
}

// Why the guide excludes a case from bf16; empty if it does not.
std::string excluded_from_bf16(const std::string& variant, const GoldenCase& c) {
  const auto* found = attention::registry().find(variant);
  if (found != nullptr && found->traits.ill_conditioned) {
    return "bf16: discrete choices or pseudo-inverses";
  }
  if (c.name.find("large") != std::string::npos) return "bf16: large logits";
  return {};
}

void compare(const GoldenCase& c, const GoldenComputed& computed, GoldenResult& result) {
  double worst_excess = 1;
  const auto judge = [&](const std::string& name, double e, double tolerance,
                         double& largest_error) {
    largest_error = std::max(largest_error, e);
    if (e > tolerance * worst_excess) {
      worst_excess = e / tolerance;
      result.worst = name;
    }
  };
  for (const auto& [name, expected] : c.expected) {
    judge(name, error(computed.outputs.at(name), expected, largest(expected)),
          result.output_tolerance, result.output_error);
  }
  double scale = 0;
  for (const auto& [name, expected] : c.grad) scale = std::max(scale, largest(expected));
  for (const auto& [name, expected] : c.grad) {
    judge("grad " + name, error(computed.gradients.at(name), expected, scale),
          result.gradient_tolerance, result.gradient_error);
  }
  if (result.worst.empty()) return;
  result.status = GoldenStatus::fail;
  // An optional mode of which the variant knows only a part.
  if (!computed.ignored.empty()) {
    result.status = GoldenStatus::skip;
    result.note = "not offered: " + computed.ignored;
  }
}

GoldenResult run_case(const GoldenFile& file, const std::string& variant, const GoldenCase& c,
                      DType precision) {
  GoldenResult result;
  result.file = file.path;
  result.variant = variant;
  result.name = c.name;
  result.optional = c.optional;
  set_tolerances(c, precision, result);
  if (precision == DType::bf16) {
    result.note = excluded_from_bf16(variant, c);
    if (!result.note.empty()) {
      result.status = GoldenStatus::skip;
      return result;
    }
  }
  try {
    const bool core = c.hyper.value("level", json()) == "core";
    const auto& runners = core ? core_runners() : block_runners();
    const auto runner = runners.find(variant);
    const GoldenComputed computed = runner != runners.end()
                                        ? runner->second(c, precision)
                                        : run_attention_case(file, c, variant, precision);
    if (computed.not_offered.empty()) {
      compare(c, computed, result);
    } else {
      result.status = GoldenStatus::skip;
      result.note = "not offered: " + computed.not_offered;
    }
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::data) {
      throw Error(ErrorKind::data,
                  fmt::format("{}: case {}: {}", file.path.string(), c.name, e.what()));
    }
    result.status = GoldenStatus::fail;
    result.note = e.what();
  } catch (const json::exception& e) {  // hyper of another kind than the variant expects
    result.status = GoldenStatus::fail;
    result.note = e.what();
  }
  return result;
}

// The registered name of what a file is about: by its `variant`, else by the file's name.
std::string find_variant(const GoldenFile& file) {
  for (const std::string& name : {file.variant, file.path.stem().string()}) {
    if (block_runners().count(name) != 0) return name;
    if (attention::registry().find(name) != nullptr) return attention::registry().canonical(name);
  }
  std::vector<std::string> known = attention::registry().names();
  for (const auto& [name, runner] : block_runners()) known.push_back(name);
  throw Error(ErrorKind::usage,
              fmt::format("{}: {}", file.path.string(),
                          unknown_name_message("variant or block", file.variant, known)));
}

std::vector<std::filesystem::path> files_of(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return {path};
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    if (entry.is_regular_file() && entry.path().extension() == ".json") files.push_back(entry);
  }
  if (files.empty()) {
    fail(ErrorKind::usage, "check golden: {} has no .json files", path.string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::int64_t GoldenReport::count(GoldenStatus status) const {
  return std::count_if(cases.begin(), cases.end(),
                       [=](const GoldenResult& result) { return result.status == status; });
}

int GoldenReport::exit_code() const {
  if (!errors.empty()) return lra::exit_code(errors.front().kind);
  return count(GoldenStatus::fail) > 0 ? 1 : 0;
}

std::vector<GoldenResult> check_golden_file(const std::filesystem::path& path,
                                            const GoldenOptions& options) {
  const GoldenFile file = read_golden_file(path);
  const std::string variant = find_variant(file);
  std::vector<GoldenResult> results;
  for (const GoldenCase& c : file.cases) {
    results.push_back(run_case(file, variant, c, options.precision));
    if (options.on_case) options.on_case(results.back());
  }
  return results;
}

GoldenReport check_golden(const std::vector<std::filesystem::path>& paths,
                          const GoldenOptions& options) {
  GoldenReport report;
  for (const auto& path : paths) {
    for (const auto& file : files_of(path)) {
      try {
        for (GoldenResult& result : check_golden_file(file, options)) {
          report.cases.push_back(std::move(result));
        }
      } catch (const Error& e) {
        report.errors.push_back({file, e.kind(), e.what()});
        if (options.on_error) options.on_error(report.errors.back());
      }
    }
  }
  return report;
}

std::string golden_line(const GoldenResult& result) {
  const char* status = result.status == GoldenStatus::pass   ? "PASS"
                       : result.status == GoldenStatus::fail ? "FAIL"
                                                             : "SKIP";
  const std::string name =
      fmt::format("{}/{}{}", result.variant, result.name, result.optional ? " (optional)" : "");
  if (!result.note.empty()) return fmt::format("{} {:<44} {}", status, name, result.note);
  return fmt::format("{} {:<44} out {:.1e} ({:.1e})  grad {:.1e} ({:.1e}){}", status, name,
                     result.output_error, result.output_tolerance, result.gradient_error,
                     result.gradient_tolerance,
                     result.worst.empty() ? "" : "  worst: " + result.worst);
}

std::string golden_summary(const GoldenReport& report) {
  std::string text =
      fmt::format("{} passed, {} failed, {} skipped", report.count(GoldenStatus::pass),
                  report.count(GoldenStatus::fail), report.count(GoldenStatus::skip));
  if (!report.errors.empty()) {
    text += fmt::format(", {} unusable file{}", report.errors.size(),
                        report.errors.size() == 1 ? "" : "s");
  }
  return text;
}

}  // namespace lra::harness
