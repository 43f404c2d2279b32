#include "attention/check/numeric_checks.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "attention/check/comparison.h"
#include "attention/check/trial.h"
#include "engine/runtime.h"

namespace lra::attention {
namespace {

using nlohmann::json;

constexpr std::int64_t kSamples = 6;  // entries of each gradient that are differentiated
constexpr double kBf16Output = 3e-2;  // the guide of the golden files
constexpr double kBf16Gradient = 6e-2;

bool finite(const Tensor& tensor) {
  const std::vector<float> values = tensor.to_floats();
  return std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); });
}

bool finite(const Probe::Result& result) {
  return finite(result.out) && std::all_of(result.gradients.begin(), result.gradients.end(),
                                           [](const auto& entry) { return finite(entry.second); });
}

}  // namespace

void check_against_definition(const std::string& name, Findings& f) {
  const Tolerance tolerance = definition_tolerance(traits_of(name));
  for (const DefinitionCase& c : definition_cases(name)) {
    ++f.settings;
    const DefinitionCheck found = check_definition(Probe(name, c.options, c.setup), kSamples);
    f.at_most(found.output_error, tolerance.output, "output, " + c.text());
    for (const auto& [input, error] : found.gradient_errors) {
      f.at_most(error, tolerance.gradient, "gradient of " + input + ", " + c.text());
    }
  }
}

void check_large_inputs(const std::string& name, Findings& f) {
  for (const json& options : usual_options(name)) {
    for (const DType type : {DType::f32, DType::bf16}) {
      if (type == DType::bf16 && !engine::machine().avx512) continue;
      ++f.settings;
      ProbeSetup setup = ProbeSetup::self(37, 48);
      setup.type = type;
      const Probe probe(name, options, setup);
      if (!finite(probe.run(probe.inputs(30), probe.upstream()))) {
        f.fault("inputs times 30 overflow in {}, {}", engine::dtype_name(type), options.dump());
      }
    }
  }
}

void check_bf16(const std::string& name, Findings& f) {
  if (!engine::machine().avx512) {
    f.skipped = "oneDNN has no bf16 on this machine";
    return;
  }
  for (const json& options : usual_options(name)) {
    ++f.settings;
    ProbeSetup setup = ProbeSetup::self(37, 48);
    setup.rounded = true;
    const Probe exact(name, options, setup);
    setup.type = DType::bf16;
    const Probe probe(name, options, setup);
    const auto expected = exact.run(exact.inputs(), exact.upstream());
    const auto actual = probe.run(probe.inputs(), probe.upstream());
    if (!finite(actual)) f.fault("bf16 overflows, {}", options.dump());
    // Another bucket or support gives a different, equally valid result.
    if (traits_of(name).discrete) continue;
    f.at_most(output_error(probe, actual, exact, expected), kBf16Output,
              "output in bf16 against f32, " + options.dump());
    f.at_most(gradient_error(probe, actual.gradients, exact, expected.gradients), kBf16Gradient,
              "gradients in bf16 against f32, " + options.dump());
  }
}

}  // namespace lra::attention
