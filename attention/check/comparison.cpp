#include "attention/check/comparison.h"

#include <algorithm>
#include <cmath>

namespace lra::attention {

using nlohmann::json;

const Traits& traits_of(const std::string& name) { return registry().at(name).traits; }

double tolerance_of(const std::string& name) {
  return kSameOperations * traits_of(name).amplification;
}

std::vector<json> usual_options(const std::string& name) {
  std::vector<json> options{option_sets(name).front()};
  if (options.front() != json::object()) options.push_back(json::object());
  return options;
}

double gradient_error(const Probe& probe, const Tensors& actual, const Probe& other,
                      const Tensors& expected) {
  double scale = 0;
  for (const auto& [name, tensor] : expected) {
    for (const double g : other.real_rows(name, tensor).data) scale = std::max(scale, std::abs(g));
  }
  double worst = 0;
  for (const auto& [name, tensor] : expected) {
    worst = worse(worst, relative_error(probe.real_rows(name, actual.at(name)),
                                        other.real_rows(name, tensor), scale));
  }
  return worst;
}

double output_error(const Probe& probe, const Probe::Result& actual, const Probe& other,
                    const Probe::Result& expected) {
  return relative_error(probe.real_rows("q", actual.out), other.real_rows("q", expected.out));
}

bool same_bits(const Probe::Result& a, const Probe::Result& b) {
  bool same = a.out.to_floats() == b.out.to_floats();
  for (const auto& [name, tensor] : a.gradients) {
    same = same && tensor.to_floats() == b.gradients.at(name).to_floats();
  }
  return same;
}

}  // namespace lra::attention
