#include "attention/check/padding_checks.h"

#include <cstddef>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "attention/check/comparison.h"
#include "attention/check/trial.h"

namespace lra::attention {
namespace {

using nlohmann::json;

// Errors of a bucket with padding against the sequence alone.
std::pair<double, double> padding_errors(const std::string& name, const json& options) {
  const Probe cropped(name, options, ProbeSetup::self(37, 37));
  const Probe padded(name, options, ProbeSetup::self(37, 48));
  const auto expected = cropped.run(cropped.inputs(), cropped.upstream());
  const auto actual = padded.run(padded.inputs(), padded.upstream());
  return {output_error(padded, actual, cropped, expected),
          gradient_error(padded, actual.gradients, cropped, expected.gradients)};
}

}  // namespace

void check_padding(const std::string& name, Findings& f) {
  if (!traits_of(name).padding) {
    f.skipped = "its traits say .padding = false";
    return;
  }
  for (const json& options : usual_options(name)) {
    ++f.settings;
    const auto [output, gradient] = padding_errors(name, options);
    f.at_most(output, tolerance_of(name), "output, 37 of 48 rows against 37, " + options.dump());
    f.at_most(gradient, tolerance_of(name),
              "gradients, 37 of 48 rows against 37, " + options.dump());
  }
}

void check_padded_rows(const std::string& name, Findings& f) {
  const Traits& traits = traits_of(name);
  for (const json& options : option_sets(name)) {
    const Probe probe(name, options, ProbeSetup::self(13, 16));
    const auto one = probe.run(probe.inputs(1, 1), probe.upstream());
    const auto other = probe.run(probe.inputs(1, 2), probe.upstream());
    // Laid out over the tensor as published, padding is sorted into buckets by its content.
    if (traits.discrete && options.value("structure", "length") == "tensor") continue;
    ++f.settings;
    f.at_most(output_error(probe, one, probe, other), tolerance_of(name),
              "output depends on the content of padding, " + options.dump());
    f.at_most(gradient_error(probe, one.gradients, probe, other.gradients), tolerance_of(name),
              "gradients depend on the content of padding, " + options.dump());
    // Rows of padding are exactly 0 in the output and in the gradients of all inputs by tokens.
    const auto padding_is_zero = [&](const Tensor& tensor) {
      const std::vector<float> values = tensor.to_floats();
      const auto columns = static_cast<std::size_t>(tensor.dim(-1));
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (i / columns % 16 >= 13 && values[i] != 0) return false;
      }
      return true;
    };
    if (!padding_is_zero(one.out))
      f.fault("padded rows of the output are not 0, {}", options.dump());
    for (const auto& [input, tensor] : probe.inputs()) {
      if (!padding_is_zero(one.gradients.at(input))) {
        f.fault("padded rows of the gradient of {} are not 0, {}", input, options.dump());
      }
    }
  }
}

}  // namespace lra::attention
